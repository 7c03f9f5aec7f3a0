"""Quotas in SQLite: a row for each call that is still inside its window, and one for each turn that was given."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from headrace_runtime.sqlite import Database

from headrace_scheduler.model import Caller, Window
from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants
from headrace_scheduler.stores.turns import DUE_FOR, FORGOTTEN_AFTER, MOST_PARTIES, ask_at, pace_of, text_of

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
        since INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (name, request_id)
    ) WITHOUT ROWID;
    CREATE INDEX quota_turns_by_line ON quota_turns (name, party, since, request_id);
    CREATE INDEX quota_turns_by_time ON quota_turns (name, at, party);
    CREATE INDEX quota_turns_by_end ON quota_turns (at);
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
    """Whether there are others before this caller: in its line, or another party that has not had its share."""
    connection.execute("DELETE FROM quota_turns WHERE name = ? AND at <= ?", (window.name, now - DUE_FOR))
    since, turn = _place(connection, window, caller) or (now, now + 1)
    if turn > now and _rank(connection, window, caller, since):
        return True
    others = connection.execute(
        "SELECT DISTINCT party FROM quota_turns WHERE name = ? AND at <= ? AND party <> ? LIMIT ?",
        (window.name, now, caller.party, MOST_PARTIES),
    ).fetchall()
    if not others:
        return False
    had = connection.execute(
        "SELECT count(*) FROM quota_calls WHERE name = ? AND party = ? AND at > ?",
        (window.name, caller.party, now - instants.span(window.length)),
    ).fetchone()[0]
    share = -(-window.limit // (1 + len(others)))
    return int(had) >= share


def _place(connection: sqlite3.Connection, window: Window, caller: Caller) -> tuple[int, int] | None:
    """Since when the caller waits, and when its turn is; None when it does not wait."""
    row = connection.execute(
        "SELECT since, at FROM quota_turns WHERE name = ? AND request_id = ?", (window.name, caller.request_id)
    ).fetchone()
    return None if row is None else (int(row["since"]), int(row["at"]))


def _rank(connection: sqlite3.Connection, window: Window, caller: Caller, since: int) -> int:
    """How many of the caller's party wait before it."""
    row = connection.execute(
        "SELECT count(*) FROM quota_turns WHERE name = ? AND party = ? AND (since, request_id) < (?, ?)",
        (window.name, caller.party, since, caller.request_id),
    ).fetchone()
    return int(row[0])


def _parties(connection: sqlite3.Connection, window: Window) -> int:
    """How many parties wait, by hopping from one to the next."""
    row = connection.execute(
        "WITH RECURSIVE waits (party) AS ("
        " SELECT min(party) FROM quota_turns WHERE name = :name"
        " UNION ALL SELECT (SELECT min(party) FROM quota_turns WHERE name = :name AND party > waits.party)"
        " FROM waits WHERE waits.party IS NOT NULL LIMIT :most"
        ") SELECT count(party) FROM waits",
        {"name": window.name, "most": MOST_PARTIES},
    ).fetchone()
    return int(row[0])


def _turn(connection: sqlite3.Connection, window: Window, caller: Caller, room_at: int, now: int) -> int:
    """Put the caller in its party's line; when it is to ask again."""
    if not caller.request_id:
        return room_at
    since, _ = _place(connection, window, caller) or (now, now)
    connection.execute(
        "INSERT INTO quota_turns (name, request_id, party, since, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name, request_id) DO NOTHING",
        (window.name, caller.request_id, caller.party, since, room_at),
    )
    rank = _rank(connection, window, caller, since)
    at = room_at + rank * _parties(connection, window) * instants.span(window.step)
    connection.execute(
        "UPDATE quota_turns SET at = ? WHERE name = ? AND request_id = ?", (at, window.name, caller.request_id)
    )
    return ask_at(at, room_at)


def _pace(connection: sqlite3.Connection, name: str) -> Pace | None:
    row = connection.execute("SELECT pace FROM quota_paces WHERE name = ?", (name,)).fetchone()
    return None if row is None else pace_of(json.loads(row["pace"]))
