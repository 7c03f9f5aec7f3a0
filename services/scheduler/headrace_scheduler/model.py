"""Timers, locks and quotas: values and the pure rules about them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from headrace_core import schedules
from headrace_core.schedules import MisfirePolicy, Once, Schedule

CATCH_UP_LIMIT = 1_000
"""Missed times of one timer that `fire_all` makes up for in a row; what is missed beyond is stood for by one."""

Outcome = Literal["recorded", "gone", "refused"]
"""What became of a fire: it is on record, there is nobody left to fire for, or it has to be tried again."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A schedule, and what it triggers (a flow's node) or wakes (a run). The owner chooses the id."""

    timer_id: str
    group_id: str
    tenant_id: str
    schedule: Schedule
    misfire: MisfirePolicy = "fire_once"
    flow_id: str = ""
    node_id: str = ""
    port: str = ""
    run_id: str = ""
    immediate: bool = False
    since: datetime | None = None
    """Where a new timer's times begin, when that is not now. It is not kept."""


@dataclass(frozen=True, slots=True)
class KeptTimer:
    """A timer and where it stands.

    `next_at` is None once the schedule has ended. `is_promised` says that `next_at` was chosen for firing: it is then
    sent until it is on record, whoever sends it, and no other time before it.
    """

    timer: Timer
    next_at: datetime | None
    previous_at: datetime | None = None
    is_promised: bool = False
    caught_up: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A timer that one owner may fire. `fence` grows with every claim, so a late twin's settlement is refused."""

    kept: KeptTimer
    nominal_at: datetime
    owner: str
    fence: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Fire:
    """One due time of a timer, with its neighbours."""

    timer: Timer
    nominal_at: datetime
    previous_at: datetime | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A claim whose fire is on record, and when the timer is due next; None when never."""

    claim: Claim
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Retry:
    """A claim whose fire is not on record, and when it may be tried again."""

    claim: Claim
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Lock:
    """The state of a lock after somebody asked for it."""

    acquired: bool
    fencing_token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` calls in any stretch of time of this length, and none before it opens."""

    name: str
    limit: int
    length: timedelta
    opens_at: datetime | None = None

    @property
    def step(self) -> timedelta:
        """What lies between two calls that are spread evenly."""
        return self.length / self.limit


@dataclass(frozen=True, slots=True)
class Turn:
    """When a call begins that is granted and counted; else when to ask for it again."""

    at: datetime
    is_granted: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a call: equal requests are one; parties share a window fairly."""

    request_id: str
    party: str = ""


def put(timer: Timer, known: KeptTimer | None, now: datetime) -> KeptTimer:
    """The timer as it stands after being put: an equal schedule keeps its place, another begins anew."""
    if known is None:
        if timer.since is not None:
            return KeptTimer(timer, schedules.next_after(timer.schedule, timer.since))
        return KeptTimer(timer, now if timer.immediate else _first(timer.schedule, now))
    if known.timer.schedule == timer.schedule:
        return replace(known, timer=timer)
    return KeptTimer(timer, _first(timer.schedule, now), previous_at=known.previous_at)


def _first(schedule: Schedule, now: datetime) -> datetime | None:
    # One instant that has passed already is late, not missed.
    return schedule.at if isinstance(schedule, Once) else schedules.next_after(schedule, now)


def promise(kept: KeptTimer, now: datetime) -> KeptTimer:
    """Choose which of the due times fires, by the timer's misfire policy; what is passed over is passed for good.

    The answer is not promised when the policy passes over everything that is due.
    """
    if kept.is_promised or kept.next_at is None or kept.next_at > now:
        return kept
    schedule, policy = kept.timer.schedule, kept.timer.misfire
    if policy == "fire_all" and kept.caught_up < CATCH_UP_LIMIT:
        is_late = now - kept.next_at > schedules.GRACE
        return replace(kept, is_promised=True, caught_up=kept.caught_up + 1 if is_late else 0)
    latest = schedules.last_until(schedule, kept.next_at, now) or kept.next_at
    if policy == "skip" and now - latest > schedules.GRACE:
        return replace(kept, next_at=schedules.next_after(schedule, now))
    return replace(kept, next_at=latest, is_promised=True, caught_up=0)


def fire_of(claim: Claim) -> Fire:
    """What a claim sends to the executor."""
    kept = claim.kept
    return Fire(
        kept.timer,
        claim.nominal_at,
        kept.previous_at,
        schedules.next_after(kept.timer.schedule, claim.nominal_at),
    )


def backoff(attempts: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """How long to wait after this many failed attempts: twice as long each time, up to `longest`."""
    return min(longest, first * (1 << min(attempts, 20)))
