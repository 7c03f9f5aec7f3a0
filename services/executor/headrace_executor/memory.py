"""What the nodes of a run remember while it lasts: values by key, changed by operations that the journal writes down.

An operation is `[verb, key, value]`. `set`, `unset` and `clear` answer nothing; `inc`, `add` and `remove` answer what
is there after them. Steps of one node may be under way at the same time, so each operation meets what is there when
it is carried out, never what was there when its step began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from headrace_core.expressions import Json
from headrace_sdk.errors import CancelError

Operation = Sequence[Json]


class Memories:
    """The memory of every node of a run, and what unfinished steps were answered: a repetition hears it again."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Json]] = {}
        self._answers: dict[str, dict[str, Json]] = {}

    def of(self, node: str) -> Mapping[str, Json]:
        """What a node remembers now."""
        return self._values.get(node, {})

    def change(self, node: str, operations: Iterable[Operation]) -> None:
        """Carry out operations that answer nothing."""
        values = self._values.setdefault(node, {})
        for operation in operations:
            apply(values, operation)

    def ask(self, node: str, delivery_id: str, name: str, operation: Operation) -> Json:
        """Carry out an operation and keep its answer until `forget`. Raises CancelError where it does not fit."""
        answer = apply(self._values.setdefault(node, {}), operation)
        self._answers.setdefault(delivery_id, {})[name] = answer
        return answer

    def answered(self, delivery_id: str) -> Mapping[str, Json]:
        """What an unfinished step was answered so far, by the names of its operations."""
        return self._answers.get(delivery_id, {})

    def forget(self, delivery_id: str) -> None:
        """The step is over: nobody repeats it."""
        self._answers.pop(delivery_id, None)


def apply(values: dict[str, Json], operation: Operation) -> Json:
    """Change `values` by one operation and return its answer. Lists are replaced, so answers given earlier stay."""
    verb, key, value = operation
    key = str(key)
    match verb:
        case "set":
            values[key] = value
        case "unset":
            values.pop(key, None)
        case "clear":
            values.clear()
        case "inc":
            values[key] = _number(values, key) + cast("int | float", value)
            return values[key]
        case "add":
            members = _members(values, key)
            values[key] = members if value in members else [*members, value]
            return values[key]
        case _:
            values[key] = [member for member in _members(values, key) if member != value]
            return values[key]
    return None


def _number(values: Mapping[str, Json], key: str) -> int | float:
    found = values.get(key, 0)
    if not isinstance(found, int | float):
        raise CancelError(f"Only a number can be increased: {key!r} holds something else.")
    return found


def _members(values: Mapping[str, Json], key: str) -> list[Json]:
    found = values.get(key) or []
    if not isinstance(found, list):
        raise CancelError(f"Only a list can be used as a set: {key!r} holds something else.")
    return found
