"""Quotas in SQLite: a row for each call that is still inside its window, and one for each turn that was given."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from headrace_runtime.sqlite import Database

from headrace_scheduler.model import Caller, Window
from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants
from headrace_scheduler.stores.turns import AGAIN, DUE_FOR, FORGOTTEN_AFTER, MOST_PARTIES, pace_of, text_of

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

TURNS = """
    ALTER TABLE quota_calls ADD COLUMN party TEXT NOT NULL DEFAULT '';
    CREATE INDEX quota_calls_by_party ON quota_calls (name, party, at);
    CREATE TABLE quota_turns (
        name TEXT NOT NULL,
        request_id TEXT NOT NULL,
        party TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (name, request_id)
    ) WITHOUT ROWID;
    CREATE INDEX quota_turns_by_time ON quota_turns (name, at, party);
    CREATE INDEX quota_turns_by_end ON quota_turns (at);
    CREATE TABLE quota_tails (
        name TEXT NOT NULL,
        party TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (name, party)
    ) WITHOUT ROWID;
    CREATE INDEX quota_tails_by_end ON quota_tails (at);
    CREATE TABLE quota_paces (
        name TEXT PRIMARY KEY,
        pace TEXT NOT NULL,
        ends_at INTEGER NOT NULL
    ) WITHOUT ROWID;
"""

PURGE_ROWS = 5_000


class SqliteQuotaStore:
    """QuotaStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(self, windows: Sequence[Window], caller: Caller, now: datetime) -> datetime | None:
        return await self._database.write(
            lambda connection: _acquire(connection, windows, caller, instants.stored(now))
        )

    async def pace(self, name: str) -> Pace | None:
        return await self._database.read(lambda connection: _pace(connection, name))

    async def keep_pace(self, name: str, before: Pace | None, after: Pace) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if _pace(connection, name) != before:
                return False
            connection.execute(
                "INSERT OR REPLACE INTO quota_paces VALUES (?, ?, ?)",
                (name, text_of(after), instants.stored(after.ends_at)),
            )
            return True

        return await self._database.write(work)

    async def purge(self, now: datetime) -> int:
        at = instants.stored(now)

        def work(connection: sqlite3.Connection) -> int:
            calls = connection.execute(
                "DELETE FROM quota_calls WHERE rowid IN (SELECT rowid FROM quota_calls WHERE expires_at <= ? LIMIT ?)",
                (at, PURGE_ROWS),
            ).rowcount
            turns = connection.execute(
                "DELETE FROM quota_turns WHERE (name, request_id) IN"
                " (SELECT name, request_id FROM quota_turns WHERE at <= ? LIMIT ?)",
                (at - FORGOTTEN_AFTER, PURGE_ROWS),
            ).rowcount
            connection.execute("DELETE FROM quota_tails WHERE at <= ?", (at,))
            connection.execute("DELETE FROM quota_paces WHERE ends_at <= ?", (at,))
            return calls + turns

        return await self._database.write(work)


def _acquire(connection: sqlite3.Connection, windows: Sequence[Window], caller: Caller, now: int) -> datetime | None:
    uncounted = [window for window in windows if not _is_counted(connection, window, caller, now)]
    waits = [(at, window) for window in uncounted if (at := _room_at(connection, window, caller, now)) is not None]
    if waits:
        room_at, window = max(waits, key=lambda each: each[0])
        return instants.moment(_turn(connection, window, caller, room_at, now))
    connection.executemany(
        "INSERT INTO quota_calls (name, at, expires_at, request_id, party) VALUES (?, ?, ?, ?, ?)",
        [(each.name, now, now + instants.span(each.length), caller.request_id, caller.party) for each in uncounted],
    )
    connection.executemany(
        "DELETE FROM quota_turns WHERE name = ? AND request_id = ?",
        [(each.name, caller.request_id) for each in uncounted],
    )
    return None


