"""The tasks of the service that run beside its calls, with one owner."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[bool]]
"""Does one round. True means that more is waiting: the next round follows at once."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Work that is repeated every `interval`, or sooner when `wake` is set."""

    name: str
    work: Work
    interval: timedelta
    wake: asyncio.Event


class Loops:
    """Runs the loops in a task group, whose block ends when one of them dies of a mistake of ours."""

    def __init__(self, loops: Sequence[Loop], clock: Clock) -> None:
        self._loops = loops
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin every loop. Starting again changes nothing."""
        if not self._tasks:
            self._tasks = [tasks.create_task(self._repeat(each), name=each.name) for each in self._loops]

    def stop(self) -> None:
        """Ask every loop to end. Asking again changes nothing; they may be started again."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()

    async def _repeat(self, loop: Loop) -> None:
        while True:
            loop.wake.clear()
            try:
                more = await loop.work()
            except HeadraceError as error:
                log.warning("%s goes on later: %s", loop.name, error)
                more = False
            if not more:
                await self._pause(loop)

    async def _pause(self, loop: Loop) -> None:
        """Wait for the interval to pass or somebody to wake the loop, whichever is first."""
        waits = [
            asyncio.ensure_future(self._clock.sleep(loop.interval.total_seconds())),
            asyncio.ensure_future(loop.wake.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
