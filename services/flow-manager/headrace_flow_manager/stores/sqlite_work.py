"""Work at templates and their instances in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from headrace_core.errors import NotFound
from headrace_runtime.sqlite import Database

from headrace_flow_manager import times
from headrace_flow_manager.flows.work import Order, Work, WorkState
from headrace_flow_manager.stores.values import micros

SCHEMA = """
CREATE TABLE flow_work (
    ticket TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    order_name TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    cancels_runs INTEGER NOT NULL,
    total INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    after TEXT NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX flow_work_by_state ON flow_work (state, updated_at)
"""

WAITING = "ALTER TABLE flow_work ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0"
"""How many instances lacked accounts."""


class SqliteWorkStore:
    """The WorkStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, work: Work) -> None:
        await self._put("INSERT", work)

    async def get(self, tenant: str, ticket: str) -> Work:
        def read(connection: sqlite3.Connection) -> Work:
            row = connection.execute(
                "SELECT * FROM flow_work WHERE tenant_id = ? AND ticket = ?", (tenant, ticket)
            ).fetchone()
            if row is None:
                raise NotFound("ticket", ticket)
            return _work(row)

        return await self._database.read(read)

    async def save(self, work: Work) -> None:
        await self._put("REPLACE", work)

    async def unfinished(self, limit: int) -> Sequence[Work]:
        def read(connection: sqlite3.Connection) -> list[Work]:
            rows = connection.execute(
                "SELECT * FROM flow_work WHERE state = ? ORDER BY updated_at, ticket LIMIT ?",
                (str(WorkState.IN_PROGRESS), limit),
            )
            return [_work(row) for row in rows]

        return await self._database.read(read)

    async def prune(self, before: datetime) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM flow_work WHERE state <> ? AND updated_at < ?",
                (str(WorkState.IN_PROGRESS), micros(before)),
            )

        await self._database.write(write)

    async def _put(self, verb: str, work: Work) -> None:
        values = {
            "ticket": work.ticket,
            "tenant_id": work.tenant_id,
            "order_name": str(work.order),
            "flow_id": work.flow_id,
            "version": work.version,
            "cancels_runs": work.cancels_runs,
            "total": work.total,
            "created_at": micros(work.created_at),
            "updated_at": micros(work.updated_at),
            "state": str(work.state),
            "after": work.after,
            "done": work.done,
            "failed": work.failed,
            "waiting": work.waiting,
            "error": work.error,
        }
        sql = f"{verb} INTO flow_work ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})"

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(sql, values)

        await self._database.write(write)


def _work(row: sqlite3.Row) -> Work:
    return Work(
        ticket=row["ticket"],
        tenant_id=row["tenant_id"],
        order=Order(row["order_name"]),
        flow_id=row["flow_id"],
        version=row["version"],
        cancels_runs=bool(row["cancels_runs"]),
        total=row["total"],
        created_at=times.from_micros(row["created_at"]),
        updated_at=times.from_micros(row["updated_at"]),
        state=WorkState(row["state"]),
        after=row["after"],
        done=row["done"],
        failed=row["failed"],
        waiting=row["waiting"],
        error=row["error"],
    )
