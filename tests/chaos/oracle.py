"""The oracle: what the clients know, what the world saw, and what is on disk must tell one story."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from tests.chaos.dump import Dump, StepSeen
from tests.chaos.effects import Sink
from tests.chaos.ledger import Ledger
from tests.chaos.load import IDEMPOTENT, ONCE

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, one line each. Nothing may be."""

    lost: list[str]
    duplicate_runs: list[str]
    duplicate_effects: list[str]
    double_steps: list[str]
    unfinished: list[str]
    unexpected: list[str]
    refused: list[str]
    corrupt: list[str]
    recovered: int  # events whose answer was lost and that were done all the same: allowed, and shown

    @property
    def kinds(self) -> dict[str, list[str]]:
        return {
            "lost": self.lost,
            "duplicate_runs": self.duplicate_runs,
            "duplicate_effects": self.duplicate_effects,
            "double_steps": self.double_steps,
            "unfinished": self.unfinished,
            "unexpected": self.unexpected,
            "refused": self.refused,
            "corrupt": self.corrupt,
        }

    @property
    def are_none(self) -> bool:
        return not any(self.kinds.values())

    def explained(self) -> str:
        """Each kind with its first lines."""
        lines: list[str] = []
        for kind, found in self.kinds.items():
            lines.extend(f"{kind}: {line}" for line in found[:SHOWN])
            if len(found) > SHOWN:
                lines.append(f"{kind}: and {len(found) - SHOWN} more")
        return "\n".join(lines)


def judge(ledger: Ledger, sink: Sink, dump: Dump) -> Findings:
    """Compare the three. The dump must be of processes that have ended."""
    done = {run.event for run in dump.runs if run.state == "done"}
    return Findings(
        lost=_lost(ledger, sink, dump, done),
        duplicate_runs=_duplicate_runs(dump),
        duplicate_effects=_duplicate_effects(sink),
        double_steps=_double_steps(dump),
        unfinished=[
            f"run {run.run_id} of {run.event} is {run.state} {run.error}".rstrip()
            for run in dump.runs
            if run.state != "done"
        ],
        unexpected=[f"{event} is done and nobody sent it" for event in sorted(done - ledger.acked - ledger.ambiguous)],
        refused=[f"{event} was never acknowledged: {last}" for event, last in sorted(ledger.given_up.items())],
        corrupt=dump.corrupt,
        recovered=len(ledger.ambiguous & done),
    )


def _lost(ledger: Ledger, sink: Sink, dump: Dump, done: set[str]) -> list[str]:
    events = {run.run_id: run.event for run in dump.runs}
    skipped = {events.get(step.run_id) for step in dump.steps if step.node == ONCE and step.outcome == "skipped"}
    repeated, once = sink.calls(IDEMPOTENT), sink.calls(ONCE)
    known = set(events.values())
    lost: list[str] = []
    for event in sorted(ledger.acked):
        if event not in known:
            lost.append(f"{event} was acknowledged and has no run")
        elif event not in done:
            lost.append(f"{event} was acknowledged and its run is not done")
        elif event not in repeated:
            lost.append(f"{event} is done and its idempotent effect was never asked for")
        elif event not in once and event not in skipped:
            lost.append(f"{event} is done, its unsafe effect was neither asked for nor left in doubt")
    return lost


def _duplicate_runs(dump: Dump) -> list[str]:
    per_event = Counter(run.event for run in dump.runs)
    return [f"{event} has {count} runs" for event, count in sorted(per_event.items()) for _ in range(count - 1)]


def _duplicate_effects(sink: Sink) -> list[str]:
    keys = [
        f"the idempotent effect of {event} was asked for under {len(set(found))} keys"
        for event, found in sorted(sink.calls(IDEMPOTENT).items())
        if len(set(found)) > 1
    ]
    calls = [
        f"the unsafe effect of {event} was asked for {len(found)} times"
        for event, found in sorted(sink.calls(ONCE).items())
        if len(found) > 1
    ]
    return keys + calls


def _double_steps(dump: Dump) -> list[str]:
    events = {run.run_id: run.event for run in dump.runs}
    finished: dict[tuple[str, str, int], list[StepSeen]] = defaultdict(list)
    for step in dump.steps:
        finished[step.run_id, step.step_id, step.arrivals].append(step)
    return [
        f"step {steps[0].step_id} ({steps[0].node}) of {events.get(run_id, 'an unknown event')}, run {run_id},"
        f" is journaled {len(steps)} times with {len({step.result for step in steps})} different results"
        for (run_id, _, _), steps in finished.items()
        if len(steps) > 1
    ]
