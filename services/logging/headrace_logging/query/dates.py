"""Times in a query: ISO dates of any precision, milliseconds since 1970, and `now-1d/d`.

What a person writes stands for a stretch: `2026-01-31` is that whole day, `2026-01-31T10:00` that minute.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MICROSECONDS = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
_MILLISECONDS = re.compile(r"-?\d{5,15}", re.ASCII)
_NOW = re.compile(r"now(?P<steps>(?:[+-]\d{1,6}[smhdwMy])*)(?:/(?P<round>[smhdwMy]))?", re.ASCII)
_STEP = re.compile(r"([+-]\d+)([smhdwMy])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` until just before `end`, in microseconds since 1970."""

    start: int
    end: int


def microseconds(moment: datetime) -> int:
    """The moment as microseconds since 1970."""
    return (moment - EPOCH) // MICROSECONDS


def moment(since_1970: int) -> datetime:
    """The moment that `microseconds` wrote."""
    return EPOCH + timedelta(microseconds=since_1970)


def parse(text: str, now: datetime) -> Stretch | None:
    """The stretch of time that `text` stands for; None when it is no time."""
    try:
        return _parse(text.strip(), now)
    except (ValueError, OverflowError):
        return None


def _parse(text: str, now: datetime) -> Stretch | None:
    if found := _NOW.fullmatch(text):
        return _relative(found, now)
    if found := _ISO.fullmatch(text):
        return _absolute(found)
    if _MILLISECONDS.fullmatch(text):
        start = int(text) * 1000
        return Stretch(start, start + 1000)
    return None


def _absolute(found: re.Match[str]) -> Stretch:
    part = {name: int(value) for name, value in found.groupdict().items() if value and value.isdigit()}
    start = datetime(
        part["year"],
        part.get("month", 1),
        part.get("day", 1),
        part.get("hour", 0),
        part.get("minute", 0),
        part.get("second", 0),
        tzinfo=UTC,
    ) - _offset(found["zone"])
    if fraction := found["fraction"]:
        digits = fraction[:6]
        begin = microseconds(start) + int(digits.ljust(6, "0"))
        return Stretch(begin, begin + 10 ** (6 - len(digits)))
    return Stretch(microseconds(start), microseconds(_after(start, _precision(part))))


def _precision(part: dict[str, int]) -> str:
    for name, unit in (("second", "s"), ("minute", "m"), ("hour", "h"), ("day", "d"), ("month", "M")):
        if name in part:
            return unit
    return "y"


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return -size if zone[0] == "-" else size


def _relative(found: re.Match[str], now: datetime) -> Stretch:
    at = now
    for amount, unit in _STEP.findall(found["steps"]):
        at = _moved(at, int(amount), unit)
    if unit := found["round"]:
        start = _floor(at, unit)
        return Stretch(microseconds(start), microseconds(_after(start, unit)))
    return Stretch(microseconds(at), microseconds(at) + 1)


def _moved(at: datetime, amount: int, unit: str) -> datetime:
    if unit in _UNITS:
        return at + amount * _UNITS[unit]
    months = at.year * 12 + at.month - 1 + amount * (12 if unit == "y" else 1)
    first = at.replace(year=months // 12, month=months % 12 + 1, day=1)
    last_day = (_after(first.replace(hour=0, minute=0, second=0, microsecond=0), "M") - timedelta(days=1)).day
    return first.replace(day=min(at.day, last_day))


def _floor(at: datetime, unit: str) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "y":
            return midnight.replace(month=1, day=1)
        case "M":
            return midnight.replace(day=1)
        case "w":
            return midnight - timedelta(days=midnight.weekday())
        case _:
            return at - (at - EPOCH) % _UNITS[unit]


def _after(start: datetime, unit: str) -> datetime:
    if unit in _UNITS:
        return start + _UNITS[unit]
    months = start.year * 12 + start.month - 1 + (12 if unit == "y" else 1)
    return start.replace(year=months // 12, month=months % 12 + 1)
