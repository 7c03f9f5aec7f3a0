"""How often one address may ask for something without a token."""

from collections import OrderedDict
from datetime import timedelta

from headrace_core import errors
from headrace_core.clock import Clock

MAX_ADDRESSES = 10_000


class Throttle:
    """Counts calls by address in memory, in windows that begin with their first call.

    Beyond so many addresses the one whose window began first is forgotten: the memory is bounded, and what is
    guarded so must be bearable when many addresses ask.
    """

    def __init__(self, clock: Clock, *, limit: int, window: timedelta, capacity: int = MAX_ADDRESSES) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window.total_seconds()
        self._capacity = capacity
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, address: str) -> None:
        """Count a call. Raises RateLimited with when to come back."""
        now = self._clock.monotonic()
        ends, calls = self._windows.get(address, (0.0, 0))
        if now >= ends:
            self._windows.pop(address, None)
            ends, calls = now + self._window, 0
        if calls >= self._limit:
            raise errors.RateLimited(
                f"This address asked {self._limit} times without a token. Wait, or sign in.",
                retry_after=timedelta(seconds=ends - now),
            )
        self._windows[address] = (ends, calls + 1)
        while len(self._windows) > self._capacity:
            self._windows.popitem(last=False)
