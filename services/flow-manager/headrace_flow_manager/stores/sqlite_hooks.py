"""What is told to system webhooks, in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from headrace_core.errors import NotFound
from headrace_runtime.sqlite import Database

from headrace_flow_manager import times
from headrace_flow_manager.hooks.model import Delivery, DeliveryFilter
from headrace_flow_manager.stores.hook_documents import changing_of, delivery_of, whole_of
from headrace_flow_manager.stores.values import changed_rows

SCHEMA = """
CREATE TABLE hook_deliveries (
    delivery_id TEXT PRIMARY KEY,
    hook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    fact TEXT NOT NULL,
    about TEXT NOT NULL,
    state TEXT NOT NULL,
    due INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    error TEXT NOT NULL,
    ended_at INTEGER
);
CREATE INDEX hook_deliveries_due ON hook_deliveries (due) WHERE state = 'pending';
CREATE INDEX hook_deliveries_newest ON hook_deliveries (created_at, delivery_id);
CREATE INDEX hook_deliveries_of_hook ON hook_deliveries (hook_id, created_at);
CREATE INDEX hook_deliveries_of_tenant ON hook_deliveries (tenant_id);
CREATE INDEX hook_deliveries_ended ON hook_deliveries (ended_at) WHERE ended_at IS NOT NULL
"""


class SqliteDeliveryStore:
    """The DeliveryStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for each in deliveries:
                values = {"delivery_id": each.delivery_id, **whole_of(each)}
                names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
                connection.execute(
                    f"INSERT INTO hook_deliveries ({names}) VALUES ({marks}) ON CONFLICT (delivery_id) DO NOTHING",
                    values,
                )

        await self._database.write(work)

    async def claim(self, now: datetime, until: datetime, limit: int, away: Sequence[str]) -> Sequence[Delivery]:
        def work(connection: sqlite3.Connection) -> list[Delivery]:
            marks = ", ".join("?" for _ in away)
            except_away = f" AND hook_id NOT IN ({marks})" if away else ""
            rows = connection.execute(
                f"SELECT * FROM hook_deliveries WHERE state = 'pending' AND due <= ?{except_away}"
                " ORDER BY due, delivery_id LIMIT ?",
                (times.to_micros(now), *away, limit),
            ).fetchall()
            for row in rows:
                connection.execute(
                    "UPDATE hook_deliveries SET due = ? WHERE delivery_id = ?",
                    (times.to_micros(until), row["delivery_id"]),
                )
            return [delivery_of({**dict(row), "due": times.to_micros(until)}) for row in rows]

        return await self._database.write(work)

    async def settle(self, claimed: Delivery, after: Delivery) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            values = {**changing_of(after), "claimed": times.to_micros(claimed.due), "delivery_id": claimed.delivery_id}
            settings = ", ".join(f"{name} = :{name}" for name in changing_of(after))
            written = connection.execute(
                f"UPDATE hook_deliveries SET {settings}"
                " WHERE delivery_id = :delivery_id AND state = 'pending' AND due = :claimed",
                values,
            )
            return bool(changed_rows(written))

        return await self._database.write(work)

    async def drop(self, claimed: Delivery) -> None:
        values = (claimed.delivery_id, times.to_micros(claimed.due))
        statement = "DELETE FROM hook_deliveries WHERE delivery_id = ? AND state = 'pending' AND due = ?"
        await self._database.write(lambda connection: connection.execute(statement, values))

    async def again(self, delivery_id: str, now: datetime) -> Delivery:
        def work(connection: sqlite3.Connection) -> Delivery:
            connection.execute(
                "UPDATE hook_deliveries SET state = 'pending', due = ?, attempts = 0, ended_at = NULL, fact = ''"
                " WHERE delivery_id = ? AND state <> 'pending'",
                (times.to_micros(now), delivery_id),
            )
            return _get(connection, delivery_id)

        return await self._database.write(work)

    async def get(self, delivery_id: str) -> Delivery:
        return await self._database.read(lambda connection: _get(connection, delivery_id))

    async def page(self, which: DeliveryFilter, offset: int, limit: int) -> tuple[Sequence[Delivery], int]:
        where, values = _where(which)

        def work(connection: sqlite3.Connection) -> tuple[list[Delivery], int]:
            [total] = connection.execute(f"SELECT COUNT(*) FROM hook_deliveries{where}", values).fetchone()
            rows = connection.execute(
                f"SELECT * FROM hook_deliveries{where} ORDER BY created_at DESC, delivery_id DESC LIMIT ? OFFSET ?",
                (*values, limit, offset),
            )
            return [delivery_of(dict(row)) for row in rows], total

        return await self._database.read(work)

    async def waiting(self, hook_id: str, most: int) -> int:
        statement = (
            "SELECT COUNT(*) FROM (SELECT 1 FROM hook_deliveries WHERE hook_id = ? AND state = 'pending' LIMIT ?)"
        )

        def work(connection: sqlite3.Connection) -> int:
            return int(connection.execute(statement, (hook_id, most)).fetchone()[0])

        return await self._database.read(work)

    async def forget_hook(self, hook_id: str) -> None:
        await self._delete("hook_id", hook_id)

    async def forget_tenant(self, tenant: str) -> None:
        await self._delete("tenant_id", tenant)

    async def prune(self, before: datetime, limit: int) -> int:
        statement = (
            "DELETE FROM hook_deliveries WHERE delivery_id IN (SELECT delivery_id FROM hook_deliveries"
            " WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?)"
        )
        values = (times.to_micros(before), limit)
        return await self._database.write(lambda connection: changed_rows(connection.execute(statement, values)))

    async def _delete(self, column: str, value: str) -> None:
        statement = f"DELETE FROM hook_deliveries WHERE {column} = ?"
        await self._database.write(lambda connection: connection.execute(statement, (value,)))


def _where(which: DeliveryFilter) -> tuple[str, list[object]]:
    named = {"hook_id": which.hook_id, "event": which.event, "state": which.state, "tenant_id": which.tenant_id}
    parts: list[tuple[str, object]] = [(f"{name} = ?", value) for name, value in named.items() if value]
    if which.before is not None:
        parts.append(("created_at < ?", times.to_micros(which.before)))
    if which.after is not None:
        parts.append(("created_at >= ?", times.to_micros(which.after)))
    where = " AND ".join(text for text, _ in parts)
    return f" WHERE {where}" if where else "", [value for _, value in parts]


def _get(connection: sqlite3.Connection, delivery_id: str) -> Delivery:
    row = connection.execute("SELECT * FROM hook_deliveries WHERE delivery_id = ?", (delivery_id,)).fetchone()
    if row is None:
        raise NotFound("delivery", delivery_id[:100])
    return delivery_of(dict(row))
