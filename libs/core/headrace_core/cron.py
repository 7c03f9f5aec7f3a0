"""Cron in five fields, with a time zone and rules for the days on which clocks change.

Fields: minute 0-59, hour 0-23, day of month 1-31 or `L` (the last), month 1-12 or JAN-DEC, day of week 0-7 or SUN-SAT
(0 and 7 are Sunday). Each is `*`, a value, a range `a-b`, any of these with a step `/n`, or a list of them with commas;
`?` in a day field means `*`. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` stand for all five.

**Days.** Where both day fields are restricted, a day counts when either fits; where one begins with `*`, both must fit.

**When clocks change.** A cron with a restricted hour names times of the day, and each comes once: a time that the clock
skips fires at the first instant after the gap (several skipped times fire once together), a time that the clock shows
twice fires the first time only. A cron whose hour begins with `*` goes on with real time: it fires at every instant
whose clock time fits, so not in the gap and in both passes of a repeated hour.
"""

import calendar
import difflib
import zoneinfo
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from headrace_core.errors import Problem, ValidationFailed

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(_WEEKDAY_NAMES)}
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LAST = 32  # stands for `L` among the days of a month
_YEARS_AHEAD = 9  # 29 February can be eight years away, around a century that is no leap year
_LONGEST_FIELD = 200
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A rule of clock times in a zone. Raises ValidationFailed when a field, the zone or the whole makes no sense."""

    minute: str
    hour: str
    day_of_month: str
    month: str
    day_of_week: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        _plan(self)

    def __str__(self) -> str:
        return f"{self.minute} {self.hour} {self.day_of_month} {self.month} {self.day_of_week} ({self.zone})"

    def next_after(self, after: datetime) -> datetime | None:
        """The first instant after `after` at which it fires, in UTC; None when the calendar ends before."""
        return _plan(self).next_after(after.astimezone(UTC))


def parse_cron(text: str, zone: str = "UTC") -> Cron:
    """Read five fields, or a word like `@daily`. Raises ValidationFailed that names each bad field."""
    fields = _MACROS.get(text.strip().lower(), text).split()
    if len(fields) != 5:
        said = f"A cron has five fields, and this has {len(fields)}."
        fix = "Write minute, hour, day of month, month and day of week, for instance 0 9 * * MON-FRI."
        raise ValidationFailed([Problem("cron", said, fix, field="cron")])
    minute, hour, day_of_month, month, day_of_week = fields
    return Cron(minute, hour, day_of_month, month, day_of_week, zone)


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises ValidationFailed with the nearest names."""
    if name in _known_zones():
        return ZoneInfo(name)
    near = difflib.get_close_matches(name[:100], _known_zones(), n=3, cutoff=0.5)
    fix = f"Write an IANA name, for instance {', '.join(near or ['Europe/Prague', 'America/New_York', 'UTC'])}."
    raise ValidationFailed([Problem("zone", f"There is no time zone {name[:100]!r}.", fix, field="zone")])


@lru_cache(maxsize=1)
def _known_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@dataclass(frozen=True, slots=True)
class _Field:
    """What one field may hold."""

    name: str
    lowest: int
    highest: int
    example: str
    words: Mapping[str, int]
    marks: Mapping[str, int]


_NOTHING: Mapping[str, int] = {}
_FIELDS = (
    _Field("minute", 0, 59, "0, */15 or 0,30", _NOTHING, _NOTHING),
    _Field("hour", 0, 23, "9, 8-18 or */2", _NOTHING, _NOTHING),
    _Field("day_of_month", 1, 31, "1, 1-15, L or *", _NOTHING, {"L": _LAST}),
    _Field("month", 1, 12, "1, JAN-MAR or *", _MONTHS, _NOTHING),
    _Field("day_of_week", 0, 7, "1, MON-FRI, 0,6 or *", _WEEKDAYS, _NOTHING),
)


class _Wrong(Exception):
    """A part of a field that cannot be read; the text says why."""


def _values(field: _Field, text: str) -> frozenset[int]:
    if len(text) > _LONGEST_FIELD:
        raise _Wrong(f"is longer than {_LONGEST_FIELD} characters")
    found: set[int] = set()
    for part in text.upper().split(","):
        found.update([field.marks[part]] if part in field.marks else _range(field, part))
    return frozenset(found)


def _range(field: _Field, part: str) -> range:
    bounds, slash, step_text = part.partition("/")
    step = _number(step_text) if slash else 1
    if step < 1:
        raise _Wrong(f"has the step {step_text!r}")
    if bounds == "*" or (bounds == "?" and field.name.startswith("day")):
        return range(field.lowest, field.highest + 1, step)
    first, dash, last = bounds.partition("-")
    low = _value(field, first)
    high = _value(field, last) if dash else (field.highest if slash else low)
    if dash and low > high == 0 and field.name == "day_of_week":
        high = 7
    if low > high:
        raise _Wrong(f"has the range {bounds!r} that runs backwards; write two ranges with a comma")
    return range(low, high + 1, step)


def _value(field: _Field, text: str) -> int:
    value = field.words[text] if text in field.words else _number(text)
    if not field.lowest <= value <= field.highest:
        raise _Wrong(f"has {text}, and goes from {field.lowest} to {field.highest}")
    return value


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise _Wrong(f"has {text!r}" if text else "has an empty part")
    return int(text)


