"""Time as a port, so that tests own it."""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol


class Clock(Protocol):
    """Where everything in Headrace takes its time from."""

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back, good for durations only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`. Zero and less only let others run."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class TestClock:
    """A clock that stands still until a test moves it.

    Sleepers wake in the order they are due; those due at one instant in the order they came.
    """

    __test__: ClassVar[bool] = False

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError("A clock starts at an aware instant: give it a time zone, for instance UTC.")
        self._start = start.astimezone(UTC)
        self._elapsed = timedelta()
        self._sleepers: list[tuple[timedelta, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()

    def now(self) -> datetime:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self._elapsed + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (due, next(self._arrivals), alarm))
        await alarm

    @property
    def sleepers(self) -> int:
        """How many are asleep now."""
        return sum(not alarm.done() for _, _, alarm in self._sleepers)

    def advance(self, by: float | timedelta) -> None:
        """Move time at once. Everyone who is due wakes, in order, when the event loop next runs."""
        self._move_to(self._elapsed + _span(by))

    async def elapse(self, by: float | timedelta) -> None:
        """Let time pass: stop at every sleeper's moment and let it run, so that loops tick.

        Who is woken may sleep again, and is woken again if that is still within the time that passes.
        """
        end = self._elapsed + _span(by)
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._move_to(self._sleepers[0][0])
            await _let_others_run()
        self._move_to(end)
        await _let_others_run()

    def _move_to(self, moment: timedelta) -> None:
        self._elapsed = moment
        while self._sleepers and self._sleepers[0][0] <= moment:
            _, _, alarm = heapq.heappop(self._sleepers)
            if not alarm.done():
                alarm.set_result(None)


# A woken task often needs some turns of the loop (queues, locks, task groups) before it sleeps again.
_TURNS = 20


async def _let_others_run() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _span(by: float | timedelta) -> timedelta:
    span = by if isinstance(by, timedelta) else timedelta(seconds=by)
    if span < timedelta():
        raise ValueError("Time does not go back: advance by zero or more.")
    return span
