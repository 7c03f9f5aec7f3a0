"""Where files are kept."""

from datetime import datetime
from typing import Protocol

from headrace_flow_manager.files.model import Description, Digest, File, Upload
from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.scope import Tenants


class FileStore(Protocol):
    """Files of one tenant at a time, in chunks. Ids are unique per tenant."""

    async def open(self, tenant: str, upload_id: str, file_id: str, description: Description, now: datetime) -> str:
        """Begin an upload, or go on with the unfinished one of this file; the upload's id.

        The first chunk after this begins the content anew where it is at offset 0, so that a step that died on the
        way leaves nothing of its first try behind.
        """
        ...

    async def write(self, tenant: str, upload_id: str, offset: int, data: bytes, max_bytes: int) -> None:
        """Keep the bytes at the offset in place of what was written at it before.

        Raises NotFound for an upload that is not under way, TooLarge when there would be more than `max_bytes` or
        too many chunks.
        """
        ...

    async def upload(self, tenant: str, upload_id: str) -> Upload:
        """The upload. Raises NotFound when it is not under way."""
        ...

    async def finished(self, tenant: str, upload_id: str) -> File | None:
        """The file whose content this upload brought, if it is still the present one."""
        ...

    async def digest(self, tenant: str, upload_id: str) -> Digest:
        """Add the chunks up. Raises NotFound, and Conflict when they leave a gap or overlap."""
        ...

    async def finish(self, tenant: str, upload_id: str, digest: Digest, now: datetime) -> File:
        """Make the content visible in place of the former.

        Raises RevisionConflict when chunks came after the digest was taken, NotFound when it is not under way.
        """
        ...

    async def get(self, tenants: Tenants, file_id: str) -> File:
        """The file. Raises NotFound."""
        ...

    async def read(self, tenants: Tenants, file_id: str, offset: int, length: int) -> bytes:
        """The bytes from the offset, at most so many; none past the end. Raises NotFound."""
        ...

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[File]:
        """A page of files, oldest first where the query names no order. Fields are those of the public record."""
        ...

    async def delete(self, tenant: str, file_id: str) -> None:
        """Take away the file, its content and unfinished uploads of it. Raises NotFound."""
        ...

    async def prune(self, before: datetime) -> None:
        """Take away uploads that were last opened before this time."""
        ...
