"""Where installation-wide documents are kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from headrace_core import Json


class DocumentStore(Protocol):
    """Documents by name. They belong to the installation, not to a tenant; `actor` is who changed one."""

    async def get(self, name: str) -> Mapping[str, Json] | None:
        """The document, or None when there is none of that name."""
        ...

    async def put(self, actor: str, name: str, document: Mapping[str, Json], now: datetime) -> None:
        """Keep the document in place of the former."""
        ...

    async def replace(
        self, before: Mapping[str, Json] | None, actor: str, name: str, document: Mapping[str, Json], now: datetime
    ) -> bool:
        """Keep the document in place of `before`, or as the first where that is None.

        False, and nothing is kept, when something else is there by now.
        """
        ...

    async def delete(self, name: str) -> None:
        """Take the document away. Doing it again changes nothing."""
        ...

    async def remove(self, before: Mapping[str, Json], name: str) -> bool:
        """Take the document away. False, and it stays, when something else is there by now."""
        ...
