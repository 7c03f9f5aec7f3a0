"""Verbs of kept state that answer: what each makes of the value that is there. Pure."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from headrace_core.errors import BadRequest
from headrace_core.expressions import Json

MAX_RESULT_BYTES = 4 * 1024 * 1024


def carry_out(verb: str, packed: bytes | None, value: Json) -> bytes:
    """What the verb makes of the value that is there. Raises BadRequest when it does not fit."""
    result = orjson.dumps(_VERBS[verb](None if packed is None else orjson.loads(packed), value))
    if len(result) > MAX_RESULT_BYTES:
        raise BadRequest(f"The state under one key would have {len(result):,} bytes: {MAX_RESULT_BYTES:,} fit.")
    return result


def _increase(old: Json, by: Json) -> Json:
    if not isinstance(old, int | float | None) or not isinstance(by, int | float):
        raise BadRequest("Only a number can be increased: the state holds something else under this key.")
    return (old or 0) + by


def _add(old: Json, value: Json) -> Json:
    members = _members(old)
    return members if value in members else [*members, value]


def _remove(old: Json, value: Json) -> Json:
    return [member for member in _members(old) if member != value]


def _members(old: Json) -> list[Json]:
    if old is None:
        return []
    if not isinstance(old, list):
        raise BadRequest("Only a list can be used as a set: the state holds something else under this key.")
    return old


_VERBS: dict[str, Callable[[Json, Json], Json]] = {"inc": _increase, "add": _add, "remove": _remove}
