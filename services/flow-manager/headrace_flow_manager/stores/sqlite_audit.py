"""The audit trail in SQLite."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from headrace_core import Json
from headrace_core.errors import NotFound
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.audit import model
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.stores.values import changed_rows, instant, micros, parsed

SCHEMA = """
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    act_id TEXT NOT NULL UNIQUE,
    begun_at INTEGER NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action TEXT NOT NULL,
    summary TEXT NOT NULL,
    target TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    before TEXT NOT NULL,
    given TEXT NOT NULL,
    after TEXT NOT NULL,
    status INTEGER NOT NULL,
    ended_at INTEGER
);
CREATE INDEX audit_of_actor ON audit (actor_id, number);
CREATE INDEX audit_of_tenant ON audit (tenant_id, number);
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is kept'); END;
CREATE TRIGGER audit_ends_once BEFORE UPDATE ON audit WHEN old.status <> 0
BEGIN SELECT RAISE(ABORT, 'the audit trail is kept'); END
"""
_NARROWED = {"actorId": "actor_id", "tenantId": "tenant_id"}
_TEXTS = ("act_id", "actor_id", "actor_name", "address", "request_id", "action", "summary", "target", "tenant_id")


class SqliteAuditStore:
    """The AuditStore in SQLite. The table refuses to lose a row, and to change one that has ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, act: Act) -> None:
        values: dict[str, object] = {name: getattr(act, name) for name in _TEXTS}
        values |= {"begun_at": times.to_micros(act.begun_at), "status": act.status, "ended_at": micros(act.ended_at)}
        values |= {name: json_text.encode(getattr(act, name)) for name in ("before", "given", "after")}
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        statement = f"INSERT INTO audit ({names}) VALUES ({marks}) ON CONFLICT (act_id) DO NOTHING"
        await self._database.write(lambda connection: connection.execute(statement, values))

    async def end(self, act_id: str, status: int, after: Json, now: datetime) -> None:
        def work(connection: sqlite3.Connection) -> None:
            ended = connection.execute(
                "UPDATE audit SET status = ?, after = ?, ended_at = ? WHERE act_id = ? AND status = 0",
                (status, json_text.encode(after), times.to_micros(now), act_id),
            )
            if not changed_rows(ended):
                _get(connection, act_id)

        await self._database.write(work)

    async def get(self, act_id: str) -> Act:
        return await self._database.read(lambda connection: _get(connection, act_id))

    async def page(self, query: ListQuery) -> Page[Act]:
        selection = Selection(query, ("actor", "action", "summary", "target"))
        where, values = _narrowed(query)
        is_plain = not (query.conditions or query.pattern or query.sort)

        def work(connection: sqlite3.Connection) -> Page[Act]:
            if is_plain:
                [total] = connection.execute("SELECT COUNT(*) FROM audit").fetchone()
                window = (query.page_size, query.offset)
                rows = connection.execute("SELECT * FROM audit ORDER BY number DESC LIMIT ? OFFSET ?", window)
                return Page(tuple(map(_act, rows)), total)
            return selection.page((act, model.public(act)) for act in _all(connection, where, values))

        return await self._database.read(work)


def _narrowed(query: ListQuery) -> tuple[str, list[str]]:
    """What of the query an index answers; the rest is for the selection."""
    found = [(column, value) for field, column in _NARROWED.items() for value in query.equalities(field)]
    where = " AND ".join(f"{column} = ?" for column, _ in found)
    return f" WHERE {where}" if where else "", [value for _, value in found]


def _all(connection: sqlite3.Connection, where: str, values: list[str]) -> Iterator[Act]:
    for row in connection.execute(f"SELECT * FROM audit{where} ORDER BY number DESC", values):
        yield _act(row)


def _get(connection: sqlite3.Connection, act_id: str) -> Act:
    row = connection.execute("SELECT * FROM audit WHERE act_id = ?", (act_id,)).fetchone()
    if row is None:
        raise NotFound("act", act_id[:100])
    return _act(row)


def _act(row: sqlite3.Row) -> Act:
    return Act(
        begun_at=times.from_micros(row["begun_at"]),
        status=row["status"],
        ended_at=instant(row["ended_at"]),
        before=parsed(row["before"]),
        given=parsed(row["given"]),
        after=parsed(row["after"]),
        **{name: row[name] for name in _TEXTS},
    )
