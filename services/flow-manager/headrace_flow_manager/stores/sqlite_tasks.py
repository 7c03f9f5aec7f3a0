"""Tasks in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from headrace_core.errors import Conflict, NotFound, RevisionConflict
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.stores.task_documents import CLAIMS, document_of, looked_up_of, task_of
from headrace_flow_manager.stores.values import changed_rows, parsed_object
from headrace_flow_manager.tasks import model
from headrace_flow_manager.tasks.model import Role, Task, Viewer

SCHEMA = """
CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    approver_key TEXT NOT NULL,
    requester_key TEXT NOT NULL,
    approver_hash BLOB NOT NULL,
    requester_hash BLOB NOT NULL,
    document TEXT NOT NULL,
    open_until INTEGER,
    tell_at INTEGER,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX tasks_of_tenant ON tasks (tenant_id, created_at);
CREATE INDEX tasks_of_approver ON tasks (approver_key, created_at);
CREATE INDEX tasks_of_requester ON tasks (requester_key, created_at);
CREATE UNIQUE INDEX tasks_of_approver_secret ON tasks (approver_hash);
CREATE UNIQUE INDEX tasks_of_requester_secret ON tasks (requester_hash);
CREATE INDEX tasks_overdue ON tasks (open_until) WHERE open_until IS NOT NULL;
CREATE INDEX tasks_untold ON tasks (tell_at) WHERE tell_at IS NOT NULL
"""


class SqliteTaskStore:
    """The TaskStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, task: Task, limit: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            count = connection.execute("SELECT count(*) FROM tasks WHERE tenant_id = ?", (task.tenant_id,))
            if count.fetchone()[0] >= limit:
                raise Conflict(f"There are {limit} tasks already: delete one first.")
            values = {
                "task_id": task.task_id,
                "tenant_id": task.tenant_id,
                "created_at": times.to_micros(task.created_at),
                **_changing(task),
            }
            names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(f"INSERT INTO tasks ({names}) VALUES ({marks}) ON CONFLICT (task_id) DO NOTHING", values)

        await self._database.write(work)

    async def get(self, viewer: Viewer, task_id: str) -> Task:
        def work(connection: sqlite3.Connection) -> Task:
            where, values = _seen_by(viewer)
            row = connection.execute(f"SELECT * FROM tasks WHERE task_id = ? AND {where}", (task_id, *values))
            return _needed(row.fetchone(), task_id)

        return await self._database.read(work)

    async def page(self, viewer: Viewer, role: Role | None, query: ListQuery, now: datetime) -> Page[Task]:
        selection = Selection(query, names=("title",))

        def work(connection: sqlite3.Connection) -> Page[Task]:
            where, values = _seen_by(viewer, role)
            rows = connection.execute(f"SELECT * FROM tasks WHERE {where} ORDER BY created_at, task_id", values)
            tasks = (model.at(_task(row), now) for row in rows)
            return selection.page((task, model.shown_to(task, viewer)) for task in tasks)

        return await self._database.read(work)

    async def replace(self, task: Task, before: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            values = {**_changing(task), "task_id": task.task_id, "tenant_id": task.tenant_id, "before": before}
            settings = ", ".join(f"{name} = :{name}" for name in _changing(task))
            changed = connection.execute(
                f"UPDATE tasks SET {settings}"
                " WHERE task_id = :task_id AND tenant_id = :tenant_id AND revision = :before",
                values,
            )
            if not changed_rows(changed):
                whose = (task.task_id, task.tenant_id)
                row = connection.execute("SELECT * FROM tasks WHERE task_id = ? AND tenant_id = ?", whose)
                _needed(row.fetchone(), task.task_id)
                raise RevisionConflict(f"Task {task.task_id!r} was changed in between. Read it again.")

        await self._database.write(work)

    async def delete(self, tenant: str, task_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            gone = connection.execute("DELETE FROM tasks WHERE task_id = ? AND tenant_id = ?", (task_id, tenant))
            if not changed_rows(gone):
                raise NotFound("task", task_id[:100])

        await self._database.write(work)

    async def delete_owned(self, tenant: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tasks WHERE tenant_id = ?", (tenant,))

        await self._database.write(work)


class SqliteTaskAgenda:
    """The TaskAgenda in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def overdue(self, now: datetime, limit: int) -> Sequence[Task]:
        return await self._found("open_until", now, limit)

    async def untold(self, now: datetime, limit: int) -> Sequence[Task]:
        return await self._found("tell_at", now, limit)

    async def postpone(self, task: Task, until: datetime) -> None:
        values = (times.to_micros(until), task.task_id, task.revision)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE tasks SET tell_at = ? WHERE task_id = ? AND revision = ? AND tell_at IS NOT NULL", values
            )

        await self._database.write(work)

    async def _found(self, column: str, now: datetime, limit: int) -> Sequence[Task]:
        def work(connection: sqlite3.Connection) -> list[Task]:
            rows = connection.execute(
                f"SELECT * FROM tasks WHERE {column} <= ? ORDER BY {column}, task_id LIMIT ?",
                (times.to_micros(now), limit),
            )
            return [_task(row) for row in rows]

        return await self._database.read(work)


def _seen_by(viewer: Viewer, role: Role | None = None) -> tuple[str, list[object]]:
    """A condition that keeps a read to what the viewer may see. Only names of ours get into the text."""
    claims = [(name, value) for name, value in viewer.claims(role) if name in CLAIMS]
    if not claims:
        return "1 = 0", []
    return f"({' OR '.join(f'{name} = ?' for name, _ in claims)})", [value for _, value in claims]


def _changing(task: Task) -> dict[str, object]:
    return {**looked_up_of(task), "document": json_text.encode(document_of(task))}


def _needed(row: sqlite3.Row | None, task_id: str) -> Task:
    if row is None:
        raise NotFound("task", task_id[:100])
    return _task(row)


def _task(row: sqlite3.Row) -> Task:
    return task_of(dict(row), parsed_object(row["document"]))
