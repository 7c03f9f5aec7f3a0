"""Removals of users in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from headrace_core.errors import NotFound
from headrace_runtime.sqlite import Database

from headrace_flow_manager import times
from headrace_flow_manager.people.departure import Departure, Status

SCHEMA = """
CREATE TABLE departures (
    ticket TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    steps_done INTEGER NOT NULL,
    steps_total INTEGER NOT NULL,
    error TEXT NOT NULL,
    changed_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX departures_under_way ON departures (user_id) WHERE status = 'in-progress';
CREATE INDEX departures_by_status ON departures (status, changed_at)
"""


class SqliteDepartures:
    """The DepartureStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, departure: Departure) -> Departure:
        def work(connection: sqlite3.Connection) -> Departure:
            row = connection.execute(
                "SELECT * FROM departures WHERE user_id = ? AND status = ?", (departure.user_id, Status.IN_PROGRESS)
            ).fetchone()
            if row is not None:
                return _departure(row)
            connection.execute(
                "INSERT INTO departures (ticket, user_id, status, steps_done, steps_total, error, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    departure.ticket,
                    departure.user_id,
                    departure.status,
                    departure.steps_done,
                    departure.steps_total,
                    departure.error,
                    times.to_micros(departure.changed_at),
                ),
            )
            return departure

        return await self._database.write(work)

    async def get(self, user_id: str, ticket: str) -> Departure:
        def work(connection: sqlite3.Connection) -> Departure:
            row = connection.execute(
                "SELECT * FROM departures WHERE ticket = ? AND user_id = ?", (ticket, user_id)
            ).fetchone()
            if row is None:
                raise NotFound("ticket", ticket)
            return _departure(row)

        return await self._database.read(work)

    async def under_way(self, limit: int) -> Sequence[Departure]:
        def work(connection: sqlite3.Connection) -> Sequence[Departure]:
            rows = connection.execute(
                "SELECT * FROM departures WHERE status = ? ORDER BY changed_at LIMIT ?", (Status.IN_PROGRESS, limit)
            )
            return [_departure(row) for row in rows]

        return await self._database.read(work)

    async def save(self, departure: Departure) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE departures SET status = ?, steps_done = ?, error = ?, changed_at = ?"
                " WHERE ticket = ? AND status = ? AND steps_done <= ?",
                (
                    departure.status,
                    departure.steps_done,
                    departure.error,
                    times.to_micros(departure.changed_at),
                    departure.ticket,
                    Status.IN_PROGRESS,
                    departure.steps_done,
                ),
            )

        await self._database.write(work)

    async def prune(self, before: datetime) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM departures WHERE status <> ? AND changed_at < ?",
                (Status.IN_PROGRESS, times.to_micros(before)),
            )

        await self._database.write(work)


def _departure(row: sqlite3.Row) -> Departure:
    return Departure(
        ticket=row["ticket"],
        user_id=row["user_id"],
        steps_total=row["steps_total"],
        changed_at=times.from_micros(row["changed_at"]),
        steps_done=row["steps_done"],
        status=Status(row["status"]),
        error=row["error"],
    )
