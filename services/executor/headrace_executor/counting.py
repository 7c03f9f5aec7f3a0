"""What counts as a message, on which day, and how large it is.

A message counts when the step of the component that took it is on record: once, however often it was tried, replayed
or delivered again. Hooks of a flow's start and stop are no messages. Counts ride in the commit that records the step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from headrace_core.expressions import Json

DAY_SECONDS = 86_400
FIRST_DAY = 0
LAST_DAY = 1_000_000
"""Days before and after all that can be asked for."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """Messages of one day. `day` counts from 1970-01-01 in UTC; `size` is bytes of content, as compact JSON."""

    day: int
    count: int
    size: int


@dataclass(frozen=True, slots=True)
class CountQuery:
    """Which messages are counted. The tenant is None only for an administrator who asks across tenants."""

    tenant_id: str | None
    flow_id: str = ""
    first_day: int = FIRST_DAY
    last_day: int = LAST_DAY


class Tally:
    """Counts what was recorded since it was taken last."""

    def __init__(self) -> None:
        self._days: dict[int, DayCount] = {}

    def add(self, finished: float, content: Json) -> None:
        """One more message, taken in at that time."""
        add_to(self._days, DayCount(int(finished // DAY_SECONDS), 1, len(orjson.dumps(content, default=_nothing))))

    def take(self) -> tuple[DayCount, ...]:
        """What was counted; it begins anew."""
        taken, self._days = tuple(self._days.values()), {}
        return taken


def _nothing(_: object) -> None:
    """What is missing is written as null, as in the journal."""


def add_to(days: dict[int, DayCount], more: DayCount) -> None:
    """Add to the count of its day."""
    known = days.get(more.day)
    days[more.day] = more if known is None else DayCount(more.day, known.count + more.count, known.size + more.size)


def by_day(counts: Iterable[DayCount]) -> list[DayCount]:
    """One count for each day that has any, earliest first."""
    days: dict[int, DayCount] = {}
    for each in counts:
        add_to(days, each)
    return [days[day] for day in sorted(days)]
