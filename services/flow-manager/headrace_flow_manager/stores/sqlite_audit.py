"""The audit trail in SQLite."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from headrace_core import Json
from headrace_core.errors import NotFound
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.audit import model
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.stores.audit_asking import SEARCHED, Asked, asked_of, words_of
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
LOOKED_THROUGH = """
ALTER TABLE audit ADD COLUMN words TEXT NOT NULL DEFAULT '';
DROP TRIGGER audit_ends_once;
UPDATE audit SET words = lower(actor_name || char(31) || action || char(31) || summary || char(31) || target);
CREATE TRIGGER audit_ends_once BEFORE UPDATE ON audit WHEN old.status <> 0
BEGIN SELECT RAISE(ABORT, 'the audit trail is kept'); END;
CREATE INDEX audit_of_target ON audit (target, begun_at);
CREATE INDEX audit_looked_through ON audit (begun_at, status, words)
"""
"""By time, with what people look for: a search reads this alone, and not what was there before and after."""

_NEWEST = "begun_at DESC, number DESC"
_PART = 500
_TEXTS = ("act_id", "actor_id", "actor_name", "address", "request_id", "action", "summary", "target", "tenant_id")


class SqliteAuditStore:
    """The AuditStore in SQLite. The table refuses to lose a row, and to change one that has ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, act: Act) -> None:
        values: dict[str, object] = {name: getattr(act, name) for name in _TEXTS}
        values |= {"begun_at": times.to_micros(act.begun_at), "status": act.status, "ended_at": micros(act.ended_at)}
        values |= {name: json_text.encode(getattr(act, name)) for name in ("before", "given", "after")}
        values["words"] = words_of(act)
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

    async def walk(self, query: ListQuery) -> AsyncIterator[Sequence[Act]]:
        query = replace(query, sort=())
        selection, asked = Selection(query, SEARCHED), asked_of(query)
        where, values = _where(asked or Asked())
        onwards = f"{where} {'AND' if where else 'WHERE'} (begun_at, number) < (?, ?)"
        select = f"SELECT * FROM audit{onwards} ORDER BY {_NEWEST} LIMIT {_PART}"
        last = (2**62, 2**62)
        while True:
            rows = await self._database.read(_rows(select, [*values, *last]))
            if not rows:
                return
            last = (rows[-1]["begun_at"], rows[-1]["number"])
            acts = [_act(row) for row in rows]
            yield acts if asked else [act for act in acts if selection.holds(model.public(act))]

    async def page(self, query: ListQuery) -> Page[Act]:
        selection, asked = Selection(query, SEARCHED), asked_of(query)

        def work(connection: sqlite3.Connection) -> Page[Act]:
            if asked is None:
                return selection.page((act, model.public(act)) for act in _all(connection))
            where, values = _where(asked)
            [total] = connection.execute(f"SELECT COUNT(*) FROM audit{where}", values).fetchone()
            # First which they are, out of an index; then the rows of the page alone, which may be large.
            found = f"SELECT number FROM audit{where} ORDER BY {_NEWEST} LIMIT ? OFFSET ?"
            page = f"SELECT * FROM audit WHERE number IN ({found}) ORDER BY {_NEWEST}"
            rows = connection.execute(page, [*values, query.page_size, query.offset])
            return Page(tuple(map(_act, rows)), total)

        return await self._database.read(work)


def _rows(select: str, values: Sequence[str | int]) -> Callable[[sqlite3.Connection], list[sqlite3.Row]]:
    return lambda connection: connection.execute(select, values).fetchall()


def _where(asked: Asked) -> tuple[str, list[str | int]]:
    given = [
        *((f"{column} = ?", text) for column, text in asked.equal),
        ("begun_at >= ?", asked.since),
        ("begun_at < ?", asked.until),
        ("status >= ?", asked.least_status),
        ("status <= ?", asked.most_status),
        ("instr(words, ?) > 0", asked.words or None),
    ]
    known = [(condition, value) for condition, value in given if value is not None]
    where = " AND ".join(condition for condition, _ in known)
    return f" WHERE {where}" if where else "", [value for _, value in known]


def _all(connection: sqlite3.Connection) -> Iterator[Act]:
    for row in connection.execute(f"SELECT * FROM audit ORDER BY {_NEWEST}"):
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
