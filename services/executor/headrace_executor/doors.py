"""The ways out of a step, as components see them: stores, tasks, files, locks. The one to the web is the runtime's."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType

from headrace_core.clock import Clock
from headrace_core.errors import AlreadyExists, HeadraceError, NotFound, TooLarge
from headrace_core.expressions import Json
from headrace_core.ids import derive_id
from headrace_sdk.context import Condition, FileInfo, JsonObject
from headrace_sdk.errors import CancelError, LockUnavailable
from headrace_sdk.streaming import PIECE_BYTES, pieces_of

from headrace_executor import ports


class DoorToStores:
    """Implements `headrace_sdk.Stores`."""

    def __init__(
        self, stores: ports.DataStores, tenant_id: str, flow_id: str, node_id: str, next_id: Callable[[], str]
    ) -> None:
        self._stores = stores
        self._tenant = tenant_id
        self._flow = flow_id
        self._node = node_id
        self._next_id = next_id

    async def list_stores(self) -> list[JsonObject]:
        return await self._stores.list_stores(self._tenant)

    async def create_store(self, name: str) -> JsonObject:
        try:
            return await self._stores.create_store(self._tenant, name)
        except AlreadyExists as error:
            raise CancelError(str(error)) from error

    async def get(self, store_id: str, key: str) -> JsonObject | None:
        return await self._stores.get(self._tenant, store_id, key)

    async def set(self, store_id: str, key: str, value: Json) -> JsonObject:
        try:
            return await self._stores.set(self._tenant, store_id, key, value, self._next_id())
        except NotFound as error:
            raise CancelError(str(error)) from error

    async def remove(self, store_id: str, key: str) -> bool:
        return await self._stores.remove(self._tenant, store_id, key)

    async def clear(self, store_id: str) -> int:
        return await self._stores.clear(self._tenant, store_id)

    async def find(
        self,
        store_id: str,
        pattern: str | None = None,
        query: Sequence[Condition] | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[JsonObject]:
        conditions = [(condition.field, condition.operator, condition.value) for condition in query or ()]
        return await self._stores.find(self._tenant, store_id, pattern or "", conditions, offset, limit)

    async def listen(self, store_id: str, events: Sequence[str]) -> None:
        await self._stores.listen(self._tenant, store_id, self._flow, self._node, events)

    async def unlisten(self, store_id: str) -> None:
        await self._stores.unlisten(self._tenant, store_id, self._flow, self._node)


class DoorToTasks:
    """Implements `headrace_sdk.Tasks`. A repeated step asks for the task of its first try."""

    def __init__(self, tasks: ports.Tasks, tenant_id: str, teller: ports.Teller, next_id: Callable[[], str]) -> None:
        self._tasks = tasks
        self._tenant = tenant_id
        self._teller = teller
        self._next_id = next_id

    async def create(self, document: Mapping[str, Json]) -> JsonObject:
        with _refusals():
            return await self._tasks.create(self._tenant, document, self._teller, self._next_id())

    async def get(self, task_id: str, secret: str = "") -> JsonObject:
        with _refusals():
            return await self._tasks.get(self._tenant, task_id, secret)

    async def decide(self, task_id: str, secret: str, *, approves: bool) -> JsonObject:
        with _refusals():
            return await self._tasks.decide(task_id, secret, approves=approves)

    async def mail(self, task_id: str, link: str) -> None:
        with _refusals():
            await self._tasks.mail(self._tenant, task_id, link)


@contextmanager
def _refusals() -> Iterator[None]:
    """Errors that trying again would not mend are the component's to hear, as `CancelError`s."""
    try:
        yield
    except HeadraceError as error:
        if error.is_temporary:
            raise
        raise CancelError(str(error)) from error


