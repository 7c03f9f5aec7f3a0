"""An executor that hosts two components, one of them stuck, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from headrace_executor.settings import RunnerSettings

from .platform import HandedFlows, platform
from .published import Shelf
from .test_runner_poison import poison
from .test_runners import WORKER, put, run


async def main(folder: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish(poison("while True: pass")), "stuck")
    put(flows, shelf.publish(WORKER), "good")
    settings = RunnerSettings(hang_after=timedelta(minutes=10))
    async with platform(folder, flows, shelf=shelf, runners=settings) as here:
        await run(here, "good")
        await run(here, "stuck", "harmless")
        await here.send("stuck", "hook", {"data": "poison"})
        print(*here.app.runners.pids.values(), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
