"""State that components keep: in the store across runs, in the journal within one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import orjson
from headrace_core.expressions import Json
from headrace_sdk.context import JsonObject
from headrace_sdk.errors import CancelError

from headrace_executor.model import StateChange
from headrace_executor.store import StateStore

MAX_VALUE_BYTES = 1024 * 1024


class KeptState:
    """Implements `headrace_sdk.State` over the store.

    Plain writes are gathered and become durable with the step's commit; verbs that answer are carried out at once,
    after what was gathered for the same scope, under an id that a repeated step draws again.
    """

    def __init__(
        self,
        store: StateStore,
        scope: str,
        run_id: str,
        next_id: Callable[[], str],
        changes: list[StateChange],
    ) -> None:
        self._store = store
        self._scope = scope
        self._run_id = run_id
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

    async def _apply(self, verb: str, key: str, value: Json) -> Json:
        mine = [change for change in self._changes if change.scope == self._scope]
        if mine:
            await self._store.write_state(mine)
            self._changes[:] = [change for change in self._changes if change.scope != self._scope]
        change_id = f"{self._next_id()}.{verb}.{key}"
        result = await self._store.apply_now(change_id, self._run_id, self._scope, verb, key, value)
        if self._seen is not None:
            self._seen[key] = result
        return result


class RunMemory:
    """Implements `headrace_sdk.State` within one run: it lives in memory and rides with the step's record."""

    def __init__(self, values: JsonObject) -> None:
        self.values = values
        self.has_changed = False

    async def get(self, key: str, default: Json = None) -> Json:
        return self.values.get(key, default)

    async def all(self) -> JsonObject:
        return copy.deepcopy(self.values)

    async def set(self, key: str, value: Json) -> None:
        self._write({**self.values, key: value})

    async def unset(self, key: str) -> None:
        self._write({name: value for name, value in self.values.items() if name != key})

    async def clear(self) -> None:
        self._write({})

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        old = self.values.get(key, 0)
        if not isinstance(old, int | float):
            raise CancelError(f"Only a number can be increased: {key!r} holds something else.")
        self._write({**self.values, key: old + by})
        return old + by

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        members = self._members(key)
        if value not in members:
            members = [*members, value]
            self._write({**self.values, key: members})
        return list(members)

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        members = [member for member in self._members(key) if member != value]
        self._write({**self.values, key: members})
        return list(members)

    def _members(self, key: str) -> list[Json]:
        found = self.values.get(key) or []
        if not isinstance(found, list):
            raise CancelError(f"Only a list can be used as a set: {key!r} holds something else.")
        return found

    def _write(self, values: JsonObject) -> None:
        """Replace rather than change: the step that fails afterwards must leave no trace."""
        self.values = values
        self.has_changed = True