class DoorToFiles:
    """Implements `headrace_sdk.Files`. A repeated step writes the file of its first try."""

    def __init__(self, files: ports.FileStore, tenant_id: str, next_id: Callable[[], str]) -> None:
        self._files = files
        self._tenant = tenant_id
        self._next_id = next_id

    async def save(
        self, filename: str, content: bytes | AsyncIterable[bytes], content_type: str | None = None
    ) -> FileInfo:
        if not isinstance(content, AsyncIterable):
            return _info(await self._files.save(self._tenant, self._new_id(), filename, content, content_type or ""))
        upload_id, offset = await self.open(filename, content_type), 0
        async for piece in pieces_of(content):
            await self.write(upload_id, offset, piece)
            offset += len(piece)
        return await self.finish(upload_id)

    async def open(self, filename: str, content_type: str | None) -> str:
        """Begin a file that comes in pieces."""
        return await self._files.open(self._tenant, self._new_id(), filename, content_type or "")

    async def write(self, upload_id: str, offset: int, piece: bytes) -> None:
        """Add a piece of it."""
        try:
            await self._files.write(self._tenant, upload_id, offset, piece)
        except (NotFound, TooLarge) as error:
            raise CancelError(str(error)) from error

    async def finish(self, upload_id: str) -> FileInfo:
        """All of it is there."""
        try:
            return _info(await self._files.finish(self._tenant, upload_id))
        except (NotFound, TooLarge) as error:
            raise CancelError(str(error)) from error

    async def read(self, file_id: str, offset: int) -> bytes:
        """The next piece of a file."""
        try:
            return await self._files.read(self._tenant, file_id, offset)
        except NotFound as error:
            raise CancelError(str(error)) from error

    async def stream(self, file_id: str) -> AsyncIterator[bytes]:
        offset = 0
        while piece := await self.read(file_id, offset):
            offset += len(piece)
            yield piece
            if len(piece) < PIECE_BYTES:
                return

    def _new_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, derive_id("file", self._next_id())))

    async def replace(
        self, file_id: str, content: bytes, *, filename: str | None = None, content_type: str | None = None
    ) -> FileInfo:
        before = await self.info(file_id)
        kind = content_type or before.content_type
        return _info(await self._files.save(self._tenant, file_id, filename or before.filename, content, kind))

    async def load(self, file_id: str) -> bytes:
        try:
            return await self._files.load(self._tenant, file_id)
        except NotFound as error:
            raise CancelError(str(error)) from error

    async def info(self, file_id: str) -> FileInfo:
        try:
            return _info(await self._files.info(self._tenant, file_id))
        except NotFound as error:
            raise CancelError(str(error)) from error

    async def remove(self, file_id: str) -> None:
        try:
            await self._files.remove(self._tenant, file_id)
        except NotFound as error:
            raise CancelError(str(error)) from error


class HeldLock:
    """Implements `headrace_sdk.Lock` as an async context manager."""

    def __init__(
        self,
        schedules: ports.Schedules,
        clock: Clock,
        name: str,
        holder: str,
        ttl: timedelta,
        retry_delay: float,
        retries: int,
    ) -> None:
        self._schedules = schedules
        self._clock = clock
        self._name = name
        self._holder = holder
        self._ttl = ttl
        self._retry_delay = retry_delay
        self._retries = retries

    async def __aenter__(self) -> HeldLock:
        for attempt in range(self._retries + 1):
            lease = await self._schedules.acquire_lock(self._name, self._holder, self._ttl)
            if lease.acquired:
                return self
            if attempt < self._retries:
                await self._clock.sleep(self._retry_delay)
        raise LockUnavailable(self._name.rpartition("/")[2])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._schedules.release_lock(self._name, self._holder)

    async def extend(self, ttl: timedelta) -> None:
        try:
            await self._schedules.extend_lock(self._name, self._holder, ttl)
        except HeadraceError as error:
            raise LockUnavailable(self._name.rpartition("/")[2]) from error


def _info(file: ports.StoredFile) -> FileInfo:
    return FileInfo(file.file_id, file.filename, file.size_bytes, file.content_type, file.sha256)
