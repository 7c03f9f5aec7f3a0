"""Rules of time: when something is due next, and what is owed after a time of rest.

All instants are aware and in UTC. A nominal time, the instant a rule names, is the identity of one firing: it is never
answered early and never twice. The rules of cron, with zones and changing clocks, are in `headrace_core.cron`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from headrace_core import Json
from headrace_core.cron import Cron, parse_cron, zone_named
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.schedules_calendar import (
    UNANCHORED,
    Bounded,
    Repeat,
    anchored,
    bound_from_json,
    bound_to_json,
    repeat_from_json,
    repeat_to_json,
)

__all__ = [
    "GRACE",
    "UNANCHORED",
    "Bounded",
    "Cron",
    "Interval",
    "MisfirePolicy",
    "Once",
    "Repeat",
    "Schedule",
    "anchored",
    "from_json",
    "last_until",
    "misfires",
    "next_after",
    "parse_cron",
    "to_json",
    "zone_named",
]

MisfirePolicy = Literal["fire_once", "fire_all", "skip"]
"""What becomes of times that passed unanswered: the latest of them fires, all fire, or none does."""

GRACE = timedelta(minutes=1)
"""How late a firing may be and still count as on time: `skip` drops only what is later than this."""

_SHORTEST = timedelta(milliseconds=1)
_CALENDAR_END = datetime(9980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Once:
    """One instant."""

    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _aware(self.at, "at"))


@dataclass(frozen=True, slots=True)
class Interval:
    """`anchor`, and again every `every` of real time."""

    every: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.every < _SHORTEST:
            said = f"An interval of {self.every.total_seconds():g} seconds does not move."
            raise ValidationFailed([Problem("schedule.every", said, "Make it longer, for instance 60.", field="every")])
        object.__setattr__(self, "anchor", _aware(self.anchor, "anchor"))


Schedule: TypeAlias = Once | Interval | Cron | Repeat | Bounded


def next_after(schedule: Schedule, after: datetime) -> datetime | None:
    """The first nominal time that is later than `after`, in UTC; None when there is none any more.

    Feeding each answer back in gives a strictly rising row. Raises ValueError for a naive `after`.
    """
    if after.tzinfo is None:
        raise ValueError("Times of schedules are aware: give the instant a time zone, for instance UTC.")
    moment = after.astimezone(UTC)
    if moment >= _CALENDAR_END:
        return None
    match schedule:
        case Once(at):
            return at if at > moment else None
        case Interval(every, anchor):
            if moment < anchor:
                return anchor
            try:
                return anchor + ((moment - anchor) // every + 1) * every
            except OverflowError:
                return None
        case Cron() | Repeat() | Bounded():
            return schedule.next_after(moment)


def last_until(schedule: Schedule, after: datetime, until: datetime) -> datetime | None:
    """The latest nominal time in (after, until], or None. Takes few steps, however long the span."""
    first = next_after(schedule, after)
    if first is None or first > until:
        return None
    if isinstance(schedule, Interval):
        return schedule.anchor + (until.astimezone(UTC) - schedule.anchor) // schedule.every * schedule.every
    span = timedelta(minutes=2)
    while until - span > first:
        found = next_after(schedule, until - span)
        if found is not None and found <= until:
            first = found
            break
        span *= 4
    return list(_due(schedule, first, until))[-1]


def misfires(
    schedule: Schedule,
    last_nominal: datetime,
    now: datetime,
    policy: MisfirePolicy,
    limit: int = 100,
    *,
    grace: timedelta = GRACE,
) -> list[datetime]:
    """The nominal times in (last_nominal, now] that are to fire now, earliest first, `limit` at most.

    `fire_once` gives the latest. `fire_all` gives the earliest `limit`; ask again from the last of them for the rest.
    `skip` gives only those that are at most `grace` late. What is left out is passed for good once the caller moves
    its `last_nominal` on to `now`.
    """
    if limit < 1:
        return []
    if policy == "fire_once":
        latest = last_until(schedule, last_nominal, now)
        return [] if latest is None else [latest]
    begin = last_nominal if policy == "fire_all" else max(last_nominal, now - grace - timedelta(microseconds=1))
    first = next_after(schedule, begin)
    if first is None or first > now:
        return []
    return [due for due, _ in zip(_due(schedule, first, now), range(limit), strict=False)]


def to_json(schedule: Schedule) -> dict[str, Json]:
    """The schedule as a JSON object, the form in which it is stored."""
    match schedule:
        case Once(at):
            return {"kind": "once", "at": at.isoformat()}
        case Interval(every, anchor):
            return {"kind": "interval", "everySeconds": every.total_seconds(), "anchor": anchor.isoformat()}
        case Cron():
            return {
                "kind": "cron",
                "minute": schedule.minute,
                "hour": schedule.hour,
                "dayOfMonth": schedule.day_of_month,
                "month": schedule.month,
                "dayOfWeek": schedule.day_of_week,
                "zone": schedule.zone,
            }
        case Repeat():
            return repeat_to_json(schedule)
        case Bounded(inner, start, end):
            bounds = {"start": bound_to_json(start), "end": bound_to_json(end)}
            return {"kind": "bounded", "inner": to_json(inner), **bounds}


def from_json(value: Json) -> Schedule:
    """The schedule that `to_json` wrote. Raises ValidationFailed that names the field."""
    stored = value if isinstance(value, dict) else {}
    match stored.get("kind"):
        case "once":
            return Once(_instant(stored, "at"))
        case "interval":
            return Interval(_seconds(stored, "everySeconds"), _instant(stored, "anchor"))
        case "cron":
            return Cron(
                minute=_text(stored, "minute"),
                hour=_text(stored, "hour"),
                day_of_month=_text(stored, "dayOfMonth"),
                month=_text(stored, "month"),
                day_of_week=_text(stored, "dayOfWeek"),
                zone=_text(stored, "zone"),
            )
        case "repeat":
            return repeat_from_json(stored)
        case "bounded":
            return _bounded(stored)
        case _:
            raise _refused("kind", "It is no kind of schedule.", "Write once, interval, cron, repeat or bounded.")


def _bounded(stored: dict[str, Json]) -> Bounded:
    inner = stored.get("inner")
    nested = isinstance(inner, dict) and inner.get("kind") == "bounded"  # would nest as deep as somebody likes
    rule = None if nested else from_json(inner)
    if not isinstance(rule, Cron | Repeat):
        raise _refused("inner", "It is no rule that can have bounds.", "Bound a cron or a repeat.")
    return Bounded(rule, bound_from_json(stored, "start"), bound_from_json(stored, "end"))


def _due(schedule: Schedule, first: datetime, until: datetime) -> Iterator[datetime]:
    due: datetime | None = first
    while due is not None and due <= until:
        yield due
        due = next_after(schedule, due)


def _aware(moment: datetime, field: str) -> datetime:
    if moment.tzinfo is None:
        raise _refused(field, "The instant has no time zone.", "Write it like 2026-01-31T09:00:00+00:00.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise _refused(field, "The instant is beyond the calendar.", "Choose one before the year 9999.") from error


def _refused(field: str, message: str, fix: str) -> ValidationFailed:
    return ValidationFailed([Problem(f"schedule.{field}", message, fix, field=field)])


def _text(stored: dict[str, Json], field: str) -> str:
    found = stored.get(field)
    if isinstance(found, str):
        return found
    raise _refused(field, "It is missing, or not text.", "Store what to_json gives.")


def _instant(stored: dict[str, Json], field: str) -> datetime:
    try:
        return _aware(datetime.fromisoformat(_text(stored, field)), field)
    except ValueError as error:
        raise _refused(field, "It is no instant.", "Write it like 2026-01-31T09:00:00+00:00.") from error


def _seconds(stored: dict[str, Json], field: str) -> timedelta:
    found = stored.get(field)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _refused(field, "It is missing, or no number.", "Write seconds, for instance 60.")
    try:
        return timedelta(seconds=found)
    except (OverflowError, ValueError) as error:
        raise _refused(field, "It is longer than time lasts.", "Write seconds, for instance 60.") from error
