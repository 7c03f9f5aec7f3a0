"""What can be done with the trail."""

from collections.abc import AsyncIterator, Sequence

from headrace_core import Json
from headrace_core.clock import Clock

from headrace_flow_manager.audit import model
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.audit.store import AuditStore
from headrace_flow_manager.query import ListQuery, Page


class AuditService:
    """Keeps what administrators did: each act before it is done, and its end when that is known."""

    def __init__(self, store: AuditStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def begin(self, act: Act) -> None:
        """Put an act on record. Raises ValidationFailed and TooLarge; doing it again changes nothing."""
        model.check(act)
        await self._store.begin(act)

    async def end(self, act_id: str, status: int, after: Json) -> None:
        """Add how it ended. Raises NotFound and TooLarge; only the first end counts."""
        model.check_size(after)
        await self._store.end(act_id, status, after, self._clock.now())

    async def get(self, act_id: str) -> Act:
        """The act. Raises NotFound."""
        return await self._store.get(act_id)

    def walk(self, query: ListQuery) -> AsyncIterator[Sequence[Act]]:
        """All of the trail that the query finds, newest first, some at a time. Raises ValidationFailed."""
        return self._store.walk(query)

    async def page(self, query: ListQuery) -> Page[Act]:
        """A page of the trail."""
        return await self._store.page(query)
