"""The machine's time, with leaps: what sleeps wakes as soon as its moment has come, by waiting or by a leap."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta


class LeapingClock:
    """A `Clock` that a test may put forward while servers, threads and sockets go on in real time."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._leapt = asyncio.Event()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead.total_seconds()

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        await asyncio.sleep(0)
        while (left := until - self.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leapt.wait(), left)

    def leap(self, by: timedelta) -> None:
        self._ahead += by
        leapt, self._leapt = self._leapt, asyncio.Event()
        leapt.set()