def _is_counted(connection: sqlite3.Connection, window: Window, caller: Caller, now: int) -> bool:
    if not caller.request_id:
        return False
    row = connection.execute(
        "SELECT 1 FROM quota_calls WHERE request_id <> '' AND name = ? AND request_id = ? AND at > ? LIMIT 1",
        (window.name, caller.request_id, now - instants.span(window.length)),
    ).fetchone()
    return row is not None


def _room_at(connection: sqlite3.Connection, window: Window, caller: Caller, now: int) -> int | None:
    """When the window has room for this caller, if nobody else calls; None when it has room now."""
    length = instants.span(window.length)
    opens_at = 0 if window.opens_at is None else instants.stored(window.opens_at)
    # The call that has to leave before there is room is the limit-th from the newest.
    row = connection.execute(
        "SELECT at FROM quota_calls WHERE name = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?",
        (window.name, now - length, window.limit - 1),
    ).fetchone()
    room_at = max(opens_at, 0 if row is None else int(row["at"]) + length)
    if room_at > now:
        return room_at
    if not caller.request_id or not _gives_way(connection, window, caller, now):
        return None
    return now + max(1, instants.span(window.step))


def _gives_way(connection: sqlite3.Connection, window: Window, caller: Caller, now: int) -> bool:
    """Whether there are others before this caller: who is due, or another party that has not had its share."""
    mine = _turn_of(connection, window, caller)
    if mine is None or mine > now:
        first = connection.execute(
            "SELECT 1 FROM quota_turns WHERE name = ? AND at > ? AND at <= ? AND request_id <> ? LIMIT 1",
            (window.name, now - DUE_FOR, now + instants.span(window.step), caller.request_id),
        ).fetchone()
        return first is not None
    others = connection.execute(
        "SELECT DISTINCT party FROM quota_turns WHERE name = ? AND at > ? AND at <= ? AND party <> ? LIMIT ?",
        (window.name, now - DUE_FOR, now, caller.party, MOST_PARTIES),
    ).fetchall()
    if not others:
        return False
    had = connection.execute(
        "SELECT count(*) FROM quota_calls WHERE name = ? AND party = ? AND at > ?",
        (window.name, caller.party, now - instants.span(window.length)),
    ).fetchone()[0]
    share = -(-window.limit // (1 + len(others)))
    return int(had) >= share


def _turn_of(connection: sqlite3.Connection, window: Window, caller: Caller) -> int | None:
    row = connection.execute(
        "SELECT at FROM quota_turns WHERE name = ? AND request_id = ?", (window.name, caller.request_id)
    ).fetchone()
    return None if row is None else int(row["at"])


def _turn(connection: sqlite3.Connection, window: Window, caller: Caller, room_at: int, now: int) -> int:
    """When the caller's turn is: after those of its party, and as far apart as the number of parties says.

    Who came in time and found no room gets another turn, in a line of its own beside those who wait for their first.
    """
    if not caller.request_id:
        return room_at
    mine = _turn_of(connection, window, caller)
    if mine is not None and mine > now:
        return max(mine, room_at)
    tails = connection.execute(
        "SELECT party FROM quota_tails WHERE name = ? AND at > ? LIMIT ?", (window.name, now, MOST_PARTIES)
    ).fetchall()
    parties = len({caller.party, *(row["party"] for row in tails)})
    line = window.name if mine is None else f"{window.name}{AGAIN}"
    own = connection.execute(
        "SELECT at FROM quota_tails WHERE name = ? AND party = ? AND at > ?", (line, caller.party, now)
    ).fetchone()
    at = room_at if own is None else max(room_at, int(own["at"]) + instants.span(window.step) * parties)
    turn = (window.name, caller.request_id, caller.party, at)
    connection.execute("INSERT OR REPLACE INTO quota_turns VALUES (?, ?, ?, ?)", turn)
    connection.execute("INSERT OR REPLACE INTO quota_tails VALUES (?, ?, ?)", (line, caller.party, at))
    return at


def _pace(connection: sqlite3.Connection, name: str) -> Pace | None:
    row = connection.execute("SELECT pace FROM quota_paces WHERE name = ?", (name,)).fetchone()
    return None if row is None else pace_of(json.loads(row["pace"]))
