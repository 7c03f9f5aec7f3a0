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

    async def delete(self, name: str) -> None:
        """Take the document away. Doing it again changes nothing."""
        ...
