"""R6: two schedulers over one Redis fire every timer once and on time, though one is killed or stands still.

`python -m tests.chaos.r6 --level ci|nightly|release [--mutant no_timer_fence]` from the root of the repository.
One-shot timers, repeating ones, crons and a herd that is due at one instant are put through the schedulers' own API. An
executor's place is taken by a sink that puts fires on record under timer and nominal time, as an executor does. Every
15 s a scheduler is killed, or frozen for 20 s, with claims in its hand; when it wakes up, others have taken them over
and what it says of them must be refused. Then nothing may be missing, early, sent twice without a fault that explains
it, or late beyond the bars.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace_scheduler.stores.instants import stored

from tests.chaos import oracle_of_timers
from tests.chaos.fires import FireSink
from tests.chaos.oracle import SHOWN
from tests.chaos.schedulers import NAMES, NAMESPACE, Havoc, Strike, strikes
from tests.chaos.served import served_folder
from tests.chaos.timetable import HERD, Amounts, put, timetable
from tests.chaos.verdict import command, percentile, play
from tests.servers import Redis
from tests.system.process import wait_for
from tests.system.services import Services

LEAD_SECONDS = 12
REST_SECONDS = 20
SINK_SECONDS = 0.02
CALM = 12
"""Seconds from the last fault to the end, with the herd before it."""

HEALTHY_P99, HEALTHY_MAX = 1.0, oracle_of_timers.GRACE
FAILOVER_MAX = oracle_of_timers.LEASE + oracle_of_timers.GRACE


@dataclass(frozen=True, slots=True)
class Level:
    """How much. `strikes` come every so many seconds, each second one freezes its victim for so long."""

    amounts: Amounts
    strikes: int
    every: float = 15
    frozen: float = 20

    @property
    def window(self) -> float:
        return self.every * self.strikes

    @property
    def ends(self) -> float:
        return self.window + self.frozen + CALM

    def chaos(self, chance: random.Random) -> list[Strike]:
        return strikes(self.strikes, every=self.every, frozen=self.frozen, chance=chance)


LEVELS = {
    "short": Level(Amounts(1_000, 40, 10, 10, 500), strikes=2, every=8, frozen=8),
    "ci": Level(Amounts(10_000, 100, 50, 50, 5_000), strikes=4),
    "nightly": Level(Amounts(100_000, 100, 50, 50, 5_000), strikes=40),
    "release": Level(Amounts(500_000, 100, 50, 50, 5_000), strikes=200),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome; `holds` says whether the bar holds."""

    fires: oracle_of_timers.Fires
    level: Level
    kills: int
    freezes: int
    fenced: int
    owed: int

    @property
    def complaints(self) -> list[str]:
        """Faults that were not proven, and fires that came too late."""
        level, fires = self.level, self.fires
        due = (level.strikes - level.strikes // 2, level.strikes // 2)
        found = []
        if (self.kills, self.freezes) != due:
            found.append(f"proof: {due[0]} kills and {due[1]} freezes were due")
        if not self.fenced:
            found.append("proof: nothing that a woken scheduler said was refused")
        bars = [
            ("healthy p99", percentile(fires.healthy), HEALTHY_P99),
            ("healthy max", most(fires.healthy), HEALTHY_MAX),
            ("herd max", most(fires.herd), HEALTHY_MAX),
            ("failover max", most(fires.failover), FAILOVER_MAX),
        ]
        found += [f"late: {name} is {late:.2f} s, {bar} s are allowed" for name, late, bar in bars if late > bar]
        return found

    @property
    def holds(self) -> bool:
        return not any(self.fires.kinds.values()) and not self.complaints

    def explained(self) -> str:
        """What is wrong, line by line; empty when the bar holds."""
        lines = [f"{kind}: {line}" for kind, found in self.fires.kinds.items() for line in found[:SHOWN]]
        return "\n".join([*lines, *self.complaints])

    def line(self) -> str:
        fires = self.fires
        counts = {kind: len(found) for kind, found in fires.kinds.items()}
        told = {
            **{kind: counts.pop(kind) for kind in ("missed", "double", "early")},
            "kills": self.kills,
            "freezes": self.freezes,
            "timers": self.level.amounts.total,
            "fires": self.owed,
            "p99": f"{percentile(fires.healthy):.2f}s",
            "max": f"{most(fires.healthy):.2f}s",
            "failover": f"{most(fires.failover):.2f}s",
            "herd": f"{most(fires.herd):.2f}s",
            "fenced": self.fenced,
            **counts,
        }
        return "R6 " + " ".join(f"{name}={value}" for name, value in told.items())


def most(values: Sequence[float]) -> float:
    """The greatest; 0 of none."""
    return max(values, default=0.0)


def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Put the timers, strike, wait until everything owed has come, end the processes, judge."""
    chance = random.Random(seed)
    with Redis(folder / "redis") as index, FireSink(SINK_SECONDS) as sink:
        with _schedulers(folder / "services", index, sink, mutant) as services:
            plan = level.chaos(chance)
            begins = _beginning()
            table = timetable(level.amounts, begins=begins, window=level.window, ends=level.ends, chance=chance)
            put(table.timers, [services.ports[name] for name in NAMES])
            assert datetime.now(UTC) < begins, f"Putting the timers took longer than {LEAD_SECONDS} s."
            havoc = Havoc(services, index, chance)
            for strike in plan:
                _wait_until(begins + timedelta(seconds=strike.at))
                havoc.strike(strike)
            _wait_until(table.ends)
            with contextlib.suppress(AssertionError):  # what has not come is for the oracle to find
                wait_for(lambda: table.owed <= sink.sends().keys(), REST_SECONDS)
        fires = oracle_of_timers.judge(
            table.owed,
            sink.sends(),
            ends=stored(table.ends),
            hands=havoc.hands,
            struck_at=havoc.struck_at,
            herd=HERD,
        )
        return Verdict(fires, level, havoc.kills, havoc.freezes, havoc.fenced, len(table.owed))


@contextlib.contextmanager
def _schedulers(folder: Path, index: Redis, sink: FireSink, mutant: str) -> Iterator[Services]:
    """Two of them, which end well when the block does."""
    folder.mkdir()
    services = Services(
        folder,
        replicas={"scheduler": len(NAMES)},
        HEADRACE_EXECUTOR_ADDRESS=f"127.0.0.1:{sink.port}",
        HEADRACE_REDIS_URL=index.url,
        HEADRACE_REDIS_NAMESPACE=NAMESPACE,
        HEADRACE_CHAOS_MUTANT=mutant,
    )
    try:
        services.start(NAMES)
        yield services
        codes = services.ask_to_stop(NAMES)
        assert not any(codes.values()), f"Schedulers that were asked to stop ended with {codes}."
    finally:
        services.end()


def _beginning() -> datetime:
    """When timers begin: all are put by then, and no whole minute passes meanwhile, at which crons would fire."""
    lead = timedelta(seconds=LEAD_SECONDS)
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    if minute <= now + lead:
        _wait_until(minute)
    return datetime.now(UTC) + lead


def _wait_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def main() -> int:
    chosen = command(__doc__, LEVELS, "no_timer_fence").parse_args()
    level = LEVELS[chosen.level]
    faults = level.chaos(random.Random(chosen.seed))
    with served_folder(chosen.keep) as folder:
        return play(chosen, faults, lambda: run(folder, level, chosen.seed, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
