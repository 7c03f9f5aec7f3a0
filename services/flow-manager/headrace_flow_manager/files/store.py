"""The port to kept files. Every call names the tenant; a file of another tenant is not there."""

from __future__ import annotations

from typing import Protocol

from headrace_flow_manager.files.model import File, Upload
from headrace_flow_manager.query import ListQuery, Page


class Files(Protocol):
    """Uploads under way and finished files."""

    async def open(self, upload: Upload) -> Upload:
        """Begin an upload, or go on with the one of the same file that is unfinished.

        Raises NotFound when the file belongs to another tenant.
        """
        ...

    async def write(self, tenant: str, upload_id: str, offset: int, data: bytes, limit_bytes: int) -> None:
        """Keep bytes at an offset; the same offset again replaces them. Raises NotFound, TooLarge."""
        ...

    async def finish(self, tenant: str, upload_id: str, now: float) -> File:
        """Make the content visible in place of any former one. Raises NotFound, BadRequest when a part is missing."""
        ...

    async def get(self, tenant: str, file_id: str) -> File:
        """What is known of a file. Raises NotFound."""
        ...

    async def read(self, tenant: str, file_id: str, offset: int, length: int) -> bytes:
        """Bytes from an offset; empty past the end. Raises NotFound."""
        ...

    async def page(self, tenant: str, query: ListQuery) -> Page[File]:
        """A page of files, newest first."""
        ...

    async def delete(self, tenant: str, file_id: str) -> None:
        """Take a file away. Raises NotFound."""
        ...

    async def purge(self, opened_before: float, limit: int) -> int:
        """Drop uploads that nobody finishes; says how many."""
        ...
