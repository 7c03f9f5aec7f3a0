"""R3: server mode survives kill -9 of any of its backing servers under load.

`python -m tests.chaos.r3 --level ci|nightly|release [--mutant answer_before_commit]` from the root of the
repository. Events are posted as in R2. Meanwhile RabbitMQ, Redis, MongoDB and Elasticsearch are killed and started
again over their own data, each in a series of its own, so that several may be down at once. Afterwards each
acknowledged event must have exactly one run that is done, no effect may be doubled, no step journaled twice, and
Elasticsearch must come to have the record of every step, none twice. Answers of 503 are allowed while MongoDB is away.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import logs_seen, oracle
from tests.chaos.backends import ServerKill
from tests.chaos.effects import Sink
from tests.chaos.faults import Fault, inflict, schedule
from tests.chaos.ledger import Ledger
from tests.chaos.load import HOOK, path_of, start_flow
from tests.chaos.r2 import SINK_SECONDS, load_of
from tests.chaos.served import NAMESPACE, Served, served_folder
from tests.chaos.verdict import Verdict, command, play

LOGS_WITHIN = 120
STRIKE_WITHIN = 900
"""Seconds in which the load must come as far as a server's next kill: some are killed once in all."""


@dataclass(frozen=True, slots=True)
class Level:
    """How much: kills of each server by its name, `pace` in events a second."""

    events: int
    kills: Mapping[str, int]
    pace: float = 30.0


LEVELS = {
    "short": Level(300, {"redis": 2, "mongo": 1}),
    "ci": Level(2_000, {"rabbitmq": 1, "redis": 10, "mongo": 5, "elasticsearch": 2}),
    "nightly": Level(10_000, {"rabbitmq": 10, "redis": 100, "mongo": 50, "elasticsearch": 20}),
    "release": Level(30_000, {"rabbitmq": 30, "redis": 300, "mongo": 150, "elasticsearch": 60}),
}


def faults_of(level: Level, seed: int) -> dict[str, list[Fault]]:
    """The faults of a seed, a series for each server."""
    chance = random.Random(seed)
    return {name: schedule({name: count}, level.events, chance) for name, count in level.kills.items()}


def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Post the events, kill, let everything come to rest, end the processes, judge."""
    names = [f"e{number}" for number in range(level.events)]
    with (
        contextlib.closing(Sink(SINK_SECONDS)) as sink,
        contextlib.closing(Ledger(folder / "ledger")) as ledger,
        Served(folder, mutant=mutant) as served,
    ):
        flow_id = start_flow(served.client(), sink.port, "R3")
        kills = {name: ServerKill(served.backing.all[name]) for name in level.kills}
        path = path_of(flow_id, HOOK)
        with load_of(served, path, names, ledger, sink, level.pace) as load:
            _inflict_all(faults_of(level, seed), ledger, kills)
            load.join()
        served.wait_for_rest(flow_id)
        logs_seconds = wait_for_logs(served)
        served.stop_services()
        dump = served.dump(HOOK)
        logs = logs_of(served)
        findings = oracle.judge(ledger, sink, dump)
    return Verdict(
        "R3",
        findings,
        [*_complaints(level, served, kills), *logs.complaints(dump)],
        events=level.events,
        kills=sum(kill.done for kill in kills.values()),
        told={
            **{f"{name}_kills": kill.done for name, kill in kills.items()},
            "refused_tries": sum(not each.is_accepted for each in ledger.tries),
            "taken_over": dump.taken_over,
            "log_records": len(logs.records),
            "logs_complete": f"{logs_seconds:.1f}s",
        },
    )


def _inflict_all(faults: Mapping[str, list[Fault]], ledger: Ledger, kills: Mapping[str, ServerKill]) -> None:
    """Each series by itself: a broker that takes its time does not keep the others from being killed."""
    with ThreadPoolExecutor(len(faults)) as pool:
        for series in [
            pool.submit(inflict, faults[name], ledger, {name: kills[name]}, within=STRIKE_WITHIN) for name in faults
        ]:
            series.result()


def logs_of(served: Served) -> logs_seen.Logs:
    return logs_seen.read(served.backing.elasticsearch.port, NAMESPACE)


def wait_for_logs(served: Served, within: float = LOGS_WITHIN) -> float:
    """Until Elasticsearch has all that the runs at rest have to tell; the seconds that took.

    What is missing at the end of the time is for the verdict to say.
    """
    began = time.monotonic()
    dump = served.dump(HOOK)
    while time.monotonic() < began + within and logs_of(served).missing(dump):
        time.sleep(0.5)
    return time.monotonic() - began


def _complaints(level: Level, served: Served, kills: Mapping[str, ServerKill]) -> Iterator[str]:
    yield from (f"fell: {line}" for line in served.fell)
    for name, count in level.kills.items():
        if kills[name].done != count:
            yield f"proof: {count} kills of {name} were due, {kills[name].done} were done"


def main() -> int:
    chosen = command(__doc__, LEVELS, "answer_before_commit").parse_args()
    level = LEVELS[chosen.level]
    faults = [fault for series in faults_of(level, chosen.seed).values() for fault in series]
    with served_folder(chosen.keep) as folder:
        return play(chosen, faults, lambda: run(folder, level, chosen.seed, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
