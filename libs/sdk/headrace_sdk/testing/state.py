"""A state whose every write is durable at once, as plugins have it."""

from __future__ import annotations

import copy

from headrace_core import Json

from headrace_sdk.context import JsonObject
from headrace_sdk.errors import CancelError
from headrace_sdk.testing.memory import StateRoom


class DirectState:
    """Implements `headrace_sdk.State`."""

    def __init__(self, room: StateRoom) -> None:
        self._room = room

    async def get(self, key: str, default: Json = None) -> Json:
        return copy.deepcopy(self._room.values.get(key, default))

    async def all(self) -> JsonObject:
        return copy.deepcopy(self._room.values)

    async def set(self, key: str, value: Json) -> None:
        self._room.values[key] = copy.deepcopy(value)

    async def unset(self, key: str) -> None:
        self._room.values.pop(key, None)

    async def clear(self) -> None:
        self._room.values.clear()

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        found = self._room.values.get(key, 0)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise CancelError(f"{key!r} is no number.")
        self._room.values[key] = found + by
        return found + by

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        found = self._list(key)
        self._room.values[key] = found if value in found else [*found, copy.deepcopy(value)]
        return self._list(key)

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        self._room.values[key] = [each for each in self._list(key) if each != value]
        return self._list(key)

    def _list(self, key: str) -> list[Json]:
        found = self._room.values.get(key, [])
        if not isinstance(found, list):
            raise CancelError(f"{key!r} is no list.")
        return copy.deepcopy(found)
