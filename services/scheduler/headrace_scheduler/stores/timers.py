"""Timers in SQLite."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from headrace_core.errors import Conflict, HeadraceError
from headrace_runtime.sqlite import Database

from headrace_scheduler import model
from headrace_scheduler.model import Claim, KeptTimer, Retry, Settlement, Timer
from headrace_scheduler.store import Claims
from headrace_scheduler.stores import fencing, instants, rows

# `due_at` is when a timer may be claimed: its next time, or the end of a claim or of a pause while it is held.
SCHEMA = """
    CREATE TABLE timers (
        timer_id TEXT PRIMARY KEY,
        group_id TEXT NOT NULL,
        tenant_id TEXT NOT NULL,
        schedule TEXT NOT NULL,
        misfire TEXT NOT NULL,
        flow_id TEXT NOT NULL,
        node_id TEXT NOT NULL,
        port TEXT NOT NULL,
        run_id TEXT NOT NULL,
        immediate INTEGER NOT NULL,
        next_at INTEGER,
        previous_at INTEGER,
        is_promised INTEGER NOT NULL,
        caught_up INTEGER NOT NULL,
        due_at INTEGER,
        is_held INTEGER NOT NULL DEFAULT 0,
        owner TEXT NOT NULL DEFAULT '',
        fence INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX timers_due ON timers (due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX timers_held ON timers (due_at) WHERE is_held = 1;
    CREATE INDEX timers_by_group ON timers (group_id, timer_id);
"""

_INSERT = """
    INSERT INTO timers (timer_id, group_id, tenant_id, schedule, misfire, flow_id, node_id, port, run_id, immediate,
                        next_at, previous_at, is_promised, caught_up, due_at)
    VALUES (:timer_id, :group_id, :tenant_id, :schedule, :misfire, :flow_id, :node_id, :port, :run_id, :immediate,
            :next_at, :previous_at, :is_promised, :caught_up, :next_at)
"""
_RETARGET = """
    UPDATE timers SET group_id = :group_id, misfire = :misfire, flow_id = :flow_id, node_id = :node_id, port = :port,
                      run_id = :run_id, immediate = :immediate
    WHERE timer_id = :timer_id
"""
_BEGIN_ANEW = """
    UPDATE timers SET schedule = :schedule, next_at = :next_at, is_promised = 0, caught_up = 0, due_at = :next_at,
                      is_held = 0, owner = '', attempts = 0
    WHERE timer_id = :timer_id
"""
_DUE = "SELECT * FROM timers WHERE due_at <= ? ORDER BY due_at, timer_id LIMIT ?"
_VOID = "SELECT * FROM timers WHERE is_held = 1 AND due_at > ? ORDER BY due_at, timer_id LIMIT ?"
_MINE = "timer_id = ? AND owner = ? AND fence = ?"


class SqliteTimerStore:
    """TimerStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, timers: Sequence[Timer], now: datetime, *, only_missing: bool = False) -> list[KeptTimer]:
        return await self._database.write(
            lambda connection: [_put(connection, timer, now, only_missing) for timer in timers]
        )

    async def remove(self, *, timer_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> int:
        return await self._database.write(lambda connection: _remove(connection, timer_ids, group_ids))

    async def list(self, *, group_id: str, after_timer_id: str, limit: int) -> list[KeptTimer]:
        return await self._database.read(lambda connection: _list(connection, group_id, after_timer_id, limit))

    async def claim_due(self, owner: str, now: datetime, lease: timedelta, limit: int) -> Claims:
        return await self._database.write(lambda connection: _claim_due(connection, owner, now, lease, limit))

    async def settle(self, settlements: Sequence[Settlement]) -> int:
        return await self._database.write(
            lambda connection: sum(_settle(connection, settlement) for settlement in settlements)
        )

    async def release(self, retries: Sequence[Retry]) -> int:
        return await self._database.write(lambda connection: sum(_release(connection, retry) for retry in retries))

    async def drop(self, claims: Sequence[Claim]) -> int:
        return await self._database.write(lambda connection: sum(_drop(connection, claim) for claim in claims))

    async def next_due(self, now: datetime) -> datetime | None:
        return await self._database.read(lambda connection: _next_due(connection, now))


def _put(connection: sqlite3.Connection, timer: Timer, now: datetime, only_missing: bool) -> KeptTimer:
    row = connection.execute("SELECT * FROM timers WHERE timer_id = ?", (timer.timer_id,)).fetchone()
    if row is None:
        kept = model.put(timer, None, now)
        connection.execute(_INSERT, rows.values(kept))
        return kept
    if row["tenant_id"] != timer.tenant_id:
        raise Conflict(f"The timer id {timer.timer_id!r} is taken by another tenant: choose one of your own.")
    if only_missing:
        return rows.kept(row)
    connection.execute(_RETARGET, rows.values(KeptTimer(timer, None)))
    if row["schedule"] == rows.written(timer.schedule):
        return model.put(timer, rows.kept(row), now)
    kept = model.put(timer, rows.begun_anew(row), now)
    connection.execute(_BEGIN_ANEW, rows.values(kept))
    return kept


def _remove(connection: sqlite3.Connection, timer_ids: Sequence[str], group_ids: Sequence[str]) -> int:
    removed = 0
    for column, names in (("timer_id", timer_ids), ("group_id", group_ids)):
        if names:
            removed += connection.execute(
                f"DELETE FROM timers WHERE {column} IN (SELECT value FROM json_each(?))", (json.dumps(list(names)),)
            ).rowcount
    return removed


def _list(connection: sqlite3.Connection, group_id: str, after_timer_id: str, limit: int) -> list[KeptTimer]:
    of_group = "group_id = :group AND " if group_id else ""
    found = connection.execute(
        f"SELECT * FROM timers WHERE {of_group} timer_id > :after ORDER BY timer_id LIMIT :limit",
        {"group": group_id, "after": after_timer_id, "limit": limit},
    )
    return [rows.kept(row) for row in found]


def _claim_due(connection: sqlite3.Connection, owner: str, now: datetime, lease: timedelta, limit: int) -> Claims:
    due = connection.execute(_DUE, (instants.stored(now), limit)).fetchall()
    due += connection.execute(_VOID, (instants.stored(now + rows.LONGEST_HOLD), limit - len(due))).fetchall()
    if not due:
        return Claims()
    fence = fencing.next_token(connection)
    claims: list[Claim] = []
    unreadable: list[str] = []
    for row in due:
        try:
            kept = model.promise(rows.kept(row), now)
        except HeadraceError:
            _hold(connection, row, now + rows.ASIDE)
            unreadable.append(row["timer_id"])
            continue
        if kept.is_promised and kept.next_at is not None:
            claims.append(_claim(connection, Claim(kept, kept.next_at, owner, fence, row["attempts"]), now + lease))
        else:
            _move_on(connection, kept)
    return Claims(tuple(claims), tuple(unreadable))


def _claim(connection: sqlite3.Connection, claim: Claim, until: datetime) -> Claim:
    connection.execute(
        "UPDATE timers SET next_at = ?, is_promised = 1, caught_up = ?, due_at = ?, is_held = 1, owner = ?, fence = ? "
        "WHERE timer_id = ?",
        (
            instants.stored(claim.nominal_at),
            claim.kept.caught_up,
            instants.stored(until),
            claim.owner,
            claim.fence,
            claim.kept.timer.timer_id,
        ),
    )
    return claim


def _hold(connection: sqlite3.Connection, row: sqlite3.Row, until: datetime) -> None:
    connection.execute(
        "UPDATE timers SET due_at = ?, is_held = 1, owner = '' WHERE timer_id = ?",
        (instants.stored(until), row["timer_id"]),
    )


def _move_on(connection: sqlite3.Connection, kept: KeptTimer) -> None:
    next_at = instants.stored_or_none(kept.next_at)
    if next_at is None and kept.timer.run_id:
        connection.execute("DELETE FROM timers WHERE timer_id = ?", (kept.timer.timer_id,))
        return
    connection.execute(
        "UPDATE timers SET next_at = ?, due_at = ?, is_held = 0, owner = '' WHERE timer_id = ?",
        (next_at, next_at, kept.timer.timer_id),
    )


def _settle(connection: sqlite3.Connection, settlement: Settlement) -> int:
    claim = settlement.claim
    if settlement.next_at is None and claim.kept.timer.run_id:
        return _drop(connection, claim)
    next_at = instants.stored_or_none(settlement.next_at)
    return connection.execute(
        "UPDATE timers SET previous_at = ?, next_at = ?, due_at = ?, is_promised = 0, is_held = 0, owner = '', "
        f"attempts = 0 WHERE {_MINE}",
        (instants.stored(claim.nominal_at), next_at, next_at, *_mine(claim)),
    ).rowcount


def _release(connection: sqlite3.Connection, retry: Retry) -> int:
    return connection.execute(
        f"UPDATE timers SET due_at = ?, owner = '', attempts = attempts + 1 WHERE {_MINE}",
        (instants.stored(retry.retry_at), *_mine(retry.claim)),
    ).rowcount


def _drop(connection: sqlite3.Connection, claim: Claim) -> int:
    return connection.execute(f"DELETE FROM timers WHERE {_MINE}", _mine(claim)).rowcount


def _mine(claim: Claim) -> tuple[str, str, int]:
    return claim.kept.timer.timer_id, claim.owner, claim.fence


def _next_due(connection: sqlite3.Connection, now: datetime) -> datetime | None:
    void = connection.execute(
        "SELECT 1 FROM timers WHERE is_held = 1 AND due_at > ? LIMIT 1", (instants.stored(now + rows.LONGEST_HOLD),)
    ).fetchone()
    if void is not None:
        return now
    row = connection.execute("SELECT min(due_at) AS due_at FROM timers WHERE due_at IS NOT NULL").fetchone()
    return instants.moment_or_none(row["due_at"])
