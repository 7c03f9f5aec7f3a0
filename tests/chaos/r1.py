"""R1: the embedded platform survives kill -9 and a frozen twin under load.

`python -m tests.chaos.r1 --level ci|nightly|release [--mutant answer_before_commit|no_fence]` from the root of the
repository. Every event is posted with an id of its own until it is acknowledged. Meanwhile the process is killed,
or stands still while another takes over its runs. Afterwards each acknowledged event must have exactly one run that
is done, no effect may be doubled, no step journaled twice, and every file must be sound. A run proves its faults:
without kills, or with a twin whose late commits were never refused, it is red.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import dump, oracle
from tests.chaos.effects import Sink
from tests.chaos.faults import Fault, Kill, Reserve, StalledKill, inflict, schedule
from tests.chaos.ledger import Ledger
from tests.chaos.load import HOOK, Load, start_flow
from tests.chaos.served import served_folder
from tests.chaos.store import Stall
from tests.chaos.twin import LEASE, FrozenTwin
from tests.chaos.verdict import Verdict, command, percentile, play
from tests.system.process import Client, Process, wait_for

REST_SECONDS = 120
SINK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Level:
    """How much. `ready_within`: seconds to be ready again after a kill, 99 of 100 times; None where there are too
    few kills to tell."""

    events: int
    kills: int
    twins: int
    ready_within: float | None = None


LEVELS = {
    "short": Level(120, 2, 1),
    "ci": Level(1_000, 15, 3),
    "nightly": Level(10_000, 200, 20, 3.0),
    "release": Level(50_000, 1_000, 60, 3.0),
}


def faults_of(level: Level, seed: int) -> list[Fault]:
    """The faults of a seed."""
    stalls = level.kills // 2
    kinds = {"kill": level.kills - stalls, "stall": stalls, "twin": level.twins}
    return schedule(kinds, level.events, random.Random(seed))


def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Post the events, let the faults strike, let everything come to rest, end the processes, judge."""
    data = folder / "data"
    process = Process(
        folder,
        HEADRACE_EGRESS_ALLOW_PRIVATE="true",
        HEADRACE_CHAOS_MUTANT=mutant,
        HEADRACE_EXECUTOR_LEASE=LEASE,
        HEADRACE_RETRY_FIRST="200ms",
        HEADRACE_RETRY_LONGEST="1s",
    )
    kill = Kill(process)
    stalled = StalledKill(kill, Stall(data))
    twin = FrozenTwin(process, data, random.Random(seed))
    with contextlib.closing(Sink(SINK_SECONDS)) as sink, contextlib.closing(Ledger(folder / "ledger")) as ledger:
        try:
            process.start()
            client = process.client()
            flow_id = start_flow(client, sink.port, "R1")
            names = [f"e{number}" for number in range(level.events)]
            faults = faults_of(level, seed)
            reserve = Reserve(faults, level.events)
            path = f"/flows/{flow_id}/components/{HOOK}"
            with Load(lambda: [twin.door], path, names, ledger, room=reserve.room) as load:
                inflict(faults, ledger, {"kill": kill, "stall": stalled, "twin": twin}, reserve)
                load.join()
            wait_for_rest(client, flow_id)
            process.end(signal.SIGTERM)
        finally:
            process.end(signal.SIGKILL)
        findings = oracle.judge(ledger, sink, dump.read(data, HOOK))
    ready = percentile(kill.ready_seconds)
    return Verdict(
        "R1",
        findings,
        list(_complaints(level, kill, twin, ready)),
        events=level.events,
        kills=kill.done,
        told={"twins": twin.done, "caught": twin.caught, "fenced": twin.refused, "ready_p99": f"{ready:.2f}s"},
    )


def _complaints(level: Level, kill: Kill, twin: FrozenTwin, ready: float) -> Iterator[str]:
    if (kill.done, twin.done) != (level.kills, level.twins):
        yield f"proof: {level.kills} kills and {level.twins} twins were due"
    if level.twins and not twin.refused:
        yield "proof: no late commit of a frozen twin was refused"
    if level.ready_within is not None and ready > level.ready_within:
        yield f"ready: p99 after a kill is {ready:.2f} s, {level.ready_within} s are allowed"


def wait_for_rest(client: Client, flow_id: str) -> None:
    """Until no run has anything to do. What does not come to rest in time is for the oracle to find."""

    def at_rest() -> bool:
        states = ("ready", "running", "waiting")
        return not any(client.get("/runs", {"flowId": flow_id, "state": state}).json()["items"] for state in states)

    with contextlib.suppress(AssertionError):
        wait_for(at_rest, REST_SECONDS)


def main() -> int:
    chosen = command(__doc__, LEVELS, "answer_before_commit or no_fence").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, faults_of(level, chosen.seed), lambda: run(folder, level, chosen.seed, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
