"""What a component asks of the executor while it is called, as the SDK shows it. The wire is in `clients.py`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol, cast

import orjson
from headrace_core import Json
from headrace_runtime.failures import PermanentError
from headrace_sdk.context import Condition, FileInfo, JsonObject
from headrace_sdk.streaming import PIECE_BYTES, pieces_of

RoomName = Literal["node", "flow", "service", "run"]


class Sent(NamedTuple):
    """A message on its way, in JSON; `scope` and `headers` are empty where it has none."""

    port: str
    content: bytes
    scope: bytes = b""
    headers: bytes = b""


class Ask(Protocol):
    """Asks for one call. Everything raises what the executor answers with, as its own class."""

    async def state(self, room: RoomName, verb: str, key: str, value: Json) -> Json: ...

    async def store(self, verb: str, **arguments: Json) -> Json: ...

    async def task(self, verb: str, **arguments: Json) -> Json: ...

    async def file(
        self,
        verb: str,
        file_id: str = "",
        *,
        filename: str | None = None,
        content_type: str | None = None,
        content: bytes = b"",
        offset: int = 0,
        upload_id: str = "",
    ) -> tuple[Json, bytes]: ...

    async def outputs(self, outputs: Sequence[Sent]) -> None: ...

    async def scope(self) -> Json: ...

    async def listen(self, verb: str, event: str, params: Json) -> Json: ...

    async def trigger(
        self, flow_id: str, node_id: str, content: Json, correlation_id: str, waits: bool, event: str
    ) -> Json: ...

    async def signal(self, content: Json) -> None: ...

    async def api(self, method: str, end_point: str, query: Mapping[str, Json], body: Json) -> Json: ...

    async def call(
        self,
        component_type: str,
        port: str,
        messages: Mapping[str, Json],
        properties: Mapping[str, Json],
        transform: str,
    ) -> Json: ...

    async def set_timeout(self, content: bytes, due: datetime) -> str: ...

    async def clear_timeout(self, timeout_id: str) -> None: ...

    async def acquire_lock(self, name: str, ttl: timedelta, retry_delay: float, retries: int) -> str: ...

    async def extend_lock(self, name: str, handle: str, ttl: timedelta) -> None: ...

    async def release_lock(self, name: str, handle: str) -> None: ...


class HostState:
    """Implements `headrace_sdk.State`."""

    def __init__(self, ask: Ask, room: RoomName) -> None:
        self._ask = ask
        self._room = room

    async def get(self, key: str, default: Json = None) -> Json:
        found = cast("list[Json]", await self._ask.state(self._room, "get", key, None))
        return found[0] if found else default

    async def all(self) -> JsonObject:
        return cast("JsonObject", await self._ask.state(self._room, "all", "", None))

    async def set(self, key: str, value: Json) -> None:
        await self._ask.state(self._room, "set", key, value)

    async def unset(self, key: str) -> None:
        await self._ask.state(self._room, "unset", key, None)

    async def clear(self) -> None:
        await self._ask.state(self._room, "clear", "", None)

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        return cast("int | float", await self._ask.state(self._room, "inc", key, by))

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        return cast("list[Json]", await self._ask.state(self._room, "add", key, value))

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        return cast("list[Json]", await self._ask.state(self._room, "remove", key, value))


class HostStores:
    """Implements `headrace_sdk.Stores`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def list_stores(self) -> list[JsonObject]:
        return cast("list[JsonObject]", await self._ask.store("list_stores"))

    async def create_store(self, name: str) -> JsonObject:
        return cast("JsonObject", await self._ask.store("create_store", name=name))

    async def get(self, store_id: str, key: str) -> JsonObject | None:
        return cast("JsonObject | None", await self._ask.store("get", store_id=store_id, key=key))

    async def set(self, store_id: str, key: str, value: Json) -> JsonObject:
        return cast("JsonObject", await self._ask.store("set", store_id=store_id, key=key, value=value))

    async def remove(self, store_id: str, key: str) -> bool:
        return bool(await self._ask.store("remove", store_id=store_id, key=key))

    async def clear(self, store_id: str) -> int:
        return cast("int", await self._ask.store("clear", store_id=store_id))

    async def find(
        self,
        store_id: str,
        pattern: str | None = None,
        query: Sequence[Condition] | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[JsonObject]:
        asked: list[Json] = [
            {"field": each.field, "operator": each.operator, "value": each.value} for each in query or ()
        ]
        found = await self._ask.store(
            "find", store_id=store_id, pattern=pattern, query=asked, offset=offset, limit=limit
        )
        return cast("list[JsonObject]", found)

    async def listen(self, store_id: str, events: Sequence[str]) -> None:
        await self._ask.store("listen", store_id=store_id, events=list(events))

    async def unlisten(self, store_id: str) -> None:
        await self._ask.store("unlisten", store_id=store_id)


class HostTasks:
    """Implements `headrace_sdk.Tasks`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def create(self, document: Mapping[str, Json]) -> JsonObject:
        return cast("JsonObject", await self._ask.task("create", document=dict(document)))

    async def get(self, task_id: str, secret: str = "") -> JsonObject:
        return cast("JsonObject", await self._ask.task("get", task_id=task_id, secret=secret))

    async def decide(self, task_id: str, secret: str, *, approves: bool) -> JsonObject:
        return cast("JsonObject", await self._ask.task("decide", task_id=task_id, secret=secret, approves=approves))

    async def mail(self, task_id: str, link: str) -> None:
        await self._ask.task("mail", task_id=task_id, link=link)


class HostFiles:
    """Implements `headrace_sdk.Files`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def save(
        self, filename: str, content: bytes | AsyncIterable[bytes], content_type: str | None = None
    ) -> FileInfo:
        if not isinstance(content, AsyncIterable):
            return await self._written("save", "", content, filename, content_type)
        opened, _ = await self._ask.file("open", filename=filename, content_type=content_type)
        upload_id, offset = str(opened), 0
        async for piece in pieces_of(content):
            await self._ask.file("write", upload_id=upload_id, offset=offset, content=piece)
            offset += len(piece)
        return _info((await self._ask.file("finish", upload_id=upload_id))[0])

    async def stream(self, file_id: str) -> AsyncIterator[bytes]:
        offset = 0
        while piece := (await self._ask.file("read", file_id, offset=offset))[1]:
            offset += len(piece)
            yield piece
            if len(piece) < PIECE_BYTES:
                return

    async def replace(
        self, file_id: str, content: bytes, *, filename: str | None = None, content_type: str | None = None
    ) -> FileInfo:
        return await self._written("replace", file_id, content, filename, content_type)

    async def load(self, file_id: str) -> bytes:
        return b"".join([piece async for piece in self.stream(file_id)])

    async def info(self, file_id: str) -> FileInfo:
        return await self._written("info", file_id, b"", None, None)

    async def remove(self, file_id: str) -> None:
        await self._ask.file("remove", file_id)

    async def _written(
        self, verb: str, file_id: str, content: bytes, filename: str | None, content_type: str | None
    ) -> FileInfo:
        answer, _ = await self._ask.file(
            verb, file_id, filename=filename, content_type=content_type, content=bytes(content)
        )
        return _info(answer)


class HostLock:
    """Implements `headrace_sdk.Lock`."""

    def __init__(self, ask: Ask, name: str) -> None:
        self._ask = ask
        self._name = name
        self._handle = ""

    async def acquire(self, ttl: timedelta, retry_delay: float, retries: int) -> None:
        """Wait for the lock. Raises `LockUnavailable`."""
        self._handle = await self._ask.acquire_lock(self._name, ttl, retry_delay, retries)

    async def extend(self, ttl: timedelta) -> None:
        await self._ask.extend_lock(self._name, self._handle, ttl)

    async def release(self) -> None:
        """Give it back."""
        await self._ask.release_lock(self._name, self._handle)


@asynccontextmanager
async def held(ask: Ask, name: str, ttl: timedelta, retry_delay: float, retries: int) -> AsyncIterator[HostLock]:
    """The lock, while the block runs. Raises `LockUnavailable`."""
    lock = HostLock(ask, name)
    await lock.acquire(ttl, retry_delay, retries)
    try:
        yield lock
    finally:
        await lock.release()


def _info(answer: Json) -> FileInfo:
    found = cast("JsonObject", answer)
    return FileInfo(
        file_id=str(found["file_id"]),
        filename=str(found["filename"]),
        size_bytes=cast("int", found["size_bytes"]),
        content_type=str(found["content_type"]),
        sha256=str(found["sha256"]),
    )


def as_json(value: Json, what: str) -> bytes:
    """The value for the wire. Raises `PermanentError` for what is no JSON, which trying again does not mend."""
    try:
        return orjson.dumps(value)
    except (TypeError, RecursionError) as error:
        raise PermanentError(f"Only JSON can be kept or sent, and {what} is none: {error}.") from None
