"""State that components keep: in the store across runs, in the journal within one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Literal, cast

import orjson
from headrace_core.errors import HeadraceError
from headrace_core.expressions import Json
from headrace_sdk.context import JsonObject
from headrace_sdk.errors import CancelError

from headrace_executor.memory import Operation, apply
from headrace_executor.model import Run, StateChange, StateVerb
from headrace_executor.store import StateStore

MAX_VALUE_BYTES = 1024 * 1024


class KeptState:
    """Implements `headrace_sdk.State` over the store.

    Plain writes are gathered and become durable with the step's commit; verbs that answer are carried out at once,
    in one write with what was gathered for the same scope, under an id that a repeated step draws again. Both count
    only while the run is this executor's: verbs raise Fenced otherwise.
    """

    def __init__(
        self,
        store: StateStore,
        scope: str,
        run: Run,
        next_id: Callable[[], str],
        changes: list[StateChange],
    ) -> None:
        self._store = store
        self._scope = scope
        self._run = run
        self._next_id = next_id
        self._changes = changes
        self._seen: JsonObject | None = None

    async def get(self, key: str, default: Json = None) -> Json:
        return (await self._values()).get(key, default)

    async def all(self) -> JsonObject:
        return copy.deepcopy(await self._values())

    async def set(self, key: str, value: Json) -> None:
        packed = orjson.dumps(value)
        if len(packed) > MAX_VALUE_BYTES:
            raise CancelError(f"The state under {key!r} would have {len(packed):,} bytes: {MAX_VALUE_BYTES:,} fit.")
        (await self._values())[key] = value
        self._changes.append(StateChange(self._scope, "set", key, packed))

    async def unset(self, key: str) -> None:
        (await self._values()).pop(key, None)
        self._changes.append(StateChange(self._scope, "unset", key))

    async def clear(self) -> None:
        self._seen = {}
        self._changes.append(StateChange(self._scope, "clear"))

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        return cast("int | float", await self._apply("inc", key, by))

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        return cast("list[Json]", await self._apply("add", key, value))

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        return cast("list[Json]", await self._apply("remove", key, value))

    async def _values(self) -> JsonObject:
        if self._seen is None:
            self._seen = await self._store.read_state(self._scope)
        return self._seen

    async def _apply(self, verb: Literal["inc", "add", "remove"], key: str, value: Json) -> Json:
        change_id = f"{self._next_id()}.{verb}.{key}"
        mine = tuple(change for change in self._changes if change.scope == self._scope)
        self._changes[:] = [change for change in self._changes if change.scope != self._scope]
        asked = StateVerb(change_id, self._run.run_id, self._run.epoch, self._scope, verb, key, value, mine)
        try:
            result = await self._store.apply_now(asked)
        except HeadraceError:
            self._changes[:0] = mine  # nothing of it was written
            raise
        if self._seen is not None:
            self._seen[key] = result
        return result


class RunMemory:
    """Implements `headrace_sdk.State` within one run: it lives in the run's memory and rides with its records.

    Plain writes are gathered for the step's record, verbs that answer are carried out and recorded at once.
    """

    def __init__(
        self,
        values: Callable[[], Mapping[str, Json]],
        ask: Callable[[str, Operation], Json],
        next_id: Callable[[], str],
    ) -> None:
        self._values = values
        self._ask = ask
        self._next_id = next_id
        self.changes: list[Operation] = []

    async def get(self, key: str, default: Json = None) -> Json:
        return self._seen().get(key, default)

    async def all(self) -> JsonObject:
        return copy.deepcopy(self._seen())

    async def set(self, key: str, value: Json) -> None:
        self.changes.append(["set", key, value])

    async def unset(self, key: str) -> None:
        self.changes.append(["unset", key, None])

    async def clear(self) -> None:
        self.changes.append(["clear", "", None])

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        return cast("int | float", self._apply("inc", key, by))

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        return list(cast("list[Json]", self._apply("add", key, value)))

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        return list(cast("list[Json]", self._apply("remove", key, value)))

    def _seen(self) -> JsonObject:
        if not self.changes:
            return cast("JsonObject", self._values())
        seen = dict(self._values())
        for change in self.changes:
            apply(seen, change)
        return seen

    def _apply(self, verb: str, key: str, value: Json) -> Json:
        gathered, self.changes = self.changes, []
        for change in gathered:
            self._ask(self._next_id(), change)
        return self._ask(self._next_id(), [verb, key, value])
