"""Quotas in SQLite: one row for each call that is still inside its window."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from headrace_runtime.sqlite import Database

from headrace_scheduler.model import Window
from headrace_scheduler.stores import instants

SCHEMA = """
    CREATE TABLE quota_calls (
        name TEXT NOT NULL,
        at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        request_id TEXT NOT NULL
    );
    CREATE INDEX quota_calls_by_time ON quota_calls (name, at);
    CREATE INDEX quota_calls_by_request ON quota_calls (name, request_id, at) WHERE request_id <> '';
    CREATE INDEX quota_calls_by_end ON quota_calls (expires_at);
"""

PURGE_ROWS = 5_000


class SqliteQuotaStore:
    """QuotaStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(self, windows: Sequence[Window], request_id: str, now: datetime) -> datetime | None:
        return await self._database.write(
            lambda connection: _acquire(connection, windows, request_id, instants.stored(now))
        )

    async def purge(self, now: datetime) -> int:
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM quota_calls WHERE rowid IN "
                    "(SELECT rowid FROM quota_calls WHERE expires_at <= ? LIMIT ?)",
                    (instants.stored(now), PURGE_ROWS),
                ).rowcount
            )
        )


def _acquire(connection: sqlite3.Connection, windows: Sequence[Window], request_id: str, now: int) -> datetime | None:
    uncounted = [window for window in windows if not _is_counted(connection, window, request_id, now)]
    times = [_room_at(connection, window, now) for window in uncounted]
    waits = [time for time in times if time is not None]
    if waits:
        return instants.moment(max(waits))
    connection.executemany(
        "INSERT INTO quota_calls VALUES (?, ?, ?, ?)",
        [(window.name, now, now + instants.span(window.length), request_id) for window in uncounted],
    )
    return None


def _is_counted(connection: sqlite3.Connection, window: Window, request_id: str, now: int) -> bool:
    if not request_id:
        return False
    row = connection.execute(
        "SELECT 1 FROM quota_calls WHERE request_id <> '' AND name = ? AND request_id = ? AND at > ? LIMIT 1",
        (window.name, request_id, now - instants.span(window.length)),
    ).fetchone()
    return row is not None


def _room_at(connection: sqlite3.Connection, window: Window, now: int) -> int | None:
    """When the window has room again; None when it has room now."""
    length = instants.span(window.length)
    # The call that has to leave before there is room is the limit-th from the newest.
    row = connection.execute(
        "SELECT at FROM quota_calls WHERE name = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?",
        (window.name, now - length, window.limit - 1),
    ).fetchone()
    return None if row is None else int(row["at"]) + length
