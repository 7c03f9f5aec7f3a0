"""What the embedded platform has on disk, read after its processes have ended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.store import opened

STATES = ("", "ready", "running", "waiting", "done", "failed", "cancelled", "quarantined")
SQLITE = b"SQLite format 3\0"
OF_A_CALL = frozenset({"b", "e", "a"})
"""Fields of a step's record that tell of one attempt, not of its result."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run as it stands in the store."""

    run_id: str
    event: str
    state: str
    error: str
    epoch: int = 1
    """Above 1 where it was taken over."""


@dataclass(frozen=True, slots=True)
class StepSeen:
    """A finished step as it stands in the journal; `arrivals` came for it before: retries that a person ordered."""

    run_id: str
    step_id: str
    node: str
    outcome: str
    result: str
    arrivals: int


@dataclass(frozen=True, slots=True)
class Dump:
    """Everything the oracle judges."""

    runs: list[RunSeen] = field(default_factory=list)
    steps: list[StepSeen] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)

    @property
    def taken_over(self) -> int:
        """How many runs an executor took over from another, or from itself before it was killed."""
        return sum(run.epoch > 1 for run in self.runs)


def read(data: Path, trigger: str) -> Dump:
    """All runs that `trigger` started, all steps, and what SQLite says about each file."""
    with opened(data / "executor.db") as connection:
        runs = [
            RunSeen(run_id, event_id.rpartition(":")[2], STATES[state], error, epoch)
            for run_id, event_id, state, error, epoch in connection.execute(
                "SELECT run_id, event_id, state, error, epoch FROM runs WHERE trigger_id = ?", (trigger,)
            )
        ]
        chunks = connection.execute("SELECT run_id, records FROM journal ORDER BY run_id, seq, number")
        return Dump(runs, list(steps_of(chunks)), list(corruption(data)))


def steps_of(chunks: Iterable[tuple[str, bytes]]) -> Iterator[StepSeen]:
    """The finished steps in chunks of journals, each with its run; those of one run in order."""
    arrivals: dict[tuple[str, str], int] = {}
    for run_id, records in chunks:
        for record in json.loads(records):
            name = (run_id, record.get("i", ""))
            if record["k"] == "a":
                arrivals[name] = arrivals.get(name, 0) + 1
            elif record["k"] == "s":
                yield _step(run_id, record, arrivals.get(name, 0))


def _step(run_id: str, record: dict[str, Any], arrivals: int) -> StepSeen:
    result = {key: value for key, value in record.items() if key not in OF_A_CALL}
    return StepSeen(run_id, record["i"], record["n"], record["x"], json.dumps(result, sort_keys=True), arrivals)


def corruption(data: Path) -> Iterator[str]:
    """What SQLite finds wrong in any of its files."""
    files = [path for path in sorted(data.rglob("*")) if path.is_file() and _is_sqlite(path)]
    assert files, f"{data} holds no SQLite file."
    for path in files:
        yield from (f"{path.name}: {word}" for word in _check(path) if word != "ok")


def _check(path: Path) -> list[str]:
    with opened(path) as connection:
        try:
            return [word for (word,) in connection.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            return [str(error)]


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".db" or file.read(len(SQLITE)) == SQLITE
