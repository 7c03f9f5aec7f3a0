"""What a test asks of the embedded platform's files, and does to them, while its processes live."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

RUNNING = 2
ENDED = 4


def opened(path: Path, timeout: float = 10) -> contextlib.closing[sqlite3.Connection]:
    """A connection for a block; it begins no transaction by itself and may be handed to another thread."""
    return contextlib.closing(sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False))


def in_hand(data: Path) -> dict[str, int]:
    """Run → epoch of all runs that a living executor works on."""
    with opened(data / "executor.db") as connection:
        rows = connection.execute(
            "SELECT run_id, epoch FROM runs JOIN owners USING (owner) WHERE state = ? AND alive_until > ?",
            (RUNNING, time.time()),
        )
        return dict(rows.fetchall())


def are_taken_over(data: Path, hands: dict[str, int]) -> bool:
    """Whether each of these runs has a later epoch by now, or has ended by a commit that was on its way already."""
    with opened(data / "executor.db") as connection:
        rows = connection.execute("SELECT run_id, epoch, state FROM runs").fetchall()
    now = {run_id: (epoch, state) for run_id, epoch, state in rows}
    return all(now[run_id][0] > epoch or now[run_id][1] >= ENDED for run_id, epoch in hands.items())


def is_locked(data: Path) -> bool:
    """Whether somebody is in the middle of a write to any of the files."""
    for path in data.glob("*.db"):
        with opened(path, timeout=0) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
    return False


class Stall:
    """A disk that takes no writes: accepted events cannot be committed until `end`."""

    def __init__(self, data: Path) -> None:
        self._path = data / "executor.db"
        self._held = contextlib.ExitStack()

    def begin(self) -> None:
        connection = self._held.enter_context(opened(self._path))
        connection.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self._held.close()
