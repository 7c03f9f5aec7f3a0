"""What can be done with files."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, NotFound, RevisionConflict, TooLarge
from headrace_core.ids import new_id

from headrace_flow_manager.files import model
from headrace_flow_manager.files.model import File
from headrace_flow_manager.files.store import FileStore
from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.scope import Tenants

AT_ONCE = 100
_FINISH_ATTEMPTS = 3


class FileService:
    """Keeps files in chunks."""

    def __init__(self, store: FileStore, clock: Clock, max_file_bytes: int, upload_lifetime: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._max_file_bytes = max_file_bytes
        self._upload_lifetime = upload_lifetime

    async def open(
        self, tenant: str, file_id: str, filename: str, content_type: str, metadata: Mapping[str, Json]
    ) -> tuple[str, str]:
        """Begin a file, or its next content where the id exists; the ids of file and upload."""
        file_id = model.check_file_id(file_id or new_id())
        description = model.describe(filename, content_type, metadata)
        return file_id, await self._store.open(tenant, new_id(), file_id, description, self._clock.now())

    async def write(self, tenant: str, upload_id: str, offset: int, data: bytes) -> None:
        """Add bytes at an offset. Raises TooLarge over the limit of a chunk or a file, NotFound."""
        if len(data) > model.MAX_CHUNK_BYTES:
            raise TooLarge(f"A chunk has at most {model.MAX_CHUNK_BYTES} bytes, and this has {len(data)}.")
        if offset < 0 or not data:
            raise BadRequest("A chunk has at least one byte and begins at offset 0 or later.")
        if offset + len(data) > self._max_file_bytes:
            raise TooLarge(f"A file has at most {self._max_file_bytes} bytes.")
        await self._store.write(tenant, upload_id, offset, data, self._max_file_bytes)

    async def finish(self, tenant: str, upload_id: str) -> File:
        """Make the content visible. Finishing again answers the same while that content is the present one."""
        for _ in range(_FINISH_ATTEMPTS):
            finished = await self._store.finished(tenant, upload_id)
            if finished is not None:
                return finished
            try:
                digest = await self._store.digest(tenant, upload_id)
                return await self._store.finish(tenant, upload_id, digest, self._clock.now())
            except RevisionConflict:
                continue
        raise RevisionConflict("Chunks of this upload keep coming in. Finish it when all are written.")

    async def get(self, tenants: Tenants, file_id: str) -> File:
        """The file. Raises NotFound."""
        return await self._store.get(tenants, file_id)

    async def read(self, tenants: Tenants, file_id: str, offset: int, length: int) -> bytes:
        """Bytes from an offset, up to 1 MiB a call; none past the end. Raises NotFound."""
        if offset < 0 or not 0 <= length <= model.MAX_CHUNK_BYTES:
            raise BadRequest(f"A range begins at 0 or later and has at most {model.MAX_CHUNK_BYTES} bytes.")
        return await self._store.read(tenants, file_id, offset, length or model.MAX_CHUNK_BYTES)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[File]:
        """A page of files."""
        return await self._store.page(tenants, query)

    async def delete(self, tenant: str, file_id: str) -> None:
        """Remove a file. Raises NotFound."""
        await self._store.delete(tenant, file_id)

    async def delete_found(self, tenant: str, query: ListQuery) -> tuple[int, int]:
        """Remove up to 100 of the files that the query finds; how many, and how many it still finds.

        Raises BadRequest for a query that finds everything.
        """
        if not query.conditions and not query.pattern:
            raise BadRequest("No filter says which files. Give one: all files are never removed by saying nothing.")
        page = await self._store.page(tenant, replace(query, sort=(), offset=0, limit=AT_ONCE))
        deleted = 0
        for file in page.items:
            with suppress(NotFound):  # somebody else removed it
                await self._store.delete(tenant, file.file_id)
                deleted += 1
        return deleted, page.total - len(page.items)

    async def prune(self) -> bool:
        """Take away uploads that nobody finishes."""
        await self._store.prune(self._clock.now() - self._upload_lifetime)
        return False
