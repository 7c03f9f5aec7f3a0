"""The oracle of timers: what was owed, what the sink saw and when, and what was in hand when somebody was struck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.fires import Due, Send

LEASE = 5.0
"""Seconds that a scheduler may hold a timer, as it is set unless somebody sets it."""

GRACE = 2.0
"""Seconds that a fire may be late without a fault, and after a lease that has run out."""

BEFORE = 1.0
"""A timer that was due so many seconds before a fault may have been in the victim's hand."""


@dataclass(frozen=True, slots=True)
class Fires:
    """What is wrong, one line each, and how late fires came."""

    missed: list[str]
    double: list[str]
    early: list[str]
    strange: list[str]
    went_back: list[str]
    healthy: Sequence[float]
    failover: Sequence[float]
    herd: Sequence[float]

    @property
    def kinds(self) -> dict[str, list[str]]:
        return {
            "missed": self.missed,
            "double": self.double,
            "early": self.early,
            "strange": self.strange,
            "zombie_writes": self.went_back,
        }


def judge(
    owed: frozenset[Due],
    sends: Mapping[Due, Sequence[Send]],
    *,
    ends: int,
    hands: Counter[Due],
    struck_at: Sequence[float],
    herd: str,
) -> Fires:
    """Compare them. What is due after `ends`, in microseconds, is not judged."""
    seen = {due: each for due, each in sends.items() if due.nominal <= ends}
    late = {due: seen[due][0].at - due.nominal / 1e6 for due in owed & seen.keys()}
    shaken = {due for due in late if _is_shaken(due, struck_at, hands)}
    crowd = {due for due in late if due.timer_id.startswith(herd)}
    return Fires(
        missed=[f"{_told(due)} never came" for due in sorted(owed - seen.keys())],
        double=list(_double(seen, hands)),
        early=[f"{_told(due)} came {-by:.3f} s early" for due, by in sorted(late.items()) if by < 0],
        strange=[f"{_told(due)} is no time of its timer" for due in sorted(seen.keys() - owed)],
        went_back=list(_went_back(seen, hands)),
        healthy=[late[due] for due in late.keys() - shaken - crowd],
        failover=[late[due] for due in shaken - crowd],
        herd=[late[due] for due in crowd],
    )


def _is_shaken(due: Due, struck_at: Sequence[float], hands: Counter[Due]) -> bool:
    at = due.nominal / 1e6
    return due in hands or any(struck - BEFORE <= at <= struck + LEASE + GRACE for struck in struck_at)


def _double(seen: Mapping[Due, Sequence[Send]], hands: Counter[Due]) -> Iterator[str]:
    """Who dies or freezes with a claim leaves it open whether it was sent; nothing else may be sent again."""
    for due, sends in sorted(seen.items()):
        if len(sends) > 1 + hands[due]:
            yield f"{_told(due)} was sent {len(sends)} times and was in hand at {hands[due]} faults"


def _went_back(seen: Mapping[Due, Sequence[Send]], hands: Counter[Due]) -> Iterator[str]:
    """A timer never goes back to a time before one that is on record: only what was in hand may come that late."""
    order = sorted((send.number, due) for due, sends in seen.items() for send in sends)
    latest: dict[str, int] = {}
    for _, due in order:
        if due.nominal < latest.get(due.timer_id, 0) and due not in hands:
            yield f"{_told(due)} was sent after {latest[due.timer_id] / 1e6:.3f}"
        latest[due.timer_id] = max(latest.get(due.timer_id, 0), due.nominal)


def _told(due: Due) -> str:
    return f"{due.timer_id}@{due.nominal / 1e6:.3f}"
