"""Groups in SQLite."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from headrace_core.errors import AlreadyExists, Conflict, NotFound, RevisionConflict
from headrace_runtime.sqlite import Database

from headrace_flow_manager import times
from headrace_flow_manager.groups import model
from headrace_flow_manager.groups.model import Group
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.stores.values import changed_rows

SCHEMA = """
CREATE TABLE user_groups (
    group_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES user_groups (group_id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX groups_of_user ON group_members (user_id)
"""


class SqliteGroupStore:
    """The GroupStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, group: Group, limit: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT count(*) FROM user_groups").fetchone()[0] >= limit:
                raise Conflict(f"There are {limit} groups already: delete one first.")
            if connection.execute("SELECT 1 FROM user_groups WHERE group_id = ?", (group.group_id,)).fetchone():
                raise AlreadyExists(f"There is a group {group.group_id!r} already. Choose another id.")
            _see_name_free(connection, group)
            values = {"group_id": group.group_id, "created_at": times.to_micros(group.created_at), **_changing(group)}
            names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(f"INSERT INTO user_groups ({names}) VALUES ({marks})", values)
            _put_members(connection, group)

        await self._database.write(work)

    async def get(self, group_id: str) -> Group:
        return await self._database.read(lambda connection: _get(connection, group_id))

    async def page(self, query: ListQuery) -> Page[Group]:
        selection = Selection(query)

        def work(connection: sqlite3.Connection) -> Page[Group]:
            return selection.page((group, model.public(group)) for group in _all(connection))

        return await self._database.read(work)

    async def replace(self, group: Group, before: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            kept = _get(connection, group.group_id)
            if kept.revision != before:
                raise RevisionConflict(f"Group {group.group_id!r} was saved in between. Read it again and save that.")
            _see_name_free(connection, group)
            settings = ", ".join(f"{name} = :{name}" for name in _changing(group))
            values = {**_changing(group), "group_id": group.group_id}
            connection.execute(f"UPDATE user_groups SET {settings} WHERE group_id = :group_id", values)
            if kept.members != group.members:
                _put_members(connection, group)

        await self._database.write(work)

    async def delete(self, group_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if not changed_rows(connection.execute("DELETE FROM user_groups WHERE group_id = ?", (group_id,))):
                raise NotFound("group", group_id[:100])

        await self._database.write(work)

    async def of_user(self, user_id: str) -> frozenset[str]:
        def work(connection: sqlite3.Connection) -> frozenset[str]:
            rows = connection.execute("SELECT group_id FROM group_members WHERE user_id = ?", (user_id,))
            return frozenset(row["group_id"] for row in rows)

        return await self._database.read(work)

    async def forget_user(self, user_id: str, now: datetime) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE user_groups SET revision = revision + 1, updated_at = ?"
                " WHERE group_id IN (SELECT group_id FROM group_members WHERE user_id = ?)",
                (times.to_micros(now), user_id),
            )
            connection.execute("DELETE FROM group_members WHERE user_id = ?", (user_id,))

        await self._database.write(work)


def _changing(group: Group) -> dict[str, object]:
    return {
        "name": group.name,
        "name_key": group.name_key,
        "description": group.description,
        "revision": group.revision,
        "updated_at": times.to_micros(group.updated_at),
    }


def _see_name_free(connection: sqlite3.Connection, group: Group) -> None:
    other = "SELECT 1 FROM user_groups WHERE name_key = ? AND group_id <> ?"
    if connection.execute(other, (group.name_key, group.group_id)).fetchone():
        raise AlreadyExists(f"There is a group called {group.name!r} already. Choose another name.")


def _put_members(connection: sqlite3.Connection, group: Group) -> None:
    connection.execute("DELETE FROM group_members WHERE group_id = ?", (group.group_id,))
    members = [(group.group_id, each) for each in group.members]
    connection.executemany("INSERT INTO group_members (group_id, user_id) VALUES (?, ?)", members)


def _get(connection: sqlite3.Connection, group_id: str) -> Group:
    row = connection.execute("SELECT * FROM user_groups WHERE group_id = ?", (group_id,)).fetchone()
    if row is None:
        raise NotFound("group", group_id[:100])
    return _group(connection, row)


def _all(connection: sqlite3.Connection) -> Iterator[Group]:
    for row in connection.execute("SELECT * FROM user_groups ORDER BY name_key").fetchall():
        yield _group(connection, row)


def _group(connection: sqlite3.Connection, row: sqlite3.Row) -> Group:
    members = connection.execute(
        "SELECT user_id FROM group_members WHERE group_id = ? ORDER BY user_id", (row["group_id"],)
    )
    return Group(
        row["group_id"],
        row["name"],
        row["description"],
        tuple(each["user_id"] for each in members),
        times.from_micros(row["created_at"]),
        times.from_micros(row["updated_at"]),
        row["revision"],
    )
