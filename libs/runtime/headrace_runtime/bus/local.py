"""The bus of one process."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from headrace_runtime.metrics import Metrics

GROUP_CAPACITY = 10_000
BATCH = 500


class LocalBus:
    """A `headrace_core.ports.Bus` within one event loop.

    Each group keeps at most `capacity` payloads; `dropped` counts those that had to go.
    """

    def __init__(self, *, capacity: int = GROUP_CAPACITY) -> None:
        if capacity < 1:
            raise ValueError("A bus keeps at least one payload for each group.")
        self._capacity = capacity
        self._groups: dict[str, dict[str, _Group]] = {}
        self.dropped = 0

    def count_in(self, metrics: Metrics) -> None:
        """Show among these metrics what was lost."""
        metrics.follow("headrace_bus_dropped_total", "Messages that a group had no room for.", lambda: self.dropped)

    async def publish(self, topic: str, payloads: Sequence[bytes]) -> None:
        for group in self._groups.get(topic, {}).values():
            self.dropped += group.add(payloads)

    @asynccontextmanager
    async def subscribe(self, topic: str, *, group: str) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        groups = self._groups.setdefault(topic, {})
        joined = groups.setdefault(group, _Group(self._capacity))
        joined.members += 1
        try:
            yield joined.batches()
        finally:
            joined.members -= 1
            self._forget_empty(topic, group)

    def _forget_empty(self, topic: str, group: str) -> None:
        groups = self._groups[topic]
        if not groups[group].members:
            del groups[group]
        if not groups:
            del self._groups[topic]


class _Group:
    """What one group has not read yet."""

    def __init__(self, capacity: int) -> None:
        self._waiting: deque[bytes] = deque(maxlen=capacity)
        self._capacity = capacity
        self._has_some = asyncio.Event()
        self.members = 0

    def add(self, payloads: Sequence[bytes]) -> int:
        """Keep the payloads; answer how many had to go for them."""
        dropped = max(0, len(self._waiting) + len(payloads) - self._capacity)
        self._waiting.extend(payloads)
        if self._waiting:
            self._has_some.set()
        return dropped

    async def batches(self) -> AsyncIterator[list[bytes]]:
        while True:
            while not self._waiting:
                self._has_some.clear()
                await self._has_some.wait()
            yield [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
