"""What the stores of quotas share: how far ahead calls are granted, how long a line is kept, and paces as text."""

import json
from typing import Any, Final

from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants

AHEAD: Final = 2_000_000
"""Microseconds: calls that would begin so soon are granted now, so that none waits for who comes a little late."""

LEAD: Final = 1_000_000
"""Microseconds before its turn at which somebody who waits asks again."""

LATE: Final = 50_000
"""Microseconds after its moment at which a call that is granted has lost it, and gets another one."""

DUE_FOR: Final = 2_000_000
"""Microseconds for which others wait for somebody whose turn it is; then the turn is forgotten."""

FORGOTTEN_AFTER: Final = 60_000_000
"""Microseconds after which it is forgotten where nobody asks any more."""

SOON: Final = 5_000_000
"""Microseconds: a turn that is further behind is asked for before, because it may have come nearer since."""

BEFORE: Final = 0.75
"""The part of the way to a turn after which it is asked for."""

SHARES: Final = 4
"""Calls of each party, at least, over which it is looked at whether one has had more than its share."""

SLACK: Final = 2
"""Calls beyond its share that a party may have had: who is sent away for less leaves places that nobody takes."""

MOST_PARTIES: Final = 1_000
"""Parties that are looked at; more of them share as if they were so many."""


def ask_at(turn: int, room_at: int, now: int) -> int:
    """When somebody who has this turn is to ask again: shortly before there is room for anybody, at the earliest."""
    comes_at = turn if turn <= room_at + SOON else room_at + int((turn - room_at) * BEFORE)
    return max(comes_at - LEAD, now + AHEAD - LEAD)


def text_of(pace: Pace) -> str:
    """As it is kept: equal for equal paces."""
    kept = [pace.rate, instants.stored(pace.changed_at), instants.stored(pace.opens_at), pace.searches]
    return json.dumps(kept, separators=(",", ":"))


def pace_of(kept: Any) -> Pace:
    """What `text_of` wrote."""
    rate, changed_at, opens_at, searches = kept
    return Pace(float(rate), instants.moment(changed_at), instants.moment(opens_at), bool(searches))
