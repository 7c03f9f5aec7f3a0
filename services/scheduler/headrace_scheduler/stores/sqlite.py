"""All that the scheduler keeps, in one SQLite file."""

from collections.abc import Callable
from pathlib import Path

from headrace_runtime.sqlite import Database

from headrace_scheduler.store import LockStore, QuotaStore, TimerStore
from headrace_scheduler.stores import fencing, locks, quotas, timers

MIGRATIONS = (fencing.SCHEMA + timers.SCHEMA + locks.SCHEMA + quotas.SCHEMA, quotas.TURNS)


class SqliteStore:
    """Timers, locks and quotas in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.timers: TimerStore = timers.SqliteTimerStore(database)
        self.locks: LockStore = locks.SqliteLockStore(database)
        self.quotas: QuotaStore = quotas.SqliteQuotaStore(database)

    async def gap(self) -> str:
        return ""  # a write that was answered is on disk

    async def close_gap(self, gap: str) -> None:
        """There is never one to close."""

    async def close(self) -> None:
        """Finish what is under way and close the file. Closing again changes nothing."""
        await self._database.close()


async def open_store(path: Path, *, on_broken: Callable[[BaseException], None] | None = None) -> SqliteStore:
    """Open or make the scheduler's file. Raises Conflict when a newer release wrote it.

    `on_broken` hears of a failed commit: the process should then end and be started again.
    """
    return SqliteStore(await Database.open(path, MIGRATIONS, on_broken=on_broken))
