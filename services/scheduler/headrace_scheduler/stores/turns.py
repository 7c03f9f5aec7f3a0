"""What the stores of quotas share: how long a turn is good for, and paces as text."""

import json
from typing import Any, Final

from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants

AGAIN: Final = "\nagain"
"""After a window's name: the line of those who came in time and found no room."""

DUE_FOR: Final = 2_000_000
"""Microseconds for which others wait for somebody whose turn it is."""

FORGOTTEN_AFTER: Final = 60_000_000
"""Microseconds after which a turn that nobody took is forgotten."""

MOST_PARTIES: Final = 1_000
"""Parties that are looked at; more of them share as if they were so many."""


def text_of(pace: Pace) -> str:
    """As it is kept: equal for equal paces."""
    kept = [pace.rate, instants.stored(pace.changed_at), instants.stored(pace.opens_at), pace.searches]
    return json.dumps(kept, separators=(",", ":"))


def pace_of(kept: Any) -> Pace:
    """What `text_of` wrote."""
    rate, changed_at, opens_at, searches = kept
    return Pace(float(rate), instants.moment(changed_at), instants.moment(opens_at), bool(searches))
