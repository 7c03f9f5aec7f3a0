"""What was measured, and its arithmetic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.plan import Job

EMBEDDED, SERVER, TWICE = "headrace", "headrace-server", "headrace-server-2x"
OURS = (EMBEDDED, SERVER, TWICE)


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table. `name` says the unit."""

    job: Job
    name: str

    @property
    def label(self) -> str:
        return f"{self.job} {self.name}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. `loop_ms` is the calibration loop just before: how fast the machine was."""

    peer: str
    round: int
    measure: Measure
    value: float
    loop_ms: float


@dataclass(frozen=True, slots=True)
class Mishap:
    """Why a peer did not do the rest of a round. Its rounds count from zero."""

    peer: str
    round: int
    reason: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of the rounds, and the smallest and the greatest."""

    median: float
    smallest: float
    greatest: float

    def __str__(self) -> str:
        if self.smallest == self.greatest:
            return number(self.median)
        return f"{number(self.median)} ({number(self.smallest)}–{number(self.greatest)})"


class Results:
    """All samples of one benchmark, in the order in which they came."""

    def __init__(self, samples: Sequence[Sample] = ()) -> None:
        self.samples = list(samples)
        self.mishaps: list[Mishap] = []

    @property
    def measures(self) -> list[Measure]:
        return sorted(dict.fromkeys(sample.measure for sample in self.samples), key=lambda measure: measure.job)

    @property
    def peers(self) -> list[str]:
        """Ours first, the others in the order in which they came."""
        names = dict.fromkeys(sample.peer for sample in self.samples)
        return sorted(names, key=lambda name: name not in OURS)

    def spread(self, peer: str, measure: Measure) -> Spread | None:
        """None when the peer has no sample of it."""
        values = [each.value for each in self.samples if each.peer == peer and each.measure == measure]
        return Spread(statistics.median(values), min(values), max(values)) if values else None

    @property
    def comparisons(self) -> list[tuple[str, str]]:
        """Which peers are set beside which: ours beside the others, two executors beside one."""
        names = self.peers
        others = [name for name in names if name not in OURS]
        pairs = [(one, other) for one in (EMBEDDED, SERVER) for other in others]
        return [pair for pair in [*pairs, (TWICE, SERVER)] if set(pair) <= set(names)]

    def ratio(self, one: str, other: str, measure: Measure) -> float | None:
        """The median of one by that of the other. None when one of them is missing or the other's is zero."""
        ours, theirs = self.spread(one, measure), self.spread(other, measure)
        return ours.median / theirs.median if ours and theirs and theirs.median else None

    def loop_spread(self) -> Spread:
        """How much the machine itself swung while the samples were taken."""
        values = [sample.loop_ms for sample in self.samples] or [math.nan]
        return Spread(statistics.median(values), min(values), max(values))


def number(value: float) -> str:
    """Three digits or a little more: 1,234 · 123 · 12.3 · 1.23 · 0.012."""
    for bound, digits in ((100, 0), (10, 1), (0.1, 2)):
        if abs(value) >= bound:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}" if value else "0"
