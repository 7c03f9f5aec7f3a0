"""Looks at the data directory of the embedded platform, and harms no platform that runs on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.rules import embedded as rules
from headrace_runtime.doctor.running import Check, Subject

NAME = "Data directory"
QUICK_CHECK_SECONDS = 2.0
STEPS = 100_000
PLENTY_OF_FILES = 1_000_000

_DIRECTORY = "Make it a directory that this user may write to, or set HEADRACE_DATA_DIR to another one."


def data_directory(folder: Path, schemas: Mapping[str, int]) -> Subject:
    """The directory of everything. `schemas` names the files in it, with the version this release knows."""
    # Not by `resolve`, which follows links: into whatever hangs behind them.
    absolute = Path(os.path.abspath(folder))

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        yield _Asking(absolute, schemas).checks()

    return Subject(NAME, opening)


class _Asking:
    def __init__(self, folder: Path, schemas: Mapping[str, int]) -> None:
        self._folder = folder
        self._schemas = schemas

    def checks(self) -> list[Check]:
        return [
            Check("SQLite", self._sqlite, "Use a Python with a newer SQLite."),
            # First what hangs on no file: a network file system that is away holds whoever touches it.
            Check("file system", self._file_system, _DIRECTORY, is_needed=True),
            Check("directory", self._directory, _DIRECTORY, is_needed=True),
            Check("room", self._room, _DIRECTORY),
            Check("lock", self._lock, _DIRECTORY),
            *(Check(name, self._file(name, known), _DIRECTORY) for name, known in self._schemas.items()),
        ]

    async def _sqlite(self) -> Finding:
        return rules.sqlite(sqlite3.sqlite_version, _has_full_text())

    async def _file_system(self) -> Finding:
        return rules.file_system(_kind_of_file_system(self._folder))

    async def _directory(self) -> Finding:
        if self._folder.exists() and not self._folder.is_dir():
            return error("directory", f"{self._folder} is no directory", _DIRECTORY)
        existing = _existing(self._folder)
        if not os.access(existing, os.W_OK | os.X_OK):
            return error("directory", f"{existing} may not be written to by this user", _DIRECTORY)
        is_new = existing != self._folder
        return ok("directory", f"{self._folder}{' is made at the first start' if is_new else ''}")

    async def _room(self) -> Finding:
        told = os.statvfs(_existing(self._folder))
        # File systems without a table of files tell zero of zero.
        return rules.room(told.f_bavail * told.f_frsize, told.f_favail if told.f_files else PLENTY_OF_FILES)

    async def _lock(self) -> Finding:
        """Read from the kernel's list: trying the lock could keep a platform from starting in that moment."""
        return rules.lock(_holder(self._folder / "lock"))

    def _file(self, name: str, known: int) -> _Look:
        return _Look(self._folder / name, known)


class _Look:
    """Looks at one database file."""

    def __init__(self, path: Path, known: int) -> None:
        self._path = path
        self._known = known

    async def __call__(self) -> list[Finding]:
        return await asyncio.to_thread(self._look)

    def _look(self) -> list[Finding]:
        if not self._path.exists():
            return []
        try:
            with contextlib.closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as connection:
                version = int(connection.execute("PRAGMA user_version").fetchone()[0])
                newer = rules.schema(self._path.name, version, self._known)
                return [newer or rules.integrity(self._path.name, _quick_check(connection))]
        except sqlite3.DatabaseError as failure:
            return [rules.integrity(self._path.name, [str(failure)])]


def _quick_check(connection: sqlite3.Connection) -> list[str] | None:
    """What it says; None when its time is over. It reads, and holds up nobody who writes."""
    until = time.monotonic() + QUICK_CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    try:
        return [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.OperationalError as failure:
        if getattr(failure, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            return None
        raise


def _has_full_text() -> bool:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5(words)")
        except sqlite3.OperationalError:
            return False
    return True


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _kind_of_file_system(folder: Path) -> str:
    """The kind of what is mounted nearest above the folder; "" where the kernel does not tell."""
    found = (Path("/"), "")
    try:
        lines = Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        mounted = Path(place.replace("\\040", " "))
        # The later of two mounts at one place hides the earlier.
        if (mounted == folder or mounted in folder.parents) and len(mounted.parts) >= len(found[0].parts):
            found = (mounted, kind)
    return found[1]


def _holder(lock: Path) -> int | None:
    """The process that holds the lock; None when nobody does, or the kernel does not tell."""
    try:
        inode = lock.stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if "FLOCK" in fields and fields[-3].rpartition(":")[2] == str(inode):
            return int(fields[-4])
    return None
