"""Entries in SQLite."""

import sqlite3
from collections.abc import Sequence

from headrace_core.errors import AlreadyExists, NotFound
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.entries import Entry, Kind
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores.values import changed_rows, is_same_json, of_tenants, parsed_object

SCHEMA = """
CREATE TABLE entries (
    kind TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    key TEXT NOT NULL,
    owner TEXT NOT NULL,
    value TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (kind, entry_id)
);
CREATE UNIQUE INDEX entries_by_key ON entries (kind, key);
CREATE INDEX entries_by_owner ON entries (owner)
"""

_INSERT = (
    "INSERT INTO entries (kind, entry_id, key, owner, value, changed_by, changed_at)"
    " VALUES (:kind, :entry_id, :key, :owner, :value, :changed_by, :changed_at)"
)


class SqliteEntryStore:
    """The EntryStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: Entry) -> None:
        await self._database.write(lambda connection: _write(connection, _INSERT, entry))

    async def put(self, entry: Entry) -> None:
        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT owner FROM entries WHERE kind = ? AND entry_id = ?", (entry.kind, entry.entry_id)
            ).fetchone()
            if row is not None and row["owner"] != entry.owner:
                raise NotFound(entry.kind, entry.entry_id)
            connection.execute("DELETE FROM entries WHERE kind = ? AND entry_id = ?", (entry.kind, entry.entry_id))
            _write(connection, _INSERT, entry)

        await self._database.write(work)

    async def replace(self, before: Entry | None, after: Entry) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            place = (after.kind, after.entry_id)
            row = connection.execute("SELECT * FROM entries WHERE kind = ? AND entry_id = ?", place).fetchone()
            if not _is_unchanged(row, before):
                return False
            connection.execute("DELETE FROM entries WHERE kind = ? AND entry_id = ?", place)
            _write(connection, _INSERT, after)
            return True

        return await self._database.write(work)

    async def remove(self, before: Entry) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            place = (before.kind, before.entry_id)
            row = connection.execute("SELECT * FROM entries WHERE kind = ? AND entry_id = ?", place).fetchone()
            if not _is_unchanged(row, before):
                return False
            connection.execute("DELETE FROM entries WHERE kind = ? AND entry_id = ?", place)
            return True

        return await self._database.write(work)

    async def get(self, kind: Kind, tenants: Tenants, entry_id: str) -> Entry:
        allowed, values = of_tenants(tenants, "owner")

        def work(connection: sqlite3.Connection) -> Entry:
            row = connection.execute(
                f"SELECT * FROM entries WHERE kind = ? AND entry_id = ? AND {allowed}", (kind, entry_id, *values)
            ).fetchone()
            if row is None:
                raise NotFound(kind, entry_id)
            return _entry(row)

        return await self._database.read(work)

    async def find(self, kind: Kind, key: str) -> Entry | None:
        def work(connection: sqlite3.Connection) -> Entry | None:
            row = connection.execute("SELECT * FROM entries WHERE kind = ? AND key = ?", (kind, key)).fetchone()
            return None if row is None else _entry(row)

        return await self._database.read(work)

    async def all(self, kind: Kind, tenants: Tenants) -> Sequence[Entry]:
        allowed, values = of_tenants(tenants, "owner")

        def work(connection: sqlite3.Connection) -> Sequence[Entry]:
            rows = connection.execute(
                f"SELECT * FROM entries WHERE kind = ? AND {allowed} ORDER BY key", (kind, *values)
            )
            return [_entry(row) for row in rows]

        return await self._database.read(work)

    async def delete(self, kind: Kind, tenants: Tenants, entry_id: str) -> bool:
        allowed, values = of_tenants(tenants, "owner")

        def work(connection: sqlite3.Connection) -> bool:
            removed = connection.execute(
                f"DELETE FROM entries WHERE kind = ? AND entry_id = ? AND {allowed}", (kind, entry_id, *values)
            )
            return changed_rows(removed) > 0

        return await self._database.write(work)

    async def delete_owned(self, owner: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM entries WHERE owner = ? AND owner <> ''", (owner,))

        await self._database.write(work)


def _write(connection: sqlite3.Connection, statement: str, entry: Entry) -> None:
    values = {
        "kind": entry.kind,
        "entry_id": entry.entry_id,
        "key": entry.key,
        "owner": entry.owner,
        "value": json_text.encode(dict(entry.value)),
        "changed_by": entry.changed_by,
        "changed_at": times.to_micros(entry.changed_at),
    }
    try:
        connection.execute(statement, values)
    except sqlite3.IntegrityError:
        raise AlreadyExists(f"{entry.key!r} is taken. Choose another name.") from None


def _is_unchanged(row: sqlite3.Row | None, before: Entry | None) -> bool:
    """Whether what is kept is still this entry; None is none."""
    if row is None or before is None:
        return row is None and before is None
    kept = _entry(row)
    return kept == before and is_same_json(dict(kept.value), dict(before.value))


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        kind=row["kind"],
        entry_id=row["entry_id"],
        key=row["key"],
        owner=row["owner"],
        value=parsed_object(row["value"]),
        changed_by=row["changed_by"],
        changed_at=times.from_micros(row["changed_at"]),
    )
