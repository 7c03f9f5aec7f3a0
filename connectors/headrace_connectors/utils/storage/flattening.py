"""Nested values as the flat rows of a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from headrace_core import Json
from headrace_sdk import CancelError

MAX_COLUMNS = 1000
MAX_DEPTH = 32


def flat(value: Mapping[str, Json]) -> dict[str, str]:
    """One cell per leaf, named by its dotted path. Lists stay one cell of JSON."""
    return dict(_leaves("", value, 0))


def columns(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """All column names in the order in which they first occur. Raises `CancelError` for more than 1000."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(names) > MAX_COLUMNS:
        raise CancelError(f"The table would have {len(names)} columns; at most {MAX_COLUMNS} are written.")
    return names


def cell(value: Json) -> str:
    """A value as the text of a cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _leaves(name: str, value: Json | Mapping[str, Json], depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and depth < MAX_DEPTH:
        for key, each in value.items():
            yield from _leaves(f"{name}.{key}" if name else key, each, depth + 1)
    else:
        yield name, cell(dict(value) if isinstance(value, Mapping) else value)
