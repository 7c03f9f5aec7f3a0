"""Locks in SQLite."""

import sqlite3
from datetime import datetime, timedelta

from headrace_runtime.sqlite import Database

from headrace_scheduler.model import Lock
from headrace_scheduler.stores import fencing, instants

# A lock that is free needs no row: tokens come from a counter of their own.
SCHEMA = """
    CREATE TABLE locks (
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        fencing_token INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX locks_by_end ON locks (expires_at);
"""


class SqliteLockStore:
    """LockStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lock:
        return await self._database.write(lambda connection: _acquire(connection, name, holder, ttl, now))

    async def extend(self, name: str, holder: str, ttl: timedelta, now: datetime) -> datetime | None:
        expires_at = now + ttl
        moved = await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE locks SET expires_at = ? WHERE name = ? AND holder = ? AND expires_at > ?",
                    (instants.stored(expires_at), name, holder, instants.stored(now)),
                ).rowcount
            )
        )
        return expires_at if moved else None

    async def release(self, name: str, holder: str) -> bool:
        released = await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM locks WHERE name = ? AND holder = ?", (name, holder)).rowcount
            )
        )
        return bool(released)

    async def purge(self, now: datetime) -> int:
        return await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM locks WHERE expires_at <= ?", (instants.stored(now),)).rowcount
            )
        )


def _acquire(connection: sqlite3.Connection, name: str, holder: str, ttl: timedelta, now: datetime) -> Lock:
    row = connection.execute("SELECT * FROM locks WHERE name = ?", (name,)).fetchone()
    is_held = row is not None and row["expires_at"] > instants.stored(now)
    if is_held and row["holder"] != holder:
        return Lock(False, 0, instants.moment(row["expires_at"]))
    token = row["fencing_token"] if is_held else fencing.next_token(connection)
    connection.execute(
        "INSERT OR REPLACE INTO locks VALUES (?, ?, ?, ?)", (name, holder, token, instants.stored(now + ttl))
    )
    return Lock(True, token, now + ttl)
