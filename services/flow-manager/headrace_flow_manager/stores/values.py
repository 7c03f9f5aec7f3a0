"""What the SQLite adapters share: tenants, instants and JSON as SQL values."""

import json
import sqlite3
from datetime import datetime

from headrace_core import Json

from headrace_flow_manager import json_text, times
from headrace_flow_manager.scope import EveryTenant, Tenants


def of_tenants(tenants: Tenants, column: str = "tenant_id") -> tuple[str, list[object]]:
    """A condition that keeps a read inside its tenants, with its values. `column` is never user text."""
    if isinstance(tenants, EveryTenant):
        return "1 = 1", []
    return f"{column} = ?", [tenants]


def micros(instant: datetime | None) -> int | None:
    return None if instant is None else times.to_micros(instant)


def instant(value: int | None) -> datetime | None:
    return None if value is None else times.from_micros(value)


def shown(value: int | None) -> Json:
    """A kept instant in its public form."""
    return None if value is None else times.to_text(times.from_micros(value))


def parsed(text: str) -> Json:
    value: Json = json.loads(text)
    return value


def parsed_object(text: str) -> dict[str, Json]:
    value: dict[str, Json] = json.loads(text)
    return value


def parsed_texts(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def is_same_json(one: Json, other: Json) -> bool:
    """Whether two values say the same in JSON, where 1, 1.0 and true are three things and order is for lists."""
    return json_text.encode_canonical(one) == json_text.encode_canonical(other)


def changed_rows(cursor: sqlite3.Cursor) -> int:
    return max(cursor.rowcount, 0)
