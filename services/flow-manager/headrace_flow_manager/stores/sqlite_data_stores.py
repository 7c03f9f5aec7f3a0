"""Data stores and their outbox in SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from headrace_core.errors import AlreadyExists, NotFound
from headrace_core.ids import derive_id, new_id
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, query, tags, times
from headrace_flow_manager.data_stores.model import Change, Delivery, Listener, Put, Record, Store, Written
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores.values import changed_rows, micros, of_tenants, parsed, parsed_texts, shown

SCHEMA = """
CREATE TABLE stores (
    store_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant_id, name)
);
CREATE TABLE store_records (
    store_id TEXT NOT NULL REFERENCES stores (store_id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (store_id, key)
);
CREATE TABLE store_requests (
    request_key TEXT PRIMARY KEY,
    store_id TEXT NOT NULL REFERENCES stores (store_id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    old_value TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX store_requests_by_time ON store_requests (updated_at);
CREATE INDEX store_requests_of_store ON store_requests (store_id);
CREATE TABLE store_listeners (
    store_id TEXT NOT NULL REFERENCES stores (store_id) ON DELETE CASCADE,
    flow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (store_id, flow_id, node_id)
);
CREATE INDEX store_listeners_of_flow ON store_listeners (tenant_id, flow_id);
CREATE TABLE store_outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    change_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    content TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL
);
CREATE INDEX store_outbox_due ON store_outbox (due_at, number)
"""

_ORDERED: Final = {"key": "key", "createdAt": "created_at", "updatedAt": "updated_at"}
"""Fields by which SQLite itself can put records in order: texts by code point, times to the microsecond."""


class SqliteDataStores:
    """The DataStores in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tenant: str, store: Store) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _check_free(connection, tenant, store.name)
            added = connection.execute(
                "INSERT OR IGNORE INTO stores (store_id, tenant_id, name, created_at) VALUES (?, ?, ?, ?)",
                (store.store_id, tenant, store.name, micros(store.created_at)),
            )
            if not changed_rows(added):
                raise AlreadyExists(f"There is a store of the id {store.store_id!r} already.")

        await self._database.write(work)

    async def get(self, tenants: Tenants, store_id: str) -> Store:
        return await self._database.read(lambda connection: _get(connection, tenants, store_id))

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Store]:
        selection = Selection(query)
        within, values = of_tenants(tenants)

        def work(connection: sqlite3.Connection) -> Page[Store]:
            rows = connection.execute(f"SELECT * FROM stores WHERE {within} ORDER BY name, store_id", values)
            return selection.page((_store(row), _public_store(row)) for row in rows)

        return await self._database.read(work)

    async def rename(self, tenant: str, store_id: str, name: str, expected: str = "") -> tuple[Store, str]:
        def work(connection: sqlite3.Connection) -> tuple[Store, str]:
            before = _get(connection, tenant, store_id)
            tags.expect(before.tag, expected, "The store")
            if name != before.name:
                _check_free(connection, tenant, name)
            connection.execute(
                "UPDATE stores SET name = ? WHERE tenant_id = ? AND store_id = ?", (name, tenant, store_id)
            )
            return _get(connection, tenant, store_id), before.name

        return await self._database.write(work)

    async def remove(self, tenant: str, store_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _get(connection, tenant, store_id)
            connection.execute("DELETE FROM stores WHERE tenant_id = ? AND store_id = ?", (tenant, store_id))

        await self._database.write(work)

    async def record(self, tenants: Tenants, store_id: str, key: str) -> Record:
        def work(connection: sqlite3.Connection) -> Record:
            _get(connection, tenants, store_id)
            return _needed(connection, store_id, key)

        return await self._database.read(work)

    async def put(self, tenant: str, put: Put) -> Written:
        request = derive_id(tenant, put.store_id, put.key, put.request_id) if put.request_id else ""

        def work(connection: sqlite3.Connection) -> Written:
            _get(connection, tenant, put.store_id)
            known = connection.execute("SELECT * FROM store_requests WHERE request_key = ?", (request,)).fetchone()
            if known is not None:
                return Written(_record(known), known["old_value"])
            before = _find(connection, put.store_id, put.key)
            if before is not None and put.only_if_absent:
                raise AlreadyExists(f"There is a record {put.key!r} already.")
            after = Record(put.store_id, put.key, put.value, before.created_at if before else put.now, put.now)
            _write(connection, after)
            old_value = None if before is None else before.value
            if request:
                _remember(connection, request, after, old_value)
            _tell(connection, tenant, before, after, put.now)
            return Written(after, old_value)

        return await self._database.write(work)

    async def move(self, tenant: str, place: tuple[str, str], to: tuple[str, str], now: datetime) -> Record:
        def work(connection: sqlite3.Connection) -> Record:
            for store_id in dict.fromkeys((place[0], to[0])):  # in this order: one mistake has one answer
                _get(connection, tenant, store_id)
            before = _needed(connection, *place)
            if _find(connection, *to) is not None:
                raise AlreadyExists(f"There is a record {to[1]!r} already.")
            after = Record(*to, before.value, before.created_at, now)
            _erase(connection, before)
            _write(connection, after)
            _tell(connection, tenant, before, None, now)
            _tell(connection, tenant, None, after, now)
            return after

        return await self._database.write(work)

    async def delete(self, tenant: str, store_id: str, keys: Sequence[str] | None, now: datetime) -> int:
        wanted = None if keys is None else tuple(dict.fromkeys(keys))

        def work(connection: sqlite3.Connection) -> int:
            _get(connection, tenant, store_id)
            listened = connection.execute("SELECT 1 FROM store_listeners WHERE store_id = ?", (store_id,)).fetchone()
            if wanted is None and listened is None:
                return connection.execute("DELETE FROM store_records WHERE store_id = ?", (store_id,)).rowcount
            found = _all(connection, store_id) if wanted is None else _some(connection, store_id, wanted)
            for record in found:
                _erase(connection, record)
                _tell(connection, tenant, record, None, now)
            return len(found)

        return await self._database.write(work)

    async def records(self, tenants: Tenants, store_id: str, query: ListQuery) -> Page[Record]:
        selection = Selection(query, names=("key", "value"))

        def work(connection: sqlite3.Connection) -> Page[Record]:
            store = _get(connection, tenants, store_id)
            if not query.conditions and not query.pattern and all(each.field in _ORDERED for each in query.sort):
                return _plain_page(connection, store_id, query)
            page = selection.page(_candidates(connection, store, query))
            return Page(_some(connection, store_id, page.items), page.total)

        return await self._database.read(work)

    async def count(self, tenants: Tenants, store_id: str, query: ListQuery) -> int:
        selection = Selection(query, names=("key", "value"))

        def work(connection: sqlite3.Connection) -> int:
            store = _get(connection, tenants, store_id)
            if not query.conditions and not query.pattern:
                return _count(connection, store_id)
            return sum(selection.holds(each) for _, each in _candidates(connection, store, query))

        return await self._database.read(work)

    async def listen(self, tenant: str, store_id: str, listener: Listener) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _get(connection, tenant, store_id)
            connection.execute(
                "INSERT INTO store_listeners (store_id, flow_id, node_id, tenant_id, events) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (store_id, flow_id, node_id) DO UPDATE SET events = excluded.events",
                (store_id, listener.flow_id, listener.node_id, tenant, json_text.encode(list(listener.events))),
            )

        await self._database.write(work)

    async def unlisten(self, tenant: str, store_id: str, flow_id: str, node_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM store_listeners WHERE tenant_id = ?1 AND flow_id = ?2 AND node_id = ?3"
                " AND (?4 = '' OR store_id = ?4)",
                (tenant, flow_id, node_id, store_id),
            )

        await self._database.write(work)

    async def prune(self, before: datetime) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM store_requests WHERE updated_at < ?", (micros(before),))

        await self._database.write(work)


class SqliteOutbox:
    """The Outbox in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, limit: int) -> Sequence[Delivery]:
        def work(connection: sqlite3.Connection) -> list[Delivery]:
            rows = connection.execute(
                "SELECT * FROM store_outbox WHERE due_at <= ? ORDER BY due_at, number LIMIT ?", (micros(now), limit)
            )
            return [_delivery(row) for row in rows]

        return await self._database.read(work)

    async def settle(self, done: Sequence[Delivery], later: Sequence[tuple[Delivery, datetime]]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM store_outbox WHERE number = ?", [(each.number,) for each in done])
            connection.executemany(
                "UPDATE store_outbox SET due_at = ?, attempts = attempts + 1 WHERE number = ?",
                [(micros(until), each.number) for each, until in later],
            )

        await self._database.write(work)


def _get(connection: sqlite3.Connection, tenants: Tenants, store_id: str) -> Store:
    within, values = of_tenants(tenants)
    row = connection.execute(f"SELECT * FROM stores WHERE store_id = ? AND {within}", (store_id, *values)).fetchone()
    if row is None:
        raise NotFound("store", store_id[:256])
    return _store(row)


def _check_free(connection: sqlite3.Connection, tenant: str, name: str) -> None:
    if connection.execute("SELECT 1 FROM stores WHERE tenant_id = ? AND name = ?", (tenant, name)).fetchone():
        raise AlreadyExists(f"There is a store {name!r} already. Choose another name.")


def _find(connection: sqlite3.Connection, store_id: str, key: str) -> Record | None:
    row = connection.execute("SELECT * FROM store_records WHERE store_id = ? AND key = ?", (store_id, key)).fetchone()
    return None if row is None else _record(row)


def _needed(connection: sqlite3.Connection, store_id: str, key: str) -> Record:
    found = _find(connection, store_id, key)
    if found is None:
        raise NotFound("record", key[:256])
    return found


def _some(connection: sqlite3.Connection, store_id: str, keys: Sequence[str]) -> tuple[Record, ...]:
    found = (_find(connection, store_id, key) for key in keys)
    return tuple(each for each in found if each is not None)


def _all(connection: sqlite3.Connection, store_id: str) -> tuple[Record, ...]:
    return tuple(map(_record, connection.execute("SELECT * FROM store_records WHERE store_id = ?", (store_id,))))


def _count(connection: sqlite3.Connection, store_id: str) -> int:
    found: int = connection.execute("SELECT count(*) FROM store_records WHERE store_id = ?", (store_id,)).fetchone()[0]
    return found


def _write(connection: sqlite3.Connection, record: Record) -> None:
    connection.execute(
        "INSERT INTO store_records (store_id, key, value, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (store_id, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        (record.store_id, record.key, record.value, micros(record.created_at), micros(record.updated_at)),
    )


def _erase(connection: sqlite3.Connection, record: Record) -> None:
    connection.execute("DELETE FROM store_records WHERE store_id = ? AND key = ?", (record.store_id, record.key))


def _remember(connection: sqlite3.Connection, request: str, record: Record, old_value: str | None) -> None:
    connection.execute(
        "INSERT INTO store_requests (request_key, store_id, key, value, old_value, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            request,
            record.store_id,
            record.key,
            record.value,
            old_value,
            micros(record.created_at),
            micros(record.updated_at),
        ),
    )


def _tell(
    connection: sqlite3.Connection, tenant: str, before: Record | None, after: Record | None, now: datetime
) -> None:
    """Put the change into the outbox, in the transaction that makes it, once for each listener that wants it."""
    kept = after or before
    if kept is None:
        return
    rows = connection.execute(
        "SELECT flow_id, node_id, events FROM store_listeners WHERE tenant_id = ? AND store_id = ?",
        (tenant, kept.store_id),
    ).fetchall()
    if not rows:
        return
    change = Change(
        type="insert" if before is None else "delete" if after is None else "update",
        store_id=kept.store_id,
        key=kept.key,
        value=parsed(kept.value),
        old_value=None if before is None else parsed(before.value),
        at=now,
    )
    change_id, content = new_id(), json_text.encode(change.to_json())
    connection.executemany(
        "INSERT INTO store_outbox (change_id, tenant_id, flow_id, node_id, content, attempts, due_at)"
        " VALUES (?, ?, ?, ?, ?, 0, ?)",
        [
            (change_id, tenant, row["flow_id"], row["node_id"], content, micros(now))
            for row in rows
            if change.type in parsed_texts(row["events"])
        ],
    )


def _plain_page(connection: sqlite3.Connection, store_id: str, wanted: ListQuery) -> Page[Record]:
    """A page without a condition: SQLite puts it in order and cuts it out."""
    order = [f"{_ORDERED[each.field]} {'DESC' if each.descending else 'ASC'}" for each in wanted.sort]
    rows = connection.execute(
        f"SELECT * FROM store_records WHERE store_id = ? ORDER BY {', '.join([*order, 'key'])} LIMIT ? OFFSET ?",
        (store_id, wanted.page_size, wanted.offset),
    )
    return Page(tuple(map(_record, rows)), _count(connection, store_id))


def _candidates(connection: sqlite3.Connection, store: Store, wanted: ListQuery) -> Iterator[tuple[str, query.Record]]:
    conditions, values = ["store_id = ?"], [store.store_id]
    for text in wanted.equalities("key"):
        conditions.append("key = ?")
        values.append(text)
    for row in connection.execute(f"SELECT * FROM store_records WHERE {' AND '.join(conditions)} ORDER BY key", values):
        yield (
            row["key"],
            {
                "key": row["key"],
                "storeId": row["store_id"],
                "userId": store.tenant_id,
                "value": parsed(row["value"]),
                "createdAt": shown(row["created_at"]),
                "updatedAt": shown(row["updated_at"]),
            },
        )


def _store(row: sqlite3.Row) -> Store:
    return Store(row["store_id"], row["tenant_id"], row["name"], times.from_micros(row["created_at"]))


def _public_store(row: sqlite3.Row) -> query.Record:
    return {
        "storeId": row["store_id"],
        "userId": row["tenant_id"],
        "name": row["name"],
        "registered": shown(row["created_at"]),
    }


def _record(row: sqlite3.Row) -> Record:
    created_at, updated_at = times.from_micros(row["created_at"]), times.from_micros(row["updated_at"])
    return Record(row["store_id"], row["key"], row["value"], created_at, updated_at)


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        number=row["number"],
        change_id=row["change_id"],
        tenant_id=row["tenant_id"],
        flow_id=row["flow_id"],
        node_id=row["node_id"],
        content=row["content"],
        attempts=row["attempts"],
    )
