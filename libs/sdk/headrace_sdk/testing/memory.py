"""State, stores and files kept in memory, with the promises that `headrace_sdk.context` makes."""

from __future__ import annotations

import copy
import hashlib
import mimetypes
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import re2
from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.ids import derive_id

from headrace_sdk.context import Condition, FileInfo, JsonObject
from headrace_sdk.errors import CancelError

STREAM_BYTES = 1024 * 1024


@dataclass(slots=True)
class StateRoom:
    """What is durable in one state, and the results of atomic verbs by step, so that a repeat finds them."""

    values: JsonObject = field(default_factory=dict)
    results: dict[tuple[str, int], Json] = field(default_factory=dict)


class StepState:
    """One step's view of a state: plain writes are kept back until `commit`, atomic verbs go through at once."""

    def __init__(self, room: StateRoom, step_id: str) -> None:
        self._room = room
        self._step_id = step_id
        self._atomic_calls = 0
        self._cleared = False
        self._written: JsonObject = {}
        self._removed: set[str] = set()

    async def get(self, key: str, default: Json = None) -> Json:
        return copy.deepcopy(self._seen().get(key, default))

    async def all(self) -> JsonObject:
        return copy.deepcopy(self._seen())

    async def set(self, key: str, value: Json) -> None:
        self._removed.discard(key)
        self._written[key] = copy.deepcopy(value)

    async def unset(self, key: str) -> None:
        self._written.pop(key, None)
        self._removed.add(key)

    async def clear(self) -> None:
        self._cleared = True
        self._written.clear()
        self._removed.clear()

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        def add(found: Json) -> Json:
            if not isinstance(found, (int, float, type(None))):
                raise CancelError(f"The state {key!r} holds no number: unset it before counting.")
            return (found or 0) + by

        return cast("int | float", self._at_once(key, add))  # add gives nothing else

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        def add(found: Json) -> Json:
            values = _listed(key, found)
            return values if value in values else [*values, copy.deepcopy(value)]

        return cast("list[Json]", self._at_once(key, add))  # add gives nothing else

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        def remove(found: Json) -> Json:
            return [each for each in _listed(key, found) if each != value]

        return cast("list[Json]", self._at_once(key, remove))  # remove gives nothing else

    def commit(self) -> None:
        """Make the plain writes durable."""
        self._room.values = self._seen()

    def _seen(self) -> JsonObject:
        before = {} if self._cleared else self._room.values
        kept = {key: value for key, value in before.items() if key not in self._removed}
        return {**kept, **self._written}

    def _at_once(self, key: str, change: Callable[[Json], Json]) -> Json:
        call = (self._step_id, self._atomic_calls)
        self._atomic_calls += 1
        if call not in self._room.results:
            result = change(self._seen().get(key))
            self._room.values[key] = result
            self._written.pop(key, None)
            self._removed.discard(key)
            self._room.results[call] = copy.deepcopy(result)
        return copy.deepcopy(self._room.results[call])


def _listed(key: str, found: Json) -> list[Json]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise CancelError(f"The state {key!r} holds no list: unset it before adding to it.")
    return found


