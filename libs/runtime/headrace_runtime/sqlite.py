"""SQLite with group commit: one writer thread, readers beside it, an answer only after the commit.

A write is a function over the connection. All functions that arrive while a commit is under way share the next
transaction, each in a savepoint of its own, so that one that fails takes nobody with it. The caller hears of
success only after `COMMIT` returned with `synchronous=FULL`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from headrace_core.errors import Conflict, Internal, Unavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_GROUP = 512
MAX_WAITING = 20_000
CLOSE_DEADLINE_SECONDS = 30.0
READERS = 2


@dataclass(slots=True)
class _Write:
    work: Work[Any]
    future: asyncio.Future[Any] | concurrent.futures.Future[Any]
    value: Any = None
    error: BaseException | None = None


class Database:
    """One SQLite file, opened once per process."""

    def __init__(self, path: Path, *, on_broken: Callable[[BaseException], None] | None = None) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._broken: BaseException | None = None
        self._on_broken = on_broken
        self._reading = threading.local()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix=f"sqlite-read-{path.stem}")
        self._reader_connections: list[sqlite3.Connection] = []
        self._writer = threading.Thread(target=self._write_loop, name=f"sqlite-write-{path.stem}", daemon=True)

    @classmethod
    async def open(
        cls,
        path: Path,
        migrations: Sequence[str],
        *,
        on_broken: Callable[[BaseException], None] | None = None,
    ) -> Database:
        """Open or make the file and bring its schema up to `len(migrations)`.

        `on_broken` hears once, in words that name the file, of a failed commit: what is on disk is then unknown,
        every later write is refused, and the process should end and be started again.
        Raises Conflict when the file was written by a newer release, Internal when it is no database.
        """
        database = cls(path, on_broken=on_broken)
        await asyncio.to_thread(_migrate, path, migrations)
        database._writer.start()
        return database

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the next transaction and return its value once that is on disk.

        What `work` raises reaches the caller and undoes only its own changes. `work` may run in any thread and must
        touch nothing but the connection. Raises Unavailable when too many writes wait or a commit failed.
        """
        if self._closed or self._broken is not None:
            raise Unavailable(f"The store {self._path.name} takes no writes: {self._broken or 'it is closed'}.")
        if self._waiting >= MAX_WAITING:
            raise Unavailable(
                f"The store {self._path.name} has {self._waiting} writes waiting.",
                retry_after=timedelta(seconds=1),
            )
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(_Write(work, future))
        return await future

    def write_blocking(self, work: Work[T], timeout: timedelta) -> T:
        """Like `write`, for a thread that must not depend on the event loop. Raises TimeoutError."""
        if self._closed or self._broken is not None:
            raise Unavailable(f"The store {self._path.name} takes no writes: {self._broken or 'it is closed'}.")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._queue.put(_Write(work, future))
        return future.result(timeout.total_seconds())

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a read-only connection that sees every finished write."""
        if self._closed:
            raise Unavailable(f"The store {self._path.name} is closed.")
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def backup(self, target: Path) -> None:
        """Copy the database as of now to `target` while writes go on."""

        def copy(connection: sqlite3.Connection) -> None:
            with contextlib.closing(sqlite3.connect(target)) as other:
                connection.backup(other)

        await self.read(copy)

    async def close(self) -> None:
        """Finish the writes that wait, then close. Closing again changes nothing."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join, CLOSE_DEADLINE_SECONDS)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reader_connections:
            connection.close()

    # The reader side.

    def _read(self, work: Work[T]) -> T:
        connection = getattr(self._reading, "connection", None)
        if connection is None:
            connection = _connect(self._path)
            connection.execute("PRAGMA query_only=ON")
            self._reading.connection = connection
            self._reader_connections.append(connection)
        return work(connection)

    # The writer side; runs in its own thread.

    def _write_loop(self) -> None:
        connection = _connect(self._path)
        try:
            while (first := self._queue.get()) is not None:
                group = [first]
                ending = self._gather(group)
                self._commit(connection, group)
                self._answer(group)
                if ending:
                    return
        finally:
            connection.close()

    def _gather(self, group: list[_Write]) -> bool:
        while len(group) < MAX_GROUP:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return False
            if item is None:
                return True
            group.append(item)
        return False

    def _commit(self, connection: sqlite3.Connection, group: list[_Write]) -> None:
        if self._broken is not None:
            self._refuse(group, self._broken)
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            for item in group:
                _run_in_savepoint(connection, item)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            if not _heals(error):
                self._broken = error
                if self._on_broken is not None:
                    self._loop.call_soon_threadsafe(self._on_broken, self._failure(error))
            self._refuse(group, error)

    def _refuse(self, group: list[_Write], error: BaseException) -> None:
        for item in group:
            item.value = None
            item.error = self._failure(error)

    def _failure(self, error: BaseException) -> Unavailable:
        return Unavailable(f"The store {self._path.name} could not commit: {error}.")

    def _answer(self, group: list[_Write]) -> None:
        of_loop = [item for item in group if isinstance(item.future, asyncio.Future)]
        for item in group:
            if not isinstance(item.future, asyncio.Future):
                _resolve(item)
        with contextlib.suppress(RuntimeError):  # the loop is gone when the process is being torn down
            self._loop.call_soon_threadsafe(self._settle, of_loop)

    def _settle(self, group: list[_Write]) -> None:
        self._waiting -= len(group)
        for item in group:
            _resolve(item)


def _resolve(item: _Write) -> None:
    if item.future.cancelled():
        return
    if item.error is not None:
        item.future.set_exception(item.error)
    else:
        item.future.set_result(item.value)


def _run_in_savepoint(connection: sqlite3.Connection, item: _Write) -> None:
    connection.execute("SAVEPOINT item")
    try:
        item.value = item.work(connection)
        connection.execute("RELEASE item")
    except sqlite3.OperationalError:
        raise  # the disk, not the work: the whole group is undone
    except Exception as error:
        item.error = error
        connection.execute("ROLLBACK TO item")
        connection.execute("RELEASE item")


def _heals(error: sqlite3.Error) -> bool:
    """A full disk, or a lock that another process holds: nothing of the group was written, and it passes."""
    return getattr(error, "sqlite_errorname", "") in ("SQLITE_FULL", "SQLITE_BUSY")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.row_factory = sqlite3.Row
    # SQLite's own lower() knows ASCII alone; migrations compare names as the services do.
    connection.create_function("casefold", 1, str.casefold, deterministic=True)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON;"
        "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8000; PRAGMA wal_autocheckpoint=4000;"
        "PRAGMA journal_size_limit=67108864;"
    )
    return connection


def _migrate(path: Path, migrations: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(_open_or_explain(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise Conflict(
                f"{path.name} has schema {version}, this release knows {len(migrations)}: start the newer release."
            )
        for number, script in enumerate(migrations[version:], start=version + 1):
            connection.executescript(f"BEGIN IMMEDIATE;\n{script};\nPRAGMA user_version={number};\nCOMMIT;")


def _open_or_explain(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        raise Internal(f"{path.name} cannot be opened ({error}): restore it from a backup or move it away.") from error


@contextlib.contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Hold a data directory for this process alone.

    Raises Conflict when another process holds it, or nothing can be kept there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Conflict(
            f"Nothing can be kept in the data directory {directory} ({error.strerror}): make it a directory that this "
            "user may write to, or set HEADRACE_DATA_DIR to another one."
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"The data directory {directory} is in use by another Headrace: stop that one or set HEADRACE_DATA_DIR."
            ) from None
        yield
    finally:
        os.close(descriptor)
