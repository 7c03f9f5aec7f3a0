"""The origins of each vendor, asked for again after five seconds."""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from headrace_core import errors
from headrace_core.clock import Clock

_MEMORY_SECONDS = 5.0

logger = logging.getLogger(__name__)


class VendorOrigins:
    """Knows which origins are listed for whom. Without an answer no origin is."""

    def __init__(self, ask: Callable[[], Awaitable[Mapping[str, Collection[str]]]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._known: Mapping[str, frozenset[bytes]] = {}
        self._until = 0.0

    async def of(self, vendors: Iterable[str]) -> frozenset[bytes]:
        """The origins that one of these vendors lists."""
        known = await self._fresh()
        return frozenset[bytes]().union(*(known.get(vendor, ()) for vendor in vendors))

    async def of_any(self) -> frozenset[bytes]:
        """The origins that any vendor lists."""
        return frozenset[bytes]().union(*(await self._fresh()).values())

    def forget(self) -> None:
        """Ask again the next time."""
        self._until = 0.0

    async def _fresh(self) -> Mapping[str, frozenset[bytes]]:
        now = self._clock.monotonic()
        if now >= self._until:
            try:
                listed = await self._ask()
            except errors.HeadraceError as error:
                logger.warning("The origins of vendors cannot be told: %s", error)
                return {}
            self._known = {vendor: frozenset(map(str.encode, origins)) for vendor, origins in listed.items()}
            self._until = now + _MEMORY_SECONDS
        return self._known
