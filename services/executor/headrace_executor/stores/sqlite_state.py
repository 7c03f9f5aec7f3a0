"""Kept state of components in SQLite: plain writes, and verbs that are carried out once and answer."""

from __future__ import annotations

import sqlite3

import orjson
from headrace_core.expressions import Json

from headrace_executor.model import StateChange, StateVerb
from headrace_executor.verbs import carry_out


def read(connection: sqlite3.Connection, scope: str) -> dict[str, Json]:
    rows = connection.execute("SELECT key, value FROM state WHERE scope = ?", (scope,))
    return {row["key"]: orjson.loads(row["value"]) for row in rows}


def write(connection: sqlite3.Connection, change: StateChange) -> None:
    if change.verb == "set":
        _put(connection, change.scope, change.key, change.value)
    elif change.verb == "unset":
        connection.execute("DELETE FROM state WHERE scope = ? AND key = ?", (change.scope, change.key))
    else:
        connection.execute("DELETE FROM state WHERE scope = ?", (change.scope,))


def clear(connection: sqlite3.Connection, prefix: str) -> None:
    """Remove the scopes that begin with `prefix`, by range so that the key's order serves."""
    connection.execute("DELETE FROM state WHERE scope >= ? AND scope < ?", (prefix, prefix + "\U0010ffff"))


def apply_now(connection: sqlite3.Connection, asked: StateVerb) -> Json:
    """Carry out a verb and what was written before it, once per `change_id`; a repetition gets the first result."""
    known = connection.execute("SELECT result FROM state_changes WHERE change_id = ?", (asked.change_id,)).fetchone()
    if known is not None:
        result: Json = orjson.loads(known["result"])
        return result
    for change in asked.before:
        write(connection, change)
    where = (asked.scope, asked.key)
    row = connection.execute("SELECT value FROM state WHERE scope = ? AND key = ?", where).fetchone()
    packed = carry_out(asked.verb, None if row is None else row["value"], asked.value)
    _put(connection, asked.scope, asked.key, packed)
    connection.execute(
        "INSERT INTO state_changes (change_id, run_id, result) VALUES (?, ?, ?)",
        (asked.change_id, asked.run_id, packed),
    )
    result = orjson.loads(packed)
    return result


def _put(connection: sqlite3.Connection, scope: str, key: str, value: bytes) -> None:
    connection.execute(
        "INSERT INTO state (scope, key, value) VALUES (?, ?, ?)"
        " ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value",
        (scope, key, value),
    )
