"""R2: server mode survives kill -9 of any of its services under load.

`python -m tests.chaos.r2 --level ci|nightly|release [--mutant answer_before_commit]` from the root of the
repository. Every event is posted with an id of its own, at a steady pace and to both gateways in turn, until it is
acknowledged. Meanwhile one instance of one service after the other is killed, and the supervisor starts it again.
Afterwards each acknowledged event must have exactly one run that is done, no effect may be doubled, no step journaled
twice, and all but one in a thousand events must have been accepted at the first or second try. A run proves its
faults: it is red where a service was killed less often than it was due, or no run was taken over.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import oracle
from tests.chaos.dump import Dump
from tests.chaos.effects import Sink
from tests.chaos.faults import Fault, inflict, schedule
from tests.chaos.ledger import Ledger
from tests.chaos.load import HOOK, IDEMPOTENT, Load, ahead_of, path_of, start_flow
from tests.chaos.served import Served, served_folder
from tests.chaos.verdict import Verdict, command, percentile, play
from tests.system.cluster import TWO_OF_EACH
from tests.system.services import names_of

SINK_SECONDS = 0.02
POSTERS = 16
PATIENCE = 10.0
"""Seconds. The gateway says by itself that an event was not accepted in time; only a lost answer is lost."""
ACCEPTED_SHARE = 0.999
"""Of all events, by the first try or the second."""


@dataclass(frozen=True, slots=True)
class Level:
    """How much: `kills` of each service, `pace` in events a second."""

    events: int
    kills: int
    pace: float = 30.0


LEVELS = {
    "short": Level(300, 1),
    "ci": Level(2_000, 4),
    "nightly": Level(10_000, 50),
    "release": Level(30_000, 150),
}


@dataclass(slots=True)
class ServiceKill:
    """kill -9 of one instance; the supervisor starts it again."""

    served: Served
    name: str
    ready_seconds: list[float] = field(default_factory=list)
    _before: int = 0

    def strike(self) -> None:
        self._before = self.served.pid(self.name)
        self.served.kill(self.name)

    def mend(self) -> None:
        self.ready_seconds.append(self.served.wait_until_again(self.name, self._before))


def faults_of(level: Level, seed: int) -> list[Fault]:
    """The faults of a seed: so many kills of each service, of its instances by chance."""
    chance = random.Random(seed)
    kinds: Counter[str] = Counter()
    for service, replicas in TWO_OF_EACH.items():
        kinds.update(chance.choice(names_of(service, replicas)) for _ in range(level.kills))
    return schedule(kinds, level.events, chance)


def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Post the events, kill, let everything come to rest, end the processes, judge."""
    names = [f"e{number}" for number in range(level.events)]
    with (
        contextlib.closing(Sink(SINK_SECONDS)) as sink,
        contextlib.closing(Ledger(folder / "ledger")) as ledger,
        Served(folder, mutant=mutant) as served,
    ):
        flow_id = start_flow(served.client(), sink.port, "R2")
        blows = {name: ServiceKill(served, name) for name in served.services.names}
        path = path_of(flow_id, HOOK)
        with load_of(served, path, names, ledger, sink, level.pace) as load:
            inflict(faults_of(level, seed), ledger, blows)
            load.join()
        served.wait_for_rest(flow_id)
        served.stop_services()
        dump = served.dump(HOOK)
        findings = oracle.judge(ledger, sink, dump)
    return Verdict(
        "R2",
        findings,
        list(_complaints(level, ledger, served, dump)),
        events=level.events,
        kills=served.killed.total(),
        told={
            **_killed(served.killed),
            "taken_over": dump.taken_over,
            "first_try": _share(ledger, 1),
            "with_one_retry": _share(ledger, 2),
            "ready_p99": f"{percentile([each for blow in blows.values() for each in blow.ready_seconds]):.2f}s",
        },
    )


def load_of(served: Served, path: str, names: Sequence[str], ledger: Ledger, sink: Sink, pace: float) -> Load:
    """The load of the bars of server mode: at a pace, and no faster than the events are worked off."""

    def done() -> int:
        return sink.count(IDEMPOTENT)

    return Load(served.doors, path, names, ledger, posters=POSTERS, pace=pace, patience=PATIENCE, room=ahead_of(done))


def _killed(killed: Mapping[str, int]) -> dict[str, object]:
    return {f"{service}_kills": killed[service] for service in TWO_OF_EACH}


def _share(ledger: Ledger, tries: int) -> str:
    asked = len({each.event for each in ledger.tries})
    return f"{100 * ledger.accepted_within(tries) / max(asked, 1):.2f}%"


def _complaints(level: Level, ledger: Ledger, served: Served, dump: Dump) -> Iterator[str]:
    yield from (f"fell: {line}" for line in served.fell)
    for service in TWO_OF_EACH:
        if served.killed[service] != level.kills:
            yield f"proof: {level.kills} kills of {service} were due, {served.killed[service]} were done"
    if not dump.taken_over:
        yield "proof: no run was taken over"
    accepted = ledger.accepted_within(2)
    if accepted < ACCEPTED_SHARE * level.events:
        yield f"accepted: {accepted} of {level.events} events were accepted by the first or second try"


def main() -> int:
    chosen = command(__doc__, LEVELS, "answer_before_commit").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, faults_of(level, chosen.seed), lambda: run(folder, level, chosen.seed, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
