"""What the stores of quotas share: how long a turn is good for, and paces as text."""

import json
from typing import Any, Final

from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants

DUE_FOR: Final = 2_000_000
"""Microseconds for which others wait for somebody whose turn it is; then the turn is forgotten."""

FORGOTTEN_AFTER: Final = 60_000_000
"""Microseconds after which it is forgotten where nobody asks any more."""

SOON: Final = 4_000_000
"""Microseconds: a turn that is further behind is asked for before, because it may have come nearer since."""

BEFORE: Final = 0.75
"""The part of the way to a turn after which it is asked for."""

MOST_PARTIES: Final = 1_000
"""Parties that are looked at; more of them share as if they were so many."""


def ask_at(turn: int, room_at: int) -> int:
    """When somebody who has this turn is to ask again: not before there is room for anybody."""
    return turn if turn <= room_at + SOON else room_at + int((turn - room_at) * BEFORE)


def text_of(pace: Pace) -> str:
    """As it is kept: equal for equal paces."""
    kept = [pace.rate, instants.stored(pace.changed_at), instants.stored(pace.opens_at), pace.searches]
    return json.dumps(kept, separators=(",", ":"))


def pace_of(kept: Any) -> Pace:
    """What `text_of` wrote."""
    rate, changed_at, opens_at, searches = kept
    return Pace(float(rate), instants.moment(changed_at), instants.moment(opens_at), bool(searches))
