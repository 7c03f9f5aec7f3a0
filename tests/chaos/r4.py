"""R4, amnesia: RabbitMQ, Redis and Elasticsearch lose everything, and nothing is lost.

`python -m tests.chaos.r4 --level ci|nightly|release [--mutant no_restore]` from the root of the repository. While a
thousand runs wait, a thousand timers of flows are due every other minute and more events come in all the time,
RabbitMQ's data are deleted, Redis is flushed and its files are deleted, and Elasticsearch is wiped, all at once.
Everything is rebuilt from MongoDB: each run that was open ends, each event that was acknowledged has one run, each
timer begins one run for each of its times, those of the outage included, and new records are logged again. A run proves
its faults: it is red where less than was due was open, or known by the servers, when they forgot it.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.chaos import flow_timers, load, logs_seen, oracle
from tests.chaos.amnesia import REBUILT_WITHIN, Amnesia, Memory
from tests.chaos.effects import Sink
from tests.chaos.ledger import Ledger
from tests.chaos.load import HOOK, IDEMPOTENT, ONCE, Load
from tests.chaos.oracle import SHOWN
from tests.chaos.served import NAMESPACE, Served, served_folder
from tests.chaos.timed import WAIT
from tests.chaos.verdict import command, play
from tests.system.process import wait_for

SINK_SECONDS = 0.02
POSTERS = 16
BEFORE_DUE = 5.0
"""Seconds between the first wipe and the first wait that ends."""

NODES = 10
"""Timers of each flow."""

HASTE = 3.0
HASTE_SECONDS = 60
"""Events a second that come in while the servers forget, and for how long."""

REST_SECONDS = 180
LATER = 30
"""Events after each wipe: their records must be logged."""


@dataclass(frozen=True, slots=True)
class Level:
    """How much is open, at which pace it is posted, and how often everything is wiped and away for how many seconds."""

    runs: int
    timers: int
    wipes: int
    pace: float = 10.0
    wait_minutes: int = 2
    away: float = 20.0


LEVELS = {
    "short": Level(100, 100, 1, wait_minutes=1, away=8),
    "ci": Level(1_000, 1_000, 1),
    "nightly": Level(1_000, 1_000, 5),
    "release": Level(1_000, 1_000, 10),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome; `holds` says whether the bar holds."""

    findings: oracle.Findings
    timers: flow_timers.Judged
    amnesia: Amnesia
    waiting: int
    fires: int
    complaints: Sequence[str]

    @property
    def kinds(self) -> dict[str, list[str]]:
        """Everything that is wrong. Runs of timers are told apart from those of events."""
        found = self.findings.kinds
        timers = self.timers
        return {
            "lost": found.pop("lost"),
            "missed": timers.missed,
            "double": timers.double,
            "early": timers.early,
            **found,
            "unfinished_timers": timers.unfinished,
        }

    @property
    def holds(self) -> bool:
        return not any(self.kinds.values()) and not self.complaints

    def explained(self) -> str:
        """What is wrong, line by line; empty when the bar holds."""
        lines = [f"{kind}: {line}" for kind, found in self.kinds.items() for line in found[:SHOWN]]
        return "\n".join([*lines, *self.complaints])

    def line(self) -> str:
        counts = {kind: len(found) for kind, found in self.kinds.items()}
        slowest = {kind: max(each[kind] for each in self.amnesia.rebuilt) for kind in self.amnesia.rebuilt[0]}
        told = {
            **{kind: counts.pop(kind) for kind in ("lost", "missed", "double")},
            "wipes": self.amnesia.wipes,
            "runs": self.waiting,
            "timers": min(each.timers for each in self.amnesia.lost),
            "fires": self.fires,
            "rebuilt": f"{max(slowest.values()):.1f}s",
            **{f"rebuilt_{kind}": f"{seconds:.1f}s" for kind, seconds in slowest.items()},
            "latest_timer": f"{max(self.timers.late.values(), default=0):.1f}s",
            **counts,
            "recovered": self.findings.recovered,
        }
        return "R4 " + " ".join(f"{name}={value}" for name, value in told.items())


def waiting_flow(sink_port: int, minutes: int) -> dict[str, Any]:
    """As the load's, with a wait before the effects."""
    interval = {"type": "json2new", "lambda": {"interval": f"{minutes}m"}}
    wait = {
        "type": "headrace.utils.timers.Wait",
        "x": 0,
        "y": 0,
        "source": {"in": {HOOK: ["request"]}},
        "config": {"transform": {"in": {HOOK: {"request": interval}}}},
    }
    after = (WAIT, "out")
    return {
        HOOK: load.hook(),
        WAIT: wait,
        IDEMPOTENT: load.call_of(sink_port, IDEMPOTENT, {"effect": "idempotent"}, after=after),
        ONCE: load.call_of(sink_port, ONCE, {"effect": "unsafe", "inDoubt": "skip"}, after=after),
    }


