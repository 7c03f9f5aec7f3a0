"""Quotas in SQLite: a row for each call that is still inside its window, and one for each turn that was given."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headrace_runtime.sqlite import Database

from headrace_scheduler.model import Caller, Turn, Window
from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants
from headrace_scheduler.stores.turns import (
    AHEAD,
    DUE_FOR,
    FORGOTTEN_AFTER,
    LATE,
    MOST_PARTIES,
    SHARES,
    SLACK,
    ask_at,
    pace_of,
    text_of,
)

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

    async def acquire(self, windows: Sequence[Window], caller: Caller, now: datetime) -> Turn:
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


@dataclass(frozen=True, slots=True)
class _Offer:
    """When a window has room for a caller, and when that is its turn. One that gives way waits in any case."""

    room_at: int
    turn: int
    gives_way: bool = False


def _acquire(connection: sqlite3.Connection, windows: Sequence[Window], caller: Caller, now: int) -> Turn:
    found = [(window, _counted_at(connection, window, caller, now)) for window in windows]
    counted = [(window, at) for window, at in found if at is not None]
    offers = [(_offer(connection, window, caller, now), window) for window, at in found if at is None]
    begins = _begins(now, counted, offers)
    # A call that one window lets begin later only is one of that later moment in all of them.
    moved = [window for window, at in counted if at < begins - LATE]
    connection.executemany(
        "DELETE FROM quota_calls WHERE request_id <> '' AND name = ? AND request_id = ?",
        [(window.name, caller.request_id) for window in moved],
    )
    counted = [(window, at) for window, at in counted if at >= begins - LATE]
    offers += [(_offer(connection, window, caller, now), window) for window in moved]
    begins = _begins(now, counted, offers)
    ahead = now + AHEAD if caller.request_id else now
    if any(offer.gives_way or offer.turn > ahead for offer, _ in offers):
        offer, window = max(offers, key=lambda each: (each[0].gives_way, each[0].turn))
        return Turn(instants.moment(_wait(connection, window, caller, offer, now)), False)
    connection.executemany(
        "INSERT INTO quota_calls (name, at, expires_at, request_id, party) VALUES (?, ?, ?, ?, ?)",
        [
            (each.name, begins, begins + instants.span(each.length), caller.request_id, caller.party)
            for _, each in offers
        ],
    )
    connection.executemany(
        "DELETE FROM quota_turns WHERE name = ? AND request_id = ?",
        [(each.name, caller.request_id) for _, each in offers],
    )
    return Turn(instants.moment(begins), True)


def _begins(now: int, counted: Sequence[tuple[Window, int]], offers: Sequence[tuple[_Offer, Window]]) -> int:
    return max([now, *(at for _, at in counted), *(offer.room_at for offer, _ in offers)])


def _counted_at(connection: sqlite3.Connection, window: Window, caller: Caller, now: int) -> int | None:
    """The moment that this request has already. One that it cannot keep any more is free again."""
    if not caller.request_id:
        return None
    row = connection.execute(
        "SELECT rowid, at FROM quota_calls WHERE request_id <> '' AND name = ? AND request_id = ? AND at > ? LIMIT 1",
        (window.name, caller.request_id, now - instants.span(window.length)),
    ).fetchone()
    if row is None:
        return None
    at = int(row["at"])
    if at >= max(now - LATE, _opens_at(window)):
        return at
    connection.execute("DELETE FROM quota_calls WHERE rowid = ?", (row["rowid"],))
    return None


def _offer(connection: sqlite3.Connection, window: Window, caller: Caller, now: int) -> _Offer:
    length, step = instants.span(window.length), instants.span(window.step)
    # The call that has to leave before there is room is the limit-th from the newest.
    leaves = _newest(connection, window, now - length, window.limit - 1)
    room_at = max(now, _opens_at(window), 0 if leaves is None else leaves + length)
    if not caller.request_id:
        return _Offer(room_at, room_at)
    connection.execute("DELETE FROM quota_turns WHERE name = ? AND at <= ?", (window.name, now - DUE_FOR))
    parties = _parties(connection, window, caller.party)
    newest = _newest(connection, window, now - length, 0)
    if newest is not None and (room_at > now or newest > now or parties):
        room_at = max(room_at, newest + step)
    rank = _rank(connection, window, caller, _since(connection, window, caller, now))
    gives_way = parties > 1 and _gives_way(connection, window, caller, room_at)
    return _Offer(room_at, room_at + (rank * max(1, parties) + gives_way) * step, gives_way)


def _opens_at(window: Window) -> int:
    return 0 if window.opens_at is None else instants.stored(window.opens_at)


def _newest(connection: sqlite3.Connection, window: Window, after: int, passed_over: int) -> int | None:
    """The newest call after this instant, or an older one when some are passed over."""
    row = connection.execute(
        "SELECT at FROM quota_calls WHERE name = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?",
        (window.name, after, passed_over),
    ).fetchone()
    return None if row is None else int(row["at"])


def _gives_way(connection: sqlite3.Connection, window: Window, caller: Caller, room_at: int) -> bool:
    """Whether another party is due before this moment and the caller's has had its share of those before it."""
    step = instants.span(window.step)
    others, waits_since = connection.execute(
        "SELECT count(DISTINCT party), min(since) FROM quota_turns WHERE name = ? AND at <= ? AND party <> ?",
        (window.name, room_at + step, caller.party),
    ).fetchone()
    if not others:
        return False
    parties = 1 + min(int(others), MOST_PARTIES)
    # What a party had while it was alone took nothing away from others.
    begins = max(room_at - max(window.limit, SHARES * parties) * step, int(waits_since))
    had = connection.execute(
        "SELECT count(*) FROM quota_calls WHERE name = ? AND party = ? AND at > ?",
        (window.name, caller.party, begins),
    ).fetchone()[0]
    return (int(had) - SLACK) * parties * step >= room_at - begins


