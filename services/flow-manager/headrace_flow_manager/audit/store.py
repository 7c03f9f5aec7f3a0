"""Where the trail is kept."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from headrace_core import Json

from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.query import ListQuery, Page


class AuditStore(Protocol):
    """Acts by id. There is no way to change or take away what is on record."""

    async def begin(self, act: Act) -> None:
        """Put an act on record. One whose id is there already stays as it is."""
        ...

    async def end(self, act_id: str, status: int, after: Json, now: datetime) -> None:
        """Add how it ended. Raises NotFound; one that has ended stays as it ended."""
        ...

    async def get(self, act_id: str) -> Act:
        """The act. Raises NotFound."""
        ...

    def walk(self, query: ListQuery) -> AsyncIterator[Sequence[Act]]:
        """All that the query finds, newest first, each once, some at a time; its order and page are not looked at.

        Acts that are begun meanwhile are not among them.
        """
        ...

    async def page(self, query: ListQuery) -> Page[Act]:
        """A page, newest first where the query names no order. Fields are those of `model.public`."""
        ...