@dataclass(slots=True)
class Play:
    """One run of the bar over a served platform."""

    served: Served
    ledger: Ledger
    amnesia: Amnesia
    level: Level
    slow: str
    quick: str
    """Flows: one that waits before its effects, one that goes on at once."""

    waiting: int = 0
    later: list[str] = field(default_factory=list)

    def round(self, number: int) -> None:
        """Open runs, and wipe just before the first of them is due; then ask for what must be logged."""
        began = time.monotonic()
        self._post(self.slow, [f"wait{number}.{each}" for each in range(self.level.runs)], self.level.pace)
        due = began + self.level.wait_minutes * 60
        time.sleep(max(0.0, due - BEFORE_DUE - time.monotonic()))
        self.waiting += Memory(self.served).waiting()
        hasty = [f"haste{number}.{each}" for each in range(int(HASTE * HASTE_SECONDS))]
        self._post(self.quick, hasty, HASTE, meanwhile=self.amnesia.wipe)
        later = [f"later{number}.{each}" for each in range(LATER)]
        self._post(self.quick, later, HASTE)
        self.later += later

    def rest(self, owed: Collection[str]) -> None:
        """Until every run ended, every timer came, every record is there. What does not is for the oracle to find."""
        for flow_id in (self.slow, self.quick):
            self.served.wait_for_rest(flow_id, self.level.wait_minutes * 60 + REBUILT_WITHIN)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: set(owed) <= {each.event for each in flow_timers.fired(self.served)}, REST_SECONDS)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.unlogged(), REBUILT_WITHIN)

    def unlogged(self) -> list[str]:
        """What is wrong with the log records of the events after the wipes."""
        dump = self.served.dump(HOOK)
        runs = [run for run in dump.runs if run.event in self.later]
        found = logs_seen.read(self.served.backing.elasticsearch.port, NAMESPACE)
        return found.complaints(replace(dump, runs=runs))

    def unproven(self) -> Iterator[str]:
        """Faults that did not find what they were to destroy."""
        level = self.level
        if self.amnesia.wipes != level.wipes:
            yield f"proof: {level.wipes} wipes were due, {self.amnesia.wipes} were done"
        if self.waiting < level.wipes * level.runs:
            yield f"proof: {level.runs} runs were to be open at each wipe, {self.waiting // level.wipes} were"
        for known in self.amnesia.lost:
            if known.timers < level.timers or not known.queues or not known.records:
                yield f"proof: what was forgotten is {known}"

    def _post(
        self, flow_id: str, events: Sequence[str], pace: float, meanwhile: Callable[[], None] | None = None
    ) -> None:
        with Load(
            self.served.doors, load.path_of(flow_id, HOOK), events, self.ledger, posters=POSTERS, pace=pace
        ) as posted:
            if meanwhile is not None:
                meanwhile()
            posted.join()


def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Open runs and timers, wipe while more comes in, let everything come to rest, end the processes, judge."""
    with (
        contextlib.closing(Sink(SINK_SECONDS)) as sink,
        contextlib.closing(Ledger(folder / "ledger")) as ledger,
        Served(folder, mutant=mutant) as served,
    ):
        client = served.client()
        flow_timers.start_flows(client, level.timers // NODES, NODES)
        due = flow_timers.listed(served)
        slow = load.start(client, "R4 waits", waiting_flow(sink.port, level.wait_minutes))
        quick = load.start(client, "R4 goes on", load.flow(sink.port))
        play = Play(served, ledger, Amnesia(served, random.Random(seed), level.away), level, slow, quick)
        for number in range(level.wipes):
            play.round(number)
        until = time.time() + flow_timers.PERIOD  # the times after the last wipe come as well
        owed = list(flow_timers.owed(due, until))
        play.rest(owed)
        served.stop_services()
        return Verdict(
            oracle.judge(ledger, sink, served.dump(HOOK)),
            flow_timers.judge(owed, flow_timers.fired(served)),
            play.amnesia,
            play.waiting // level.wipes,
            len(owed),
            [*(f"fell: {line}" for line in served.fell), *play.unlogged(), *play.unproven(), *_late(play.amnesia)],
        )


def _late(amnesia: Amnesia) -> Iterator[str]:
    for each in amnesia.rebuilt:
        yield from (
            f"late: {kind} were rebuilt after {seconds:.1f} s, {REBUILT_WITHIN:.0f} s are allowed"
            for kind, seconds in each.items()
            if seconds > REBUILT_WITHIN
        )


def main() -> int:
    chosen = command(__doc__, LEVELS, "no_restore").parse_args()
    level = LEVELS[chosen.level]
    faults = [f"wipe:rabbitmq+redis+elasticsearch#{number}" for number in range(1, level.wipes + 1)]
    with served_folder(chosen.keep) as folder:
        return play(chosen, faults, lambda: run(folder, level, chosen.seed, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