def _since(connection: sqlite3.Connection, window: Window, caller: Caller, now: int) -> int:
    """Since when the caller waits; now when it does not."""
    row = connection.execute(
        "SELECT since FROM quota_turns WHERE name = ? AND request_id = ?", (window.name, caller.request_id)
    ).fetchone()
    return now if row is None else int(row["since"])


def _rank(connection: sqlite3.Connection, window: Window, caller: Caller, since: int) -> int:
    """How many of the caller's party wait before it."""
    row = connection.execute(
        "SELECT count(*) FROM quota_turns WHERE name = ? AND party = ? AND (since, request_id) < (?, ?)",
        (window.name, caller.party, since, caller.request_id),
    ).fetchone()
    return int(row[0])


def _parties(connection: sqlite3.Connection, window: Window, own: str) -> int:
    """How many parties wait, the caller's among them where any does; by hopping from one to the next."""
    row = connection.execute(
        "WITH RECURSIVE waits (party) AS ("
        " SELECT min(party) FROM quota_turns WHERE name = :name"
        " UNION ALL SELECT (SELECT min(party) FROM quota_turns WHERE name = :name AND party > waits.party)"
        " FROM waits WHERE waits.party IS NOT NULL LIMIT :most"
        ") SELECT count(party), max(party = :own) FROM waits",
        {"name": window.name, "most": MOST_PARTIES, "own": own},
    ).fetchone()
    return int(row[0]) + (bool(row[0]) and not row[1])


def _wait(connection: sqlite3.Connection, window: Window, caller: Caller, offer: _Offer, now: int) -> int:
    """Put the caller in its party's line; when it is to ask again."""
    if not caller.request_id:
        return offer.room_at
    connection.execute(
        "INSERT INTO quota_turns (name, request_id, party, since, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name, request_id) DO UPDATE SET at = excluded.at",
        (window.name, caller.request_id, caller.party, now, offer.turn),
    )
    return ask_at(offer.turn, offer.room_at, now)


def _pace(connection: sqlite3.Connection, name: str) -> Pace | None:
    row = connection.execute("SELECT pace FROM quota_paces WHERE name = ?", (name,)).fetchone()
    return None if row is None else pace_of(json.loads(row["pace"]))
