"""The port to documents of the whole installation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from headrace_core import Json


class Documents(Protocol):
    """JSON objects by name; they belong to the installation, not to a tenant."""

    async def get(self, name: str) -> dict[str, Json] | None:
        """The document, None when there is none."""
        ...

    async def put(self, name: str, document: Mapping[str, Json]) -> None:
        """Replace it."""
        ...

    async def delete(self, name: str) -> None:
        """Take it away. Again changes nothing."""
        ...
