"""The removal of a user: what is kept of it while it is under way and a while after."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

KEPT_FOR: Final = timedelta(days=30)
"""How long one that has ended can still be asked for."""


class Status(StrEnum):
    """What has become of a removal."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Departure:
    """One removal. Its steps are done in order; each may be done again."""

    ticket: str
    user_id: str
    steps_total: int
    changed_at: datetime
    steps_done: int = 0
    status: Status = Status.IN_PROGRESS
    error: str = ""

    def one_step_on(self, now: datetime) -> "Departure":
        """The removal with its next step done."""
        done = self.steps_done + 1
        status = Status.COMPLETED if done == self.steps_total else self.status
        return replace(self, steps_done=done, status=status, changed_at=now)

    def given_up(self, error: str, now: datetime) -> "Departure":
        """The removal that cannot go on."""
        return replace(self, status=Status.FAILED, error=error, changed_at=now)
