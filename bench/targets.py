"""What our platform aims at, and whether it got there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench import jobs
from bench.operations import MONGO
from bench.plan import Plan
from bench.results import EMBEDDED, SERVER, Measure, Results

SPEEDUP = 15.0
P50_MS, READY_S, IDLE_MIB = 5.0, 3.0, 200.0
SERVER_SPEEDUP = 10.0  # on cores that its four servers share
ROUND_TRIPS, MESSAGES_A_BATCH = 4.0, 1.0
BURST_CALLERS = Plan().burst_callers
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
            ratio = results.ratio(EMBEDDED, peer, measure)
            if ratio is not None:
                yield Verdict(f"{measure.label}: times {peer}'s", "≥", SPEEDUP, ratio)
    ratio = results.ratio(SERVER, REFERENCES[0], jobs.BURST_RATE)
    if ratio is not None:
        what = f"{jobs.BURST_RATE.label} of {SERVER}: times {REFERENCES[0]}'s"
        yield Verdict(what, "≥", SERVER_SPEEDUP, ratio)
    yield from _ceiling(results, jobs.median_latency("F1", 1), P50_MS)
    yield from _ceiling(results, jobs.READY, READY_S)
    yield from _ceiling(results, jobs.IDLE_MEMORY, IDLE_MIB)
    for number in (1, BURST_CALLERS):
        yield from _ceiling(results, jobs.cost("F2", MONGO, number), ROUND_TRIPS, of=SERVER)
        yield from _ceiling(results, jobs.messages_a_batch(number), MESSAGES_A_BATCH, of=SERVER)


def _ceiling(results: Results, measure: Measure, wanted: float, *, of: str = EMBEDDED) -> Iterator[Verdict]:
    reached = results.spread(of, measure)
    if reached is not None:
        what = measure.label if of == EMBEDDED else f"{measure.label} of {of}"
        yield Verdict(what, "≤", wanted, reached.median)
