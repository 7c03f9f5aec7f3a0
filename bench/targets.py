"""What the embedded platform aims at, and whether it got there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench import jobs
from bench.results import OURS, Measure, Results

SPEEDUP = 15.0
P50_MS, READY_S, IDLE_MIB = 5.0, 3.0, 200.0
REFERENCES = ("n8n", "n8n-legacy")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One aim: what was wanted, what was reached."""

    what: str
    bound: Literal["≥", "≤"]
    wanted: float
    reached: float

    @property
    def holds(self) -> bool:
        return self.reached >= self.wanted if self.bound == "≥" else self.reached <= self.wanted


def judge(results: Results, callers: tuple[int, ...]) -> Iterator[Verdict]:
    """A verdict for every aim whose samples are there."""
    for peer in REFERENCES:
        for measure in (jobs.answer_rate("F1", callers[-1]), jobs.BURST_RATE):
            ratio = results.ratio(peer, measure)
            if ratio is not None:
                yield Verdict(f"{measure.label}: times {peer}'s", "≥", SPEEDUP, ratio)
    yield from _ceiling(results, jobs.median_latency("F1", 1), P50_MS)
    yield from _ceiling(results, jobs.READY, READY_S)
    yield from _ceiling(results, jobs.IDLE_MEMORY, IDLE_MIB)


def _ceiling(results: Results, measure: Measure, wanted: float) -> Iterator[Verdict]:
    reached = results.spread(OURS, measure)
    if reached is not None:
        yield Verdict(measure.label, "≤", wanted, reached.median)
