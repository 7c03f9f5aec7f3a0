"""An executor whose one component ends its process: `python -m tests.executor.deadly <folder>`."""

import asyncio
import os
import sys
from pathlib import Path

from headrace_executor.model import RunState
from headrace_sdk import Component, Context

from .platform import HandedFlows, OwnComponent, platform, webhook
from .test_keeping import own_node
from .test_runs import HOOK, event

DIED = 9
EVENT = "the-one-event"


class Deadly(Component):
    """Takes its executor with it."""

    async def receive(self, context: Context) -> None:
        os._exit(DIED)


async def run(folder: Path) -> str:
    """Send the event, or find its run again, and see it through to its end; says how it stands then."""
    flows = HandedFlows()
    flows.put("deadly", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    async with platform(folder, flows, own=[OwnComponent(Deadly)]) as made:
        run_id, _ = await made.send("deadly", HOOK, event("ada"), event_id=EVENT)
        rested = await made.until(run_id, RunState.QUARANTINED, 20)
        return rested.run.error


if __name__ == "__main__":
    print(asyncio.run(run(Path(sys.argv[1]))))