class MemoryStores:
    """Data stores as dictionaries. `events` are the listeners by store id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.names: dict[str, str] = {}
        self.records: dict[str, dict[str, JsonObject]] = {}
        self.listeners: dict[str, list[str]] = {}

    async def list_stores(self) -> list[JsonObject]:
        by_name = sorted(self.names.items(), key=lambda each: each[1])
        return [{"storeId": store_id, "name": name} for store_id, name in by_name]

    async def create_store(self, name: str) -> JsonObject:
        if name in self.names.values():
            raise CancelError(f"There is a store {name!r} already: choose another name.")
        store_id = derive_id("store", name)[:24]
        self.names[store_id] = name
        self.records[store_id] = {}
        return {"storeId": store_id, "name": name}

    async def get(self, store_id: str, key: str) -> JsonObject | None:
        return copy.deepcopy(self._store(store_id).get(key))

    async def set(self, store_id: str, key: str, value: Json) -> JsonObject:
        store = self._store(store_id)
        now = self._clock.now().isoformat()
        former = store.get(key)
        record: JsonObject = {
            "key": key,
            "value": copy.deepcopy(value),
            "createdAt": former["createdAt"] if former else now,
            "updatedAt": now,
            "storeId": store_id,
        }
        store[key] = record
        answer = copy.deepcopy(record)
        return {**answer, "oldValue": former["value"]} if former else answer

    async def remove(self, store_id: str, key: str) -> bool:
        return self._store(store_id).pop(key, None) is not None

    async def clear(self, store_id: str) -> int:
        store = self._store(store_id)
        count = len(store)
        store.clear()
        return count

    async def find(
        self,
        store_id: str,
        pattern: str | None = None,
        query: Sequence[Condition] | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[JsonObject]:
        wanted = (pattern or "").lower()
        found = [
            record
            for key, record in sorted(self._store(store_id).items())
            if wanted in key.lower() and all(_holds(each, record) for each in query or ())
        ]
        return copy.deepcopy(found[offset : offset + limit])

    async def listen(self, store_id: str, events: Sequence[str]) -> None:
        self._store(store_id)
        self.listeners[store_id] = list(events)

    async def unlisten(self, store_id: str) -> None:
        self.listeners.pop(store_id, None)

    def _store(self, store_id: str) -> dict[str, JsonObject]:
        if store_id not in self.records:
            raise CancelError(f"There is no store {store_id!r}.")
        return self.records[store_id]


def _holds(condition: Condition, record: JsonObject) -> bool:
    found: Json = record
    for name in condition.field.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    wanted = condition.value
    match condition.operator:
        case "equal":
            return found == wanted or (isinstance(found, list) and wanted in found)
        case "not_equal":
            return found != wanted
        case "match":
            return found is not None and bool(re2.search(str(wanted), str(found)))
        case "greater":
            return _is_less(wanted, found)
        case "less":
            return _is_less(found, wanted)
        case "empty":
            return found is None or found in ("", [], {})


def _is_less(one: Json, other: Json) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one < other
    return isinstance(one, str) and isinstance(other, str) and one < other


class MemoryFiles:
    """Files as bytes. `contents` and `infos` are by file id."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.infos: dict[str, FileInfo] = {}

    async def save(
        self, filename: str, content: bytes | AsyncIterable[bytes], content_type: str | None = None
    ) -> FileInfo:
        if isinstance(content, AsyncIterable):
            content = b"".join([piece async for piece in content])
        return self._keep(derive_id("file", filename, len(self.infos)), filename, content, content_type)

    async def replace(
        self, file_id: str, content: bytes, *, filename: str | None = None, content_type: str | None = None
    ) -> FileInfo:
        former = self._known(file_id)
        kept_type = None if filename else former.content_type
        return self._keep(file_id, filename or former.filename, content, content_type or kept_type)

    async def load(self, file_id: str) -> bytes:
        self._known(file_id)
        return self.contents[file_id]

    async def stream(self, file_id: str) -> AsyncIterator[bytes]:
        content = await self.load(file_id)
        for start in range(0, len(content), STREAM_BYTES):
            yield content[start : start + STREAM_BYTES]

    async def info(self, file_id: str) -> FileInfo:
        return self._known(file_id)

    async def remove(self, file_id: str) -> None:
        self._known(file_id)
        del self.contents[file_id], self.infos[file_id]

    def _known(self, file_id: str) -> FileInfo:
        if file_id not in self.infos:
            raise CancelError(f"There is no file {file_id!r}.")
        return self.infos[file_id]

    def _keep(self, file_id: str, filename: str, content: bytes, content_type: str | None) -> FileInfo:
        guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        info = FileInfo(
            file_id=file_id,
            filename=filename,
            size_bytes=len(content),
            content_type=content_type or guessed,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        self.contents[file_id] = bytes(content)
        self.infos[file_id] = info
        return info
