"""Rules of time that people draw: every so many days by the clock of a zone, and any rule between two dates.

`headrace_core.schedules` makes them part of what a `Schedule` may be. Nominal times are in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, TypeVar, cast, get_args

from headrace_core import Json
from headrace_core.cron import Cron, zone_named
from headrace_core.errors import Problem, ValidationFailed

Unit: TypeAlias = Literal["minutes", "hours", "days", "weeks"]

UNANCHORED = datetime(1970, 1, 1, tzinfo=UTC)
"""The anchor of a `Repeat` that counts from the moment its flow starts: see `anchored`."""

_DAYS_OF: Mapping[Unit, int] = {"days": 1, "weeks": 7}
_SPAN_OF: Mapping[Unit, timedelta] = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}
_LAST_YEAR = 9980


@dataclass(frozen=True, slots=True)
class Repeat:
    """`anchor`, and again every `count` units from there.

    Minutes and hours are real time. Days and weeks keep the clock time that the anchor has in `zone`; where the
    clock skips it, the firing comes as much later as the clock jumps.
    """

    count: int
    unit: Unit
    anchor: datetime
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise _refused("count", f"Every {self.count} {self.unit} does not move.", "Write a whole number from 1.")
        if self.unit not in get_args(Unit):
            raise _refused("unit", f"{self.unit!r} is no unit.", f"Choose one of {', '.join(get_args(Unit))}.")
        if self.anchor.tzinfo is None:
            raise _refused("anchor", "The instant has no time zone.", "Write it like 2026-01-31T09:00:00+00:00.")
        zone_named(self.zone)
        object.__setattr__(self, "anchor", self.anchor.astimezone(UTC))

    def next_after(self, moment: datetime) -> datetime | None:
        """The first nominal time later than `moment`; None at the end of the calendar."""
        if moment < self.anchor:
            return self.anchor
        try:
            found = self._next_by_clock(moment) if self.unit in _DAYS_OF else self._next_in_real_time(moment)
        except OverflowError:
            return None
        return found if found.year < _LAST_YEAR else None

    def _next_in_real_time(self, moment: datetime) -> datetime:
        every = _SPAN_OF[self.unit] * self.count
        return self.anchor + ((moment - self.anchor) // every + 1) * every

    def _next_by_clock(self, moment: datetime) -> datetime:
        zone = zone_named(self.zone)
        local = self.anchor.astimezone(zone)
        step = timedelta(days=_DAYS_OF[self.unit] * self.count)
        # Clocks move by hours, so the step before the one that real time suggests is always early enough.
        number = max(0, (moment - self.anchor) // step - 1)
        while True:
            found = (local + number * step).astimezone(UTC)
            if found > moment:
                return found
            number += 1


@dataclass(frozen=True, slots=True)
class Bounded:
    """A rule that holds from `start` to `end`, both included. None leaves a side open."""

    inner: Cron | Repeat
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        for field in ("start", "end"):
            bound: datetime | None = getattr(self, field)
            if bound is not None and bound.tzinfo is None:
                raise _refused(field, "The instant has no time zone.", "Write it like 2026-01-31T09:00:00+00:00.")
            object.__setattr__(self, field, bound.astimezone(UTC) if bound else None)
        if self.start and self.end and self.start > self.end:
            raise _refused("end", "It is before the start, so nothing would ever be due.", "Choose a later end.")

    def next_after(self, moment: datetime) -> datetime | None:
        """The first nominal time later than `moment` and within the bounds, or None."""
        if self.start is not None:
            moment = max(moment, self.start - timedelta(microseconds=1))
        found = self.inner.next_after(moment)
        return found if found is not None and (self.end is None or found <= self.end) else None


Anchorable = TypeVar("Anchorable")


def anchored(schedule: Anchorable, at: datetime) -> Anchorable:
    """The schedule, counting from `at` where its anchor is `UNANCHORED`; any other schedule as it is."""
    if isinstance(schedule, Bounded):
        begin = max(at, schedule.start) if schedule.start else at
        return replace(schedule, inner=anchored(schedule.inner, begin))
    if isinstance(schedule, Repeat) and schedule.anchor == UNANCHORED:
        return replace(schedule, anchor=at)
    return schedule


def repeat_to_json(schedule: Repeat) -> dict[str, Json]:
    """The rule as a JSON object of kind "repeat"."""
    return {
        "kind": "repeat",
        "count": schedule.count,
        "unit": schedule.unit,
        "anchor": schedule.anchor.isoformat(),
        "zone": schedule.zone,
    }


def repeat_from_json(stored: Mapping[str, Json]) -> Repeat:
    """The rule that `repeat_to_json` wrote. Raises ValidationFailed that names the field."""
    count, unit, zone = stored.get("count"), stored.get("unit"), stored.get("zone")
    if isinstance(count, bool) or not isinstance(count, int):
        raise _refused("count", "It is missing, or no whole number.", "Store what to_json gives.")
    if not isinstance(unit, str) or not isinstance(zone, str):
        raise _refused("unit", "The unit or the zone is missing, or not text.", "Store what to_json gives.")
    anchor = bound_from_json(stored, "anchor")
    if anchor is None:
        raise _refused("anchor", "It is missing.", "Store what to_json gives.")
    return Repeat(count, cast("Unit", unit), anchor, zone)  # Repeat refuses any other unit


def bound_to_json(bound: datetime | None) -> Json:
    """One side of a `Bounded`."""
    return bound.isoformat() if bound else None


def bound_from_json(stored: Mapping[str, Json], field: str) -> datetime | None:
    """One side of a `Bounded`, as `bound_to_json` wrote it. Raises ValidationFailed that names the field."""
    found = stored.get(field)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found if isinstance(found, str) else "")
    except ValueError as error:
        raise _refused(field, "It is no instant.", "Write it like 2026-01-31T09:00:00+00:00.") from error


def _refused(field: str, message: str, fix: str) -> ValidationFailed:
    return ValidationFailed([Problem(f"schedule.{field}", message, fix, field=field)])
