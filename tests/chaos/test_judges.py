"""The judges of server mode find each wrong by its name, and nothing where nothing is wrong."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headrace_core.ids import new_id
from pymongo import MongoClient
from pymongo.database import Database

from . import dump_mongo, r2, r3, r5
from .dump import Dump, RunSeen, StepSeen
from .effects import Sink
from .ledger import Ledger, Try
from .load import HOOK
from .logs_seen import Logs
from .timed import TIMED, Fired, Timers

DONE = 4


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger")) as opened:
        yield opened


@pytest.fixture
def sink() -> Iterator[Sink]:
    with contextlib.closing(Sink()) as opened:
        yield opened


@pytest.fixture
def namespace() -> str:
    return f"test_{new_id()}"


@pytest.fixture
def database(mongo_url: str, namespace: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongo_url) as client:
        yield client[f"{namespace}_executor"]
        client.drop_database(f"{namespace}_executor")


def records(step_id: str) -> bytes:
    return json.dumps([{"k": "s", "i": step_id, "n": HOOK, "x": "done"}]).encode()


def kept_run(run_id: str, **given: Any) -> dict[str, Any]:
    plain = {"event_id": f"idempotency-key:{run_id}", "trigger_id": HOOK, "state": DONE, "error": "", "epoch": 2}
    return {"_id": run_id, **plain, "pages": [], "journal": [], **given}


def test_runs_are_read_from_their_documents_pages_and_pieces(
    mongo_url: str, namespace: str, database: Database[dict[str, Any]]
) -> None:
    long = records("s3")
    piece = f"e1/{hashlib.sha256(long).hexdigest()}"
    database["pages"].insert_one({"_id": "e1/1/1", "journal": [{"seq": 1, "records": records("s1")}]})
    database["pieces"].insert_one({"_id": piece, "data": long})
    newest = [{"seq": 2, "records": records("s2")}, {"seq": 4, "records": [piece]}]
    database["runs"].insert_one(kept_run("e1", pages=["e1/1/1"], journal=newest))

    dump = dump_mongo.read(mongo_url, namespace, HOOK)

    assert dump.runs == [RunSeen("e1", "e1", "done", "", 2)]
    assert [step.step_id for step in dump.steps] == ["s1", "s2", "s3"]
    assert (dump.corrupt, dump.taken_over) == ([], 1)


def test_what_is_missing_in_a_journal_or_out_of_order_is_named(
    mongo_url: str, namespace: str, database: Database[dict[str, Any]]
) -> None:
    damaged = f"e3/{hashlib.sha256(b'as it was').hexdigest()}"
    database["pieces"].insert_one({"_id": damaged, "data": b"as it is"})
    chunk = {"seq": 1, "records": records("s")}
    database["runs"].insert_many(
        [
            kept_run("e1", pages=["e1/1/1"]),
            kept_run("e2", journal=[chunk, chunk]),
            kept_run("e3", journal=[{"seq": 1, "records": [damaged]}]),
            kept_run("e4", journal=[{"seq": 1, "records": ["e4/gone"]}]),
        ]
    )

    corrupt = dump_mongo.read(mongo_url, namespace, HOOK).corrupt

    assert [line.partition(" ")[2][:2] for line in corrupt] == ["e1", "e2", "e3", "e4"]


def test_records_that_are_missing_or_there_twice_are_told() -> None:
    dump = Dump([RunSeen("r", "e", "done", "")], [StepSeen("r", name, HOOK, "done", "", 0) for name in ("s1", "s2")])

    assert Logs(Counter({"s1.in": 1, "s2.in": 1, "s2.out.0": 1})).complaints(dump) == []
    [missing, double] = Logs(Counter({"s1.in": 1, "s1.out.0": 2})).complaints(dump)

    assert "1 records are missing: s2.in" in missing
    assert "1 records are double: s1.out.0" in double


def test_steps_of_other_flows_owe_no_records() -> None:
    assert Logs(Counter()).complaints(Dump([], [StepSeen("other", "s", HOOK, "done", "", 0)])) == []


def call(sink: Sink, event: str, key: str) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", sink.port, timeout=10)) as connection:
        connection.request("POST", f"/{TIMED}/{event}", b"{}", {"Idempotency-Key": key})
        connection.getresponse().read()


def test_timers_are_missed_double_early_or_late_by_name(ledger: Ledger, sink: Sink) -> None:
    early, late = Timers(wait_seconds=60), Timers(wait_seconds=-60)
    for timers in (early, late):
        assert timers.body("e") == timers.body("e")
    for event in ("e", "never"):
        ledger.acknowledge(event)
    for key in ("k", "k", "another"):
        call(sink, "e", key)

    assert [line.split()[1:3] for line in early.judge(ledger, sink).complaints(5)] == [
        ["1", "were"],  # missed
        ["1", "fired"],  # twice
        ["1", "were"],  # early
    ]
    assert 59 < late.judge(ledger, sink).latest < 90


def seen(server: str, *tries: Try, **given: Any) -> r5.Seen:
    """An outage from the 100th second to the 110th."""
    values: dict[str, Any] = {"fired": Fired([], [], 0, 0.0), "logs_seconds": 1.0, "growth": {"executor": 1.0}, **given}
    return r5.Seen(r5.Case(server, "refuse"), r5.Times(10, 100, 110, 115), tries, **values)


def test_an_outage_nobody_sees_raises_no_complaint() -> None:
    calm = [Try(f"c{number}", 1, 50 + number, 0.05, 200) for number in range(20)]
    meanwhile = [Try(f"m{number}", 1, 101 + number / 10, 0.06, 200) for number in range(20)]

    for server in r5.SERVERS:
        assert list(seen(server, *calm, *meanwhile).complaints()) == []


@pytest.mark.parametrize(
    ("server", "tried", "complains"),
    [
        ("rabbitmq", Try("e", 1, 101, 0.1, 503, "1"), True),
        ("redis", Try("e", 1, 101, 3.0), True),
        ("elasticsearch", Try("e", 1, 101, 0.8, 200), True),  # slower than before
        ("mongo", Try("e", 1, 101, 0.1, 503, "1"), False),
        ("mongo", Try("e", 1, 101, 0.1, 503), True),  # without Retry-After
        ("mongo", Try("e", 1, 101, 0.1, 500, "1"), True),
        ("mongo", Try("e", 1, 101, 2.5, 503, "1"), True),  # too late
        ("mongo", Try("e", 1, 99.5, 2.3, 503, "1"), False),  # it was asked before the outage
        ("mongo", Try("e", 1, 101, 3.0), True),  # no answer
    ],
)
def test_what_a_client_may_see_of_an_outage_depends_on_the_server(server: str, tried: Try, complains: bool) -> None:
    assert bool(list(seen(server, tried).complaints())) is complains


def test_late_timers_late_logs_and_hunger_are_complaints() -> None:
    late = Fired([], [], 0, latest=16.0)

    assert [line.partition(":")[0] for line in seen("redis", fired=late).complaints()] == ["timers"]
    assert list(seen("mongo", fired=late).complaints()) == []
    assert [line.partition(":")[0] for line in seen("elasticsearch", logs_seconds=61).complaints()] == ["logs"]
    assert [line.partition(":")[0] for line in seen("redis", growth={"executor": 1.6}).complaints()] == ["memory"]


def test_an_event_counts_by_its_first_tries(ledger: Ledger) -> None:
    began = time.monotonic()
    for event, number, status in (
        ("a", 1, 200),
        ("b", 1, 503),
        ("b", 2, 200),
        ("c", 1, 0),
        ("c", 2, 503),
        ("c", 3, 202),
    ):
        ledger.note(Try(event, number, began, 0.1, status))

    assert [ledger.accepted_within(tries) for tries in (1, 2, 3)] == [1, 2, 3]


def test_a_seed_names_its_faults_and_spreads_them_over_every_service_and_server() -> None:
    level = r2.LEVELS["ci"]
    faults = r2.faults_of(level, 7)

    assert faults == r2.faults_of(level, 7) != r2.faults_of(level, 8)
    kinds = Counter(fault.kind.partition(".")[0] for fault in faults)
    assert kinds == dict.fromkeys(("gateway", "flow_manager", "scheduler", "executor", "logging"), level.kills)
    series = r3.faults_of(r3.LEVELS["ci"], 7)
    assert {name: len(each) for name, each in series.items()} == r3.LEVELS["ci"].kills


def test_an_outage_is_chosen_by_the_seed_or_named() -> None:
    assert len({str(r5.cases_of("ci", seed, None, None)[0]) for seed in range(100)}) == 12
    assert len(r5.cases_of("nightly", 1, None, None)) == 12
    assert r5.cases_of("ci", 1, "mongo", "reset") == [r5.Case("mongo", "reset")]
