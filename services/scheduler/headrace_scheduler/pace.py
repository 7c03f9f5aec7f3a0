"""How often a service lets itself be called that says so only by refusing: learned from its refusals.

The first guess is what went through in the second before. From there the rate grows until the next refusal, fast at
first and slowly later, and every refusal takes a part away, but nothing of what went through. While a service asks for
a pause nobody calls it. What is not refused for a while is forgotten: then there is no limit.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from headrace_scheduler.model import Window

FIRST: Final = 1.0
LEAST: Final = 1 / 60
MOST: Final = 1_000.0
"""Calls a second."""

CUT: Final = 0.9
TRIM: Final = 0.95
"""What a refusal leaves of the rate: while a limit is searched for, and once it is about found."""

SEARCH: Final = (timedelta(seconds=1), 1.15)
CREEP: Final = (timedelta(seconds=20), 1.01)
"""After so long without a refusal the rate grows so much. Each refusal costs a pause, so few are asked for."""

ECHO: Final = timedelta(seconds=1)
"""Refusals that come so soon after one belong to it: their calls were made before."""

PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(days=1)
REMEMBERED: Final = timedelta(minutes=10)
BURST: Final = timedelta(milliseconds=250)
"""Calls that may come together: those of so long a time, at least one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls a second, since when that holds, and until when nobody calls. `searches` until the second refusal."""

    rate: float
    changed_at: datetime
    opens_at: datetime
    searches: bool = True

    def rate_at(self, now: datetime) -> float:
        """Calls a second at this time."""
        every, growth = SEARCH if self.searches else CREEP
        steps = max(0, (now - self.opens_at) // every)
        return min(MOST, self.rate * float(growth ** min(steps, 1_000)))

    @property
    def ends_at(self) -> datetime:
        """When it is forgotten."""
        return self.opens_at + REMEMBERED


def refused(pace: Pace | None, now: datetime, retry_after: timedelta | None, passed: float) -> Pace:
    """The pace after a refusal. `passed` is how many calls went through in the second before."""
    opens_at = now + min(max(retry_after or PAUSE, timedelta(milliseconds=1)), LONGEST_PAUSE)
    if pace is None or pace.ends_at <= now:
        return Pace(_bounded(passed * CUT) if passed else FIRST, now, opens_at)
    if now < pace.changed_at + ECHO or now < pace.opens_at:
        rate = max(pace.rate, _bounded(passed * CUT)) if pace.searches else pace.rate
        return replace(pace, rate=rate, opens_at=max(pace.opens_at, opens_at))
    kept = pace.rate_at(now) * (CUT if pace.searches else TRIM)
    # So many it did allow, whatever came too close to each other on the way.
    return Pace(_bounded(max(kept, passed * TRIM)), now, opens_at, searches=False)


def window_of(name: str, pace: Pace, now: datetime) -> Window | None:
    """What the pace allows; None when it is forgotten."""
    if pace.ends_at <= now:
        return None
    rate = pace.rate_at(now)
    limit = max(1, int(rate * BURST.total_seconds()))
    return Window(name, limit, timedelta(seconds=limit / rate), pace.opens_at)


def _bounded(rate: float) -> float:
    return min(MOST, max(LEAST, rate))
