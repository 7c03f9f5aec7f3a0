"""The oracle finds each wrong by its name, and nothing where nothing is wrong."""

from __future__ import annotations

import contextlib
import http.client
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from .dump import Dump, RunSeen, StepSeen, corruption
from .effects import Sink
from .ledger import Ledger
from .load import IDEMPOTENT, ONCE
from .oracle import judge


@pytest.fixture
def sink() -> Iterator[Sink]:
    with contextlib.closing(Sink()) as opened:
        yield opened


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger")) as opened:
        yield opened


def call(sink: Sink, path: str, key: str) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", sink.port, timeout=10)) as connection:
        connection.request("POST", path, b"{}", {"Idempotency-Key": key})
        connection.getresponse().read()


def done(event: str, run_id: str = "") -> RunSeen:
    return RunSeen(run_id or f"run of {event}", event, "done", "")


def step(run_id: str, result: str, arrivals: int = 0) -> StepSeen:
    return StepSeen(run_id, "s1", IDEMPOTENT, "done", result, arrivals)


def wrong(ledger: Ledger, sink: Sink, dump: Dump) -> set[str]:
    return {kind for kind, found in judge(ledger, sink, dump).kinds.items() if found}


def complete(ledger: Ledger, sink: Sink, event: str) -> None:
    ledger.acknowledge(event)
    call(sink, f"/{IDEMPOTENT}/{event}", "k")
    call(sink, f"/{ONCE}/{event}", "k")


def test_what_is_whole_is_found_whole(ledger: Ledger, sink: Sink) -> None:
    complete(ledger, sink, "e1")
    call(sink, f"/{IDEMPOTENT}/e1", "k")  # repeated under its key: allowed
    ledger.doubt("e2")

    assert wrong(ledger, sink, Dump([done("e1"), done("e2")], [step("r", "a"), step("r", "b", arrivals=1)])) == set()


def test_an_acknowledged_event_needs_a_finished_run_and_both_effects(ledger: Ledger, sink: Sink) -> None:
    for event in ("no run", "not done", "no effect"):
        ledger.acknowledge(event)
    runs = [RunSeen("r", "not done", "waiting", ""), done("no effect")]

    findings = judge(ledger, sink, Dump(runs))

    assert len(findings.lost) == 3
    assert len(findings.unfinished) == 1


def test_an_unsafe_effect_may_be_missing_only_where_its_step_was_skipped(ledger: Ledger, sink: Sink) -> None:
    ledger.acknowledge("e1")
    call(sink, f"/{IDEMPOTENT}/e1", "k")
    skipped = StepSeen("r", "s", ONCE, "skipped", "", 0)

    assert wrong(ledger, sink, Dump([done("e1", "r")])) == {"lost"}
    assert wrong(ledger, sink, Dump([done("e1", "r")], [skipped])) == set()


@pytest.mark.parametrize(("path", "key"), [(IDEMPOTENT, "another"), (ONCE, "k")])
def test_an_effect_is_doubled_by_another_key_or_when_unsafe_by_any_call(
    ledger: Ledger, sink: Sink, path: str, key: str
) -> None:
    complete(ledger, sink, "e1")
    call(sink, f"/{path}/e1", key)

    assert wrong(ledger, sink, Dump([done("e1")])) == {"duplicate_effects"}


def test_doubles_strangers_and_refusals_have_names(ledger: Ledger, sink: Sink) -> None:
    complete(ledger, sink, "e1")
    ledger.give_up("e2", "503")
    runs = [done("e1", "r1"), done("e1", "r2"), done("stranger")]

    found = wrong(ledger, sink, Dump(runs, [step("r1", "a"), step("r1", "b")]))

    assert found == {"duplicate_runs", "double_steps", "unexpected", "refused"}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript("CREATE TABLE t (a TEXT); CREATE INDEX i ON t (a);")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"value {number}",) for number in range(2_000)])
        connection.commit()
    assert list(corruption(tmp_path)) == []

    with (tmp_path / "a.db").open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)

    assert all(line.startswith("a.db: ") for line in corruption(tmp_path))
    assert list(corruption(tmp_path))
