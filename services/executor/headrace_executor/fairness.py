"""Runs that wait for a worker: tenants take turns, and none takes all of the room or all of the workers.

How much a tenant may have grows with what is free: eight times as much as nobody has (a dynamic threshold, as Choudhury
and Hahne gave it to switches in 1998). One that is alone gets eight ninths, of two that want all each gets eight
seventeenths, and whoever comes then finds something free. Nothing has to be configured.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from headrace_core.clock import Clock

from headrace_executor.model import Loaded

TIMES_WHAT_IS_FREE: Final = 8


class FairQueue:
    """A queue with turns for one event loop. Putting never waits: who puts asks for room before."""

    def __init__(self, room: int, workers: int, clock: Clock, *, has_turns: bool = True) -> None:
        self._has_turns = has_turns
        self._room = room
        self._workers = workers
        self._clock = clock
        self._queued: dict[str, deque[tuple[float, Loaded]]] = {}
        self._turns: deque[str] = deque()  # tenants that have something queued; the first is next
        self._count = 0
        self._busy: Counter[str] = Counter()
        self._busy_count = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """How many runs wait for a worker."""
        return self._count

    @property
    def longest(self) -> float:
        """For how many seconds the run has waited that has waited longest; 0 when none waits."""
        since = (queued[0][0] for queued in self._queued.values())
        return self._clock.monotonic() - min(since) if self._queued else 0.0

    @property
    def left(self) -> int:
        """How many more runs there is room for, whoever they are of."""
        return max(0, self._room - self._count)

    def has_room(self, tenant_id: str) -> bool:
        """Whether this tenant may have one more run here."""
        return len(self._queued.get(self._party(tenant_id), ())) < TIMES_WHAT_IS_FREE * self.left

    def full(self) -> Sequence[str]:
        """The tenants that have as many runs here as they may."""
        return [tenant for tenant in self._queued if not self.has_room(tenant)]

    def put(self, loaded: Loaded) -> None:
        """Let a run wait for a worker."""
        tenant = self._party(loaded.run.tenant_id)
        queued = self._queued.get(tenant)
        if queued is None:
            queued = self._queued[tenant] = deque()
            self._turns.append(tenant)
        queued.append((self._clock.monotonic(), loaded))
        self._count += 1
        self._idle.clear()
        self._wake()

    async def get(self) -> Loaded:
        """The run whose turn it is, once there is one. The worker that takes it says `done` when it has."""
        while (loaded := self._next()) is None:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            try:
                await waiting
            except BaseException:
                if waiting.done() and not waiting.cancelled():
                    self._wake()  # it was meant for a worker that goes on
                elif waiting in self._waiting:
                    self._waiting.remove(waiting)
                raise
        if self._count:
            self._wake()
        return loaded

    def done(self, loaded: Loaded) -> None:
        """A worker has nothing more to do with this run."""
        tenant = self._party(loaded.run.tenant_id)
        self._busy_count -= 1
        self._busy[tenant] -= 1
        if not self._busy[tenant]:
            del self._busy[tenant]
        if self._count:
            self._wake()
        elif not self._busy_count:
            self._idle.set()

    async def join(self) -> None:
        """Return when nothing waits and no worker has anything to do."""
        await self._idle.wait()

    def _party(self, tenant_id: str) -> str:
        return tenant_id if self._has_turns else ""

    def _next(self) -> Loaded | None:
        free = self._workers - self._busy_count
        for _ in range(len(self._turns)):
            tenant = self._turns[0]
            self._turns.rotate(-1)
            if self._busy[tenant] >= TIMES_WHAT_IS_FREE * free:
                continue
            queued = self._queued[tenant]
            _, loaded = queued.popleft()
            if not queued:
                del self._queued[tenant]
                self._turns.pop()  # by now it is the last
            self._count -= 1
            self._busy[tenant] += 1
            self._busy_count += 1
            return loaded
        return None

    def _wake(self) -> None:
        """Let one worker look; it wakes the next when it has found something and more is there."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
