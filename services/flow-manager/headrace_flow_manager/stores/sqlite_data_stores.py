"""Data stores in SQLite. A change and what listeners are to hear of it are one commit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from headrace_core import Json
from headrace_core.errors import AlreadyExists, NotFound
from headrace_core.ids import new_id
from headrace_runtime.sqlite import Database

from headrace_flow_manager import times
from headrace_flow_manager.data_stores.model import DataStore, Delivery, Entry
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.stores.values import parsed

SCHEMA = """
CREATE TABLE data_stores (
    store_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant_id, name)
);
CREATE TABLE entries (
    store_id TEXT NOT NULL REFERENCES data_stores (store_id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (store_id, key)
) WITHOUT ROWID;
CREATE TABLE store_requests (
    tenant_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    store_id TEXT NOT NULL,
    key TEXT NOT NULL,
    old_value TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, request_id)
) WITHOUT ROWID;
CREATE TABLE store_listeners (
    store_id TEXT NOT NULL REFERENCES data_stores (store_id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (store_id, flow_id, node_id)
) WITHOUT ROWID;
CREATE TABLE store_deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    flow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    content BLOB NOT NULL
)
"""


class SqliteDataStores:
    """The DataStores port in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, store: DataStore) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _check_name_is_free(connection, store.tenant_id, store.name)
            connection.execute(
                "INSERT INTO data_stores (store_id, tenant_id, name, created_at) VALUES (?, ?, ?, ?)",
                (store.store_id, store.tenant_id, store.name, times.to_micros(store.created_at)),
            )

        await self._database.write(work)

    async def get(self, tenant: str, store_id: str) -> DataStore:
        return await self._database.read(lambda connection: _get(connection, tenant, store_id))

    async def page(self, tenant: str, query: ListQuery) -> Page[DataStore]:
        selection = Selection(query)

        def work(connection: sqlite3.Connection) -> Page[DataStore]:
            rows = connection.execute("SELECT * FROM data_stores WHERE tenant_id = ? ORDER BY name", (tenant,))
            return selection.page(
                (store, {"storeId": store.store_id, "name": store.name}) for store in map(_store, rows)
            )

        return await self._database.read(work)

    async def rename(self, tenant: str, store_id: str, name: str) -> tuple[DataStore, str]:
        def work(connection: sqlite3.Connection) -> tuple[DataStore, str]:
            store = _get(connection, tenant, store_id)
            if name != store.name:
                _check_name_is_free(connection, tenant, name)
            connection.execute(
                "UPDATE data_stores SET name = ? WHERE store_id = ? AND tenant_id = ?", (name, store_id, tenant)
            )
            return replace(store, name=name), store.name

        return await self._database.write(work)

    async def delete(self, tenant: str, store_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _get(connection, tenant, store_id)
            connection.execute("DELETE FROM data_stores WHERE store_id = ? AND tenant_id = ?", (store_id, tenant))

        await self._database.write(work)

    async def entry(self, tenant: str, store_id: str, key: str) -> Entry:
        def work(connection: sqlite3.Connection) -> Entry:
            _get(connection, tenant, store_id)
            found = _find(connection, store_id, key)
            if found is None:
                raise NotFound("record", key)
            return found

        return await self._database.read(work)

    async def put(self, tenant: str, entry: Entry, request_id: str, only_if_absent: bool) -> tuple[Entry, str | None]:
        def work(connection: sqlite3.Connection) -> tuple[Entry, str | None]:
            _get(connection, tenant, entry.store_id)
            if request_id:
                known = connection.execute(
                    "SELECT old_value FROM store_requests WHERE tenant_id = ? AND request_id = ?", (tenant, request_id)
                ).fetchone()
                if known is not None:
                    return _find(connection, entry.store_id, entry.key) or entry, known["old_value"]
            before = _find(connection, entry.store_id, entry.key)
            if before is not None and only_if_absent:
                raise AlreadyExists(f"The store has a record under {entry.key!r} already.")
            kept = entry if before is None else replace(entry, created_at=before.created_at)
            _write(connection, kept)
            old = None if before is None else before.value
            if request_id:
                connection.execute(
                    "INSERT INTO store_requests VALUES (?, ?, ?, ?, ?, ?)",
                    (tenant, request_id, entry.store_id, entry.key, old, times.to_micros(entry.updated_at)),
                )
            _tell(connection, "insert" if before is None else "update", kept, old)
            return kept, old

        return await self._database.write(work)

    async def move(self, tenant: str, store_id: str, key: str, new_store_id: str, new_key: str) -> Entry:
        def work(connection: sqlite3.Connection) -> Entry:
            _get(connection, tenant, store_id)
            _get(connection, tenant, new_store_id)
            before = _find(connection, store_id, key)
            if before is None:
                raise NotFound("record", key)
            if (store_id, key) == (new_store_id, new_key):
                return before
            if _find(connection, new_store_id, new_key) is not None:
                raise AlreadyExists(f"The store has a record under {new_key!r} already.")
            moved = replace(before, store_id=new_store_id, key=new_key)
            connection.execute("DELETE FROM entries WHERE store_id = ? AND key = ?", (store_id, key))
            _write(connection, moved)
            return moved

        return await self._database.write(work)

    async def remove(self, tenant: str, store_id: str, keys: Sequence[str] | None) -> int:
        def work(connection: sqlite3.Connection) -> int:
            _get(connection, tenant, store_id)
            wanted = _keys(connection, store_id) if keys is None else keys
            gone = [found for key in dict.fromkeys(wanted) if (found := _find(connection, store_id, key)) is not None]
            for entry in gone:
                connection.execute("DELETE FROM entries WHERE store_id = ? AND key = ?", (store_id, entry.key))
                _tell(connection, "delete", entry, entry.value)
            return len(gone)

        return await self._database.write(work)

    async def entries(self, tenant: str, store_id: str, query: ListQuery) -> Page[Entry]:
        selection = Selection(query, names=("key", "value"))

        def work(connection: sqlite3.Connection) -> Page[Entry]:
            _get(connection, tenant, store_id)
            rows = connection.execute("SELECT * FROM entries WHERE store_id = ? ORDER BY key", (store_id,))
            return selection.page((entry, _shown(entry)) for entry in map(_entry, rows))

        return await self._database.read(work)

    async def listen(self, tenant: str, store_id: str, flow_id: str, node_id: str, events: Sequence[str]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _get(connection, tenant, store_id)
            connection.execute(
                "INSERT OR REPLACE INTO store_listeners (store_id, tenant_id, flow_id, node_id, events)"
                " VALUES (?, ?, ?, ?, ?)",
                (store_id, tenant, flow_id, node_id, json.dumps(list(events))),
            )

        await self._database.write(work)

    async def unlisten(self, tenant: str, store_id: str, flow_id: str, node_id: str) -> None:
        await self._database.write(
            lambda connection: connection.execute(
                "DELETE FROM store_listeners WHERE tenant_id = ? AND flow_id = ? AND node_id = ?"
                " AND (? = '' OR store_id = ?)",
                (tenant, flow_id, node_id, store_id, store_id),
            )
        )

    async def undelivered(self, limit: int) -> Sequence[Delivery]:
        def work(connection: sqlite3.Connection) -> Sequence[Delivery]:
            rows = connection.execute("SELECT * FROM store_deliveries ORDER BY number LIMIT ?", (limit,))
            return [Delivery(*row) for row in rows]

        return await self._database.read(work)

    async def delivered(self, numbers: Sequence[int]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for number in numbers:
                connection.execute("DELETE FROM store_deliveries WHERE number = ?", (number,))

        await self._database.write(work)


def _check_name_is_free(connection: sqlite3.Connection, tenant: str, name: str) -> None:
    if connection.execute("SELECT 1 FROM data_stores WHERE tenant_id = ? AND name = ?", (tenant, name)).fetchone():
        raise AlreadyExists(f"There is a store named {name!r} already. Choose another name.")


def _get(connection: sqlite3.Connection, tenant: str, store_id: str) -> DataStore:
    row = connection.execute(
        "SELECT * FROM data_stores WHERE store_id = ? AND tenant_id = ?", (store_id, tenant)
    ).fetchone()
    if row is None:
        raise NotFound("store", store_id)
    return _store(row)


def _store(row: sqlite3.Row) -> DataStore:
    return DataStore(row["store_id"], row["tenant_id"], row["name"], times.from_micros(row["created_at"]))


def _keys(connection: sqlite3.Connection, store_id: str) -> list[str]:
    return [row["key"] for row in connection.execute("SELECT key FROM entries WHERE store_id = ?", (store_id,))]


def _find(connection: sqlite3.Connection, store_id: str, key: str) -> Entry | None:
    row = connection.execute("SELECT * FROM entries WHERE store_id = ? AND key = ?", (store_id, key)).fetchone()
    return None if row is None else _entry(row)


def _entry(row: sqlite3.Row) -> Entry:
    created, updated = times.from_micros(row["created_at"]), times.from_micros(row["updated_at"])
    return Entry(row["store_id"], row["key"], row["value"], created, updated)


def _write(connection: sqlite3.Connection, entry: Entry) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO entries (store_id, key, value, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        (entry.store_id, entry.key, entry.value, times.to_micros(entry.created_at), times.to_micros(entry.updated_at)),
    )


def _shown(entry: Entry) -> dict[str, Json]:
    return {
        "key": entry.key,
        "storeId": entry.store_id,
        "value": parsed(entry.value),
        "createdAt": times.to_text(entry.created_at),
        "updatedAt": times.to_text(entry.updated_at),
    }


def _tell(connection: sqlite3.Connection, event: str, entry: Entry, old: str | None) -> None:
    """Leave the change for every trigger that wants to hear of it."""
    change = new_id()
    content = {**_shown(entry), "type": event, "oldValue": None if old is None else parsed(old)}
    content["currentTime"] = content["updatedAt"]
    for row in connection.execute("SELECT * FROM store_listeners WHERE store_id = ?", (entry.store_id,)).fetchall():
        if event in json.loads(row["events"]):
            connection.execute(
                "INSERT INTO store_deliveries (flow_id, node_id, event_id, content) VALUES (?, ?, ?, ?)",
                (row["flow_id"], row["node_id"], change, json.dumps(content).encode()),
            )
