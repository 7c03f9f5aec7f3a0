"""What later nodes can pick from data that looks like an example."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_core import Json

MAX_OPTIONS = 200
MAX_DEPTH = 5


def options(example: Json) -> list[Json]:
    """An option for each field of the example, those of objects within it by their dotted names."""
    found = list(_fields(example, "", MAX_DEPTH))[:MAX_OPTIONS]
    return [{"label": path, "value": path, "schema": {"type": _kind(value)}} for path, value in found]


def _fields(value: Json, before: str, depth: int) -> Iterator[tuple[str, Json]]:
    if not isinstance(value, dict) or depth == 0:
        return
    for name, each in value.items():
        path = f"{before}{name}"
        yield path, each
        yield from _fields(each, f"{path}.", depth - 1)


def _kind(value: Json) -> str:
    if value is None or isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"