@lru_cache(maxsize=4096)
def _plan(cron: Cron) -> "_Plan":
    texts = (cron.minute, cron.hour, cron.day_of_month, cron.month, cron.day_of_week)
    problems: list[Problem] = []
    values: list[frozenset[int]] = []
    for field, text in zip(_FIELDS, texts, strict=True):
        try:
            values.append(_values(field, text.strip()))
        except _Wrong as wrong:
            said = f"The {field.name.replace('_', ' ')} {wrong}."
            problems.append(Problem(f"cron.{field.name}", said, f"Write {field.example}.", field=field.name))
    zone: ZoneInfo | None = None
    try:
        zone = zone_named(cron.zone)
    except ValidationFailed as error:
        problems.extend(error.problems)
    if problems or zone is None:
        raise ValidationFailed(problems)
    plan = _Plan(
        minutes=tuple(sorted(values[0])),
        hours=tuple(sorted(values[1])),
        days=values[2],
        months=tuple(sorted(values[3])),
        weekdays=frozenset(day % 7 for day in values[4]),
        either_day=not any(text.strip().startswith(("*", "?")) for text in (cron.day_of_month, cron.day_of_week)),
        by_real_time=cron.hour.strip().startswith("*"),
        zone=zone,
    )
    if not plan.ever_fires():
        said = f"There is no day {cron.day_of_month} in month {cron.month}, so it would never fire."
        fix = "Choose a day that the month has, or L for its last day."
        raise ValidationFailed([Problem("cron.day_of_month", said, fix, field="day_of_month")])
    return plan


@dataclass(frozen=True, slots=True)
class _Plan:
    """A cron, read: sorted values and the two rules that its stars decide."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: tuple[int, ...]
    weekdays: frozenset[int]
    either_day: bool
    by_real_time: bool
    zone: ZoneInfo

    def ever_fires(self) -> bool:
        if self.either_day or _LAST in self.days:
            return True
        return any(
            min(self.days) <= (29 if month == 2 else calendar.monthrange(2024, month)[1]) for month in self.months
        )

    def next_after(self, after: datetime) -> datetime | None:
        # A clock that goes back over midnight shows yesterday again: begin a day early, and look a day further.
        today = after.astimezone(self.zone).date()
        if not 2 <= today.year <= 9_980:
            return None
        found: datetime | None = None
        for day in self._days_from(today - _DAY):
            instant = self._first_of_day(day, after)
            if found is not None:
                return min(found, instant) if instant is not None else found
            found = instant
        return found

    def _days_from(self, first: date) -> Iterator[date]:
        for year in range(first.year, first.year + _YEARS_AHEAD + 1):
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                begin = first.day if (year, month) == (first.year, first.month) else 1
                length = calendar.monthrange(year, month)[1]
                for day in range(begin, length + 1):
                    if self._fits(date(year, month, day), length):
                        yield date(year, month, day)

    def _fits(self, day: date, length: int) -> bool:
        by_month = day.day in self.days or (day.day == length and _LAST in self.days)
        by_week = day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either_day else by_month and by_week

    def _first_of_day(self, day: date, after: datetime) -> datetime | None:
        midnight = datetime.combine(day, time())
        offset = self._offset(midnight)
        if offset == self._offset((midnight + _DAY).replace(fold=1)):
            return self._first_of_even_day(midnight, offset, after)
        instants = _instants_of(self, midnight)
        place = bisect_right(instants, after)
        return instants[place] if place < len(instants) else None

    def _first_of_even_day(self, midnight: datetime, offset: timedelta, after: datetime) -> datetime | None:
        """The usual day, on which one offset holds: no instant needs to be tried."""
        start = midnight.replace(tzinfo=UTC) - offset
        if after < start:
            hour, minute = self.hours[0], self.minutes[0]
        else:
            passed = (after - start) // timedelta(minutes=1) + 1
            hour, minute = divmod(passed, 60)
            place = bisect_left(self.hours, hour)
            later = bisect_left(self.minutes, minute)
            if place < len(self.hours) and self.hours[place] == hour and later < len(self.minutes):
                minute = self.minutes[later]
            else:
                place += place < len(self.hours) and self.hours[place] == hour
                if place == len(self.hours):
                    return None
                hour, minute = self.hours[place], self.minutes[0]
        return start + timedelta(hours=hour, minutes=minute)

    def instants(self, midnight: datetime) -> Iterator[datetime]:
        """Every instant of a day on which the clock changes, in the order of the clock."""
        for hour in self.hours:
            for minute in self.minutes:
                yield from self._instants_at(midnight + timedelta(hours=hour, minutes=minute))

    def _instants_at(self, local: datetime) -> Iterator[datetime]:
        first, second = self._offset(local), self._offset(local.replace(fold=1))
        instant = local.replace(tzinfo=UTC) - first
        if first >= second:
            yield instant
            if first > second and self.by_real_time:
                yield local.replace(tzinfo=UTC) - second
        elif not self.by_real_time:
            yield self._end_of_gap(local.replace(tzinfo=UTC) - second, instant, second)

    def _end_of_gap(self, before: datetime, beyond: datetime, offset: timedelta) -> datetime:
        """The first instant at which the new offset holds: it lies after `before`, at `beyond` at the latest."""
        low, high = 0, int((beyond - before).total_seconds())
        while high - low > 1:
            middle = (low + high) // 2
            if (before + middle * _SECOND).astimezone(self.zone).utcoffset() == offset:
                high = middle
            else:
                low = middle
        return before + high * _SECOND

    def _offset(self, local: datetime) -> timedelta:
        return self.zone.utcoffset(local.replace(tzinfo=self.zone)) or timedelta()


@lru_cache(maxsize=256)
def _instants_of(plan: _Plan, midnight: datetime) -> tuple[datetime, ...]:
    """The instants of an odd day in order. Kept, as a cron of every minute asks for them 1440 times."""
    return tuple(sorted(set(plan.instants(midnight))))
