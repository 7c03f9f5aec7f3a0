"""Turns at a flow: of all processes, one at a time moves it from stage to stage.

A turn is a lease without clocks to agree on. Its holder makes the beat go up; who waits takes over after a turn has
not moved for `LEASE` on their own clock. A holder who could not renew stops itself well before that. So a process that
dies holds a flow up for a quarter of a minute, and one that was frozen finds its work cancelled when it wakes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, Unavailable
from headrace_core.ids import new_id

from headrace_flow_manager.flows.model import Turn
from headrace_flow_manager.flows.store import TurnStore

LEASE = timedelta(seconds=15)
FORGET = 20
"""After how many leases a turn that was seen once is no longer remembered."""


@dataclass(frozen=True, slots=True)
class _Seen:
    turn: Turn
    since: float


class Turns:
    """Hands out turns at flows."""

    def __init__(self, store: TurnStore, clock: Clock, lease: timedelta = LEASE) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease.total_seconds()
        self._seen: dict[str, _Seen] = {}

    @asynccontextmanager
    async def hold(self, flow_id: str, patience: timedelta) -> AsyncIterator[None]:
        """Be alone at the flow inside the block, after waiting for others up to `patience`.

        Raises Unavailable when they take longer, or when the turn was lost: then the block was cancelled.
        """
        until = self._clock.monotonic() + patience.total_seconds()
        while (turn := await self._take(flow_id)) is None:
            if self._clock.monotonic() >= until:
                raise Unavailable(
                    f"Flow {flow_id!r} is being started or stopped. Try again in a moment.",
                    retry_after=timedelta(seconds=1),
                )
            await self._clock.sleep(self._lease / 150)
        async with self._kept(flow_id, *turn):
            yield

    @asynccontextmanager
    async def hold_if_free(self, flow_id: str) -> AsyncIterator[bool]:
        """Be alone at the flow inside the block, if nobody else is at it now: the block is told whether it is."""
        turn = await self._take(flow_id)
        if turn is None:
            yield False
            return
        async with self._kept(flow_id, *turn):
            yield True

    async def _take(self, flow_id: str) -> tuple[str, float] | None:
        """The holder of a new turn and when it began at the latest; None when another's is in the way."""
        holder, began = new_id(), self._clock.monotonic()
        standing = await self._store.take(flow_id, Turn(holder), self._given_up(flow_id))
        if standing is None:
            self._seen.pop(flow_id, None)
            return holder, began
        self._note(flow_id, standing)
        return None

    def _given_up(self, flow_id: str) -> Turn | None:
        seen = self._seen.get(flow_id)
        if seen is None or self._clock.monotonic() - seen.since < self._lease:
            return None
        return seen.turn

    def _note(self, flow_id: str, standing: Turn) -> None:
        now = self._clock.monotonic()
        known = self._seen.get(flow_id)
        if known is None or known.turn != standing:
            oldest = now - FORGET * self._lease
            self._seen = {each: seen for each, seen in self._seen.items() if seen.since > oldest}
            self._seen[flow_id] = _Seen(standing, now)

    @asynccontextmanager
    async def _kept(self, flow_id: str, holder: str, began: float) -> AsyncIterator[None]:
        """Keep the turn renewed while the block runs, and end it then. Cancels the block when the turn is lost."""
        try:
            async with asyncio.timeout(None) as limit:
                keeper = asyncio.create_task(self._keep(flow_id, holder, began, limit))
                try:
                    yield
                finally:
                    keeper.cancel()
                    await asyncio.gather(keeper, return_exceptions=True)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable(f"The turn at flow {flow_id!r} was lost. Try again.", retry_after=timedelta()) from None
        finally:
            with suppress(HeadraceError):  # then it runs out
                await self._store.end(flow_id, holder)

    async def _keep(self, flow_id: str, holder: str, renewed: float, limit: asyncio.Timeout) -> None:
        """Renew the turn until it is lost, or cannot be known to be ours for much longer."""
        is_ours = True
        while is_ours and self._clock.monotonic() - renewed < self._lease * 0.6:
            await self._clock.sleep(self._lease / 5)
            asked = self._clock.monotonic()
            with suppress(HeadraceError):  # the server is away for a moment
                is_ours = await self._store.renew(flow_id, holder)
                renewed = asked
        limit.reschedule(asyncio.get_running_loop().time())
