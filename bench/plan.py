"""What one benchmark does: which jobs, how long, how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Job = Literal["F1", "F2", "F3", "F4"]
JOBS: tuple[Job, ...] = get_args(Job)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Durations are in seconds. Every peer does the same jobs in every round."""

    jobs: tuple[Job, ...] = JOBS
    rounds: int = 3
    seconds: float = 5.0
    callers: tuple[int, ...] = (1, 16)
    events: int = 2_000
    burst_callers: int = 32
    warm_up: float = 2.0
    settle: float = 2.0  # between the first answer and the rest in which idle operations are counted
    idle: float = 8.0  # how long that rest is, and the memory is looked at

    @property
    def burst_seconds(self) -> float:
        """A peer that takes its time gets fewer events, so that a round ends."""
        return 2 * self.seconds
