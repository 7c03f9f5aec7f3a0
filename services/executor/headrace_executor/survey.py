"""How runs are, of all tenants together: what an administrator looks at first. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace_executor.model import RunState

MOST_LOOKED_AT = 20_000
MOST_TENANTS = 10
MINUTE = 60
IN_DOUBT = '"code":"in_doubt"'
"""What the cause of a message holds whose step began, and of which nobody knows whether it happened."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as the survey sees it. Times are seconds since 1970."""

    tenant_id: str
    state: int
    created: float
    updated: float
    steps: int
    failed: int

    @property
    def has_failed(self) -> bool:
        return self.failed > 0 or self.state in (RunState.FAILED, RunState.QUARANTINED)


@dataclass(slots=True)
class Tally:
    """What runs did."""

    runs: int = 0
    failed: int = 0
    steps: int = 0

    def add(self, run: Seen) -> None:
        self.runs += 1
        self.failed += run.has_failed
        self.steps += run.steps


@dataclass(frozen=True, slots=True)
class Survey:
    """How runs are. `minutes` are by their first second, earliest first; `tenants` those with most steps, most first.

    `median` and `p95` are seconds that ended runs took; None where none ended.
    """

    open: Mapping[RunState, int]
    unprocessed: int
    in_doubt: int
    minutes: Mapping[int, Tally] = field(default_factory=dict)
    tenants: Mapping[str, Tally] = field(default_factory=dict)
    median: float | None = None
    p95: float | None = None
    looked_at: int = 0


def survey(open: Mapping[RunState, int], unprocessed: int, in_doubt: int, runs: Iterable[Seen]) -> Survey:
    """Sum up what was seen."""
    minutes: dict[int, Tally] = defaultdict(Tally)
    tenants: dict[str, Tally] = defaultdict(Tally)
    took: list[float] = []
    looked_at = 0
    for run in runs:
        looked_at += 1
        minutes[int(run.created // MINUTE) * MINUTE].add(run)
        tenants[run.tenant_id].add(run)
        if RunState(run.state).is_over:
            took.append(max(0.0, run.updated - run.created))
    took.sort()
    noisiest = sorted(tenants.items(), key=lambda each: (-each[1].steps, -each[1].runs, each[0]))[:MOST_TENANTS]
    return Survey(
        open,
        unprocessed,
        in_doubt,
        dict(sorted(minutes.items())),
        dict(noisiest),
        quantile(took, 0.5),
        quantile(took, 0.95),
        looked_at,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that this share of the values does not pass; None of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
