"""Keeps whoever asks without end from taking the executor's time: questions wait once they come too fast."""

from __future__ import annotations

import asyncio


class Pace:
    """So many turns a second, and as many at once after a pause."""

    def __init__(self, per_second: float, at_once: int) -> None:
        self._gap = 1 / per_second
        self._credit = at_once * self._gap
        self._due = 0.0

    async def turn(self) -> None:
        """Wait until it is this one's turn."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now - self._credit) + self._gap
        if self._due > now:
            await asyncio.sleep(self._due - now)
