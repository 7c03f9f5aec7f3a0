"""Stores, files and locks for an executor of a test: the SDK's own, behind the ports that other services keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from headrace_core.clock import TestClock
from headrace_core.errors import AlreadyExists, NotFound
from headrace_core.expressions import Json
from headrace_executor.ports import Lease, StoredFile, Teller
from headrace_sdk.context import Condition, FileInfo
from headrace_sdk.errors import CancelError
from headrace_sdk.streaming import PIECE_BYTES
from headrace_sdk.testing.memory import MemoryFiles, MemoryStores
from headrace_sdk.testing.tasks import MemoryTasks, NodeTasks

from .platform import NotedTimers

Record = dict[str, Json]


class MemoryTaskService:
    """Keeps `ports.Tasks` for one tenant."""

    def __init__(self) -> None:
        self.tasks = MemoryTasks()

    async def create(self, tenant_id: str, document: Mapping[str, Json], teller: Teller, request_id: str) -> Record:
        return await NodeTasks(self.tasks, request_id).create(document)

    async def get(self, tenant_id: str, task_id: str, secret: str) -> Record:
        return await self._all.get(task_id, secret)

    async def decide(self, task_id: str, secret: str, *, approves: bool) -> Record:
        return await self._all.decide(task_id, secret, approves=approves)

    async def mail(self, tenant_id: str, task_id: str, link: str) -> None:
        await self._all.mail(task_id, link)

    @property
    def _all(self) -> NodeTasks:
        return NodeTasks(self.tasks, "")


class MemoryStoreService:
    """Keeps `ports.DataStores` for one tenant."""

    def __init__(self) -> None:
        self.stores = MemoryStores(TestClock())

    async def list_stores(self, tenant_id: str) -> list[Record]:
        return await self.stores.list_stores()

    async def create_store(self, tenant_id: str, name: str) -> Record:
        try:
            return await self.stores.create_store(name)
        except CancelError:
            raise AlreadyExists(f"There is a store {name}.") from None

    async def delete_store(self, tenant_id: str, store_id: str) -> None:
        if self.stores.names.pop(store_id, None) is None:
            raise NotFound("store", store_id)
        del self.stores.records[store_id]

    async def get(self, tenant_id: str, store_id: str, key: str) -> Record | None:
        return await self.stores.get(store_id, key) if store_id in self.stores.records else None

    async def set(self, tenant_id: str, store_id: str, key: str, value: Json, request_id: str) -> Record:
        return await self.stores.set(store_id, key, value)

    async def remove(self, tenant_id: str, store_id: str, key: str) -> bool:
        return await self.stores.remove(store_id, key)

    async def clear(self, tenant_id: str, store_id: str) -> int:
        return await self.stores.clear(store_id)

    async def find(
        self,
        tenant_id: str,
        store_id: str,
        pattern: str,
        conditions: Sequence[tuple[str, str, Json]],
        offset: int,
        limit: int,
    ) -> list[Record]:
        query = [Condition(field, operator, value) for field, operator, value in conditions]  # type: ignore[arg-type]
        return await self.stores.find(store_id, pattern, query, offset, limit)

    async def listen(self, tenant_id: str, store_id: str, flow_id: str, node_id: str, events: Sequence[str]) -> None:
        await self.stores.listen(store_id, events)

    async def unlisten(self, tenant_id: str, store_id: str, flow_id: str, node_id: str) -> None:
        await self.stores.unlisten(store_id)


class MemoryFileStore:
    """Keeps `ports.FileStore` for one tenant."""

    def __init__(self) -> None:
        self.files = MemoryFiles()
        self._ids: dict[str, str] = {}
        self.uploads: dict[str, tuple[str, str, bytearray]] = {}

    async def save(self, tenant_id: str, file_id: str, filename: str, content: bytes, content_type: str) -> StoredFile:
        if file_id in self._ids:
            info = await self.files.replace(
                self._ids[file_id], content, filename=filename, content_type=content_type or None
            )
        else:
            info = await self.files.save(filename, content, content_type or None)
            self._ids[file_id] = info.file_id
        return _stored(file_id, info)

    async def load(self, tenant_id: str, file_id: str) -> bytes:
        return await self.files.load(self._known(file_id))

    async def read(self, tenant_id: str, file_id: str, offset: int) -> bytes:
        return (await self.load(tenant_id, file_id))[offset : offset + PIECE_BYTES]

    async def open(self, tenant_id: str, file_id: str, filename: str, content_type: str) -> str:
        self.uploads[file_id] = (filename, content_type, bytearray())
        return file_id

    async def write(self, tenant_id: str, upload_id: str, offset: int, piece: bytes) -> None:
        assert len(piece) <= PIECE_BYTES
        self.uploads[upload_id][2][offset : offset + len(piece)] = piece

    async def finish(self, tenant_id: str, upload_id: str) -> StoredFile:
        filename, content_type, content = self.uploads.pop(upload_id)
        return await self.save(tenant_id, upload_id, filename, bytes(content), content_type)

    async def info(self, tenant_id: str, file_id: str) -> StoredFile:
        return _stored(file_id, await self.files.info(self._known(file_id)))

    async def remove(self, tenant_id: str, file_id: str) -> None:
        await self.files.remove(self._known(file_id))

    def _known(self, file_id: str) -> str:
        if file_id not in self._ids:
            raise NotFound("file", file_id)
        return self._ids[file_id]


class MemoryLocks(NotedTimers):
    """Keeps `ports.Schedules` with locks: each has one holder."""

    def __init__(self) -> None:
        super().__init__()
        self.holders: dict[str, str] = {}
        self.released: list[str] = []

    async def acquire_lock(self, name: str, holder: str, ttl: timedelta) -> Lease:
        is_mine = self.holders.setdefault(name, holder) == holder
        return Lease(is_mine, 1, datetime.now(UTC) + ttl)

    async def extend_lock(self, name: str, holder: str, ttl: timedelta) -> None:
        if self.holders.get(name) != holder:
            raise NotFound("lock", name)

    async def release_lock(self, name: str, holder: str) -> None:
        if self.holders.get(name) == holder:
            del self.holders[name]
            self.released.append(name)


def _stored(file_id: str, info: FileInfo) -> StoredFile:
    return StoredFile(file_id, info.filename, info.size_bytes, info.content_type, info.sha256)
