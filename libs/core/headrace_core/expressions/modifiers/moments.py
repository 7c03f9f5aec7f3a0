"""Points in time as texts: reading what people and programs write, and printing by format tokens.

Everything is UTC and English. The tokens are those that moment.js made common: "YYYY-MM-DD HH:mm".
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone

from headrace_core.expressions.environment import Missing, ModifierFailed, Value
from headrace_core.expressions.values import kind_of, shortened

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_TEXT = 100
_MAX_FORMAT = 200

_TIME = r"(?P<hour>\d{1,2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?\s*(?P<half>[AaPp][Mm])?"
)
_ZONE = r"(?:\s*(?P<zone>Z|z|UTC|GMT)?\s*(?P<offset>[+-]\d{2}:?(?:\d{2})?)?)(?:\s*\([^()]*\))?"
_REST = rf"(?:[,\s]\s*(?:at\s+)?{_CLOCK})?{_ZONE}\Z"
_WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,?\s+)?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?P<year>\d{{4}})[-/](?P<month>\d{{1,2}})(?:[-/](?P<day>\d{{1,2}}))?(?:[T\s]\s*{_TIME})?{_ZONE}\Z",
        rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})(?:T{_TIME})?{_ZONE}\Z",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?P<name>[A-Za-z]{{3,9}})\.?,?[\s-]+(?P<year>\d{{4}}){_REST}",
        rf"{_WEEKDAY}(?P<name>[A-Za-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_REST}",
        rf"(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>\d{{4}}){_REST}",
        r"(?P<year>\d{4})\Z",
    )
)


def moment_of(value: Value) -> datetime:
    """The point in time that a value names: a date as text, or milliseconds since 1970.

    Raises `ModifierFailed` when it names none.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_milliseconds(value)
    if value is None or isinstance(value, Missing) or not isinstance(value, str):
        raise ModifierFailed(f"{kind_of(value)} is not a date")
    text = value.strip()
    if len(text) <= _MAX_TEXT and text.isascii():
        for form in _FORMS:
            match = form.match(text)
            if match:
                return _of_parts(match.groupdict(), value)
        if text.removeprefix("-").isdigit() and len(text) <= 16:
            return _of_milliseconds(int(text))
    raise ModifierFailed(f"{shortened(value)} is not a date")


def _of_milliseconds(value: int | float) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except (OverflowError, ValueError):
        raise ModifierFailed("the number is too large for a date") from None


def _of_parts(parts: Mapping[str, str | None], value: str) -> datetime:
    try:
        hour = _hour(int(parts.get("hour") or 0), parts.get("half"))
        at = datetime(
            int(parts["year"] or 0),
            _month(parts),
            int(parts.get("day") or 1),
            0 if hour == 24 else hour,
            int(parts.get("minute") or 0),
            int(parts.get("second") or 0),
            int((parts.get("fraction") or "0").ljust(6, "0")[:6]),
            tzinfo=timezone(_offset(parts.get("offset"))),
        )
        return (at + timedelta(days=1) if hour == 24 else at).astimezone(UTC)
    except (ValueError, OverflowError, LookupError):
        raise ModifierFailed(f"{shortened(value)} is not a date") from None


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("no such hour")
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def _month(parts: Mapping[str, str | None]) -> int:
    name = parts.get("name")
    if name is None:
        return int(parts.get("month") or 1)
    found = [number for number, month in enumerate(_MONTHS, 1) if month.lower().startswith(name.lower())]
    return found[0]


def _offset(offset: str | None) -> timedelta:
    if not offset:
        return timedelta()
    digits = offset[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if offset[0] == "-" else size


def iso_text(at: datetime) -> str:
    """The moment in ISO 8601 with milliseconds, as JavaScript's `toISOString` writes it."""
    at = at.astimezone(UTC)
    return f"{at.year:04d}-{at.month:02d}-{at.day:02d}T{at:%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def timestamp_of(at: datetime) -> int:
    """Milliseconds since 1970."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def formatted(at: datetime, layout: str) -> str:
    """The moment by a format. Raises `ModifierFailed` when the format is too long."""
    if len(layout) > _MAX_FORMAT:
        raise ModifierFailed(f"the format is longer than {_MAX_FORMAT} characters")
    return _TOKENS.sub(lambda match: _printed(at, match), _expanded(layout))


_LONG_FORMATS: Mapping[str, str] = {
    "LT": "h:mm A",
    "LTS": "h:mm:ss A",
    "L": "MM/DD/YYYY",
    "LL": "MMMM D, YYYY",
    "LLL": "MMMM D, YYYY h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A",
    "l": "M/D/YYYY",
    "ll": "MMM D, YYYY",
    "lll": "MMM D, YYYY h:mm A",
    "llll": "ddd, MMM D, YYYY h:mm A",
}
_LONG_TOKENS = re.compile(r"\[[^\[\]]*\]|\\.|LTS|LT|L{1,4}|l{1,4}")


def _expanded(layout: str) -> str:
    return _LONG_TOKENS.sub(lambda match: _LONG_FORMATS.get(match[0], match[0]), layout)


def _ordinal(number: int) -> str:
    teens = 10 < number % 100 < 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _us_week(at: datetime) -> tuple[int, int]:
    """Year and week where weeks begin on Sunday and the first is the one with January 1st."""
    saturday = at.date() + timedelta(days=6 - at.isoweekday() % 7) if at.year < 9999 else at.date()
    if saturday.year > at.year:
        return saturday.year, 1
    first_weekday = at.date().replace(month=1, day=1).isoweekday() % 7
    return at.year, (at.timetuple().tm_yday - 1 + first_weekday) // 7 + 1


def _padded(number: int, width: int) -> str:
    return str(number).zfill(width)


_PRINTERS: Mapping[str, Callable[[datetime], str]] = {
    "M": lambda at: str(at.month),
    "Mo": lambda at: _ordinal(at.month),
    "MM": lambda at: _padded(at.month, 2),
    "MMM": lambda at: _MONTHS[at.month - 1][:3],
    "MMMM": lambda at: _MONTHS[at.month - 1],
    "Q": lambda at: str((at.month + 2) // 3),
    "Qo": lambda at: _ordinal((at.month + 2) // 3),
    "D": lambda at: str(at.day),
    "Do": lambda at: _ordinal(at.day),
    "DD": lambda at: _padded(at.day, 2),
    "DDD": lambda at: str(at.timetuple().tm_yday),
    "DDDo": lambda at: _ordinal(at.timetuple().tm_yday),
    "DDDD": lambda at: _padded(at.timetuple().tm_yday, 3),
    "d": lambda at: str(at.isoweekday() % 7),
    "do": lambda at: _ordinal(at.isoweekday() % 7),
    "dd": lambda at: _DAYS[at.weekday()][:2],
    "ddd": lambda at: _DAYS[at.weekday()][:3],
    "dddd": lambda at: _DAYS[at.weekday()],
    "e": lambda at: str(at.isoweekday() % 7),
    "E": lambda at: str(at.isoweekday()),
    "w": lambda at: str(_us_week(at)[1]),
    "wo": lambda at: _ordinal(_us_week(at)[1]),
    "ww": lambda at: _padded(_us_week(at)[1], 2),
    "W": lambda at: str(at.isocalendar().week),
    "Wo": lambda at: _ordinal(at.isocalendar().week),
    "WW": lambda at: _padded(at.isocalendar().week, 2),
    "Y": lambda at: str(at.year),
    "YY": lambda at: _padded(at.year % 100, 2),
    "YYYY": lambda at: _padded(at.year, 4),
    "YYYYYY": lambda at: "+" + _padded(at.year, 6),
    "gg": lambda at: _padded(_us_week(at)[0] % 100, 2),
    "gggg": lambda at: _padded(_us_week(at)[0], 4),
    "GG": lambda at: _padded(at.isocalendar().year % 100, 2),
    "GGGG": lambda at: _padded(at.isocalendar().year, 4),
    "A": lambda at: "AM" if at.hour < 12 else "PM",
    "a": lambda at: "am" if at.hour < 12 else "pm",
    "H": lambda at: str(at.hour),
    "HH": lambda at: _padded(at.hour, 2),
    "h": lambda at: str(at.hour % 12 or 12),
    "hh": lambda at: _padded(at.hour % 12 or 12, 2),
    "k": lambda at: str(at.hour or 24),
    "kk": lambda at: _padded(at.hour or 24, 2),
    "m": lambda at: str(at.minute),
    "mm": lambda at: _padded(at.minute, 2),
    "s": lambda at: str(at.second),
    "ss": lambda at: _padded(at.second, 2),
    "Z": lambda at: "+00:00",
    "ZZ": lambda at: "+0000",
    "z": lambda at: "UTC",
    "zz": lambda at: "Coordinated Universal Time",
    "X": lambda at: str(timestamp_of(at) // 1000),
    "x": lambda at: str(timestamp_of(at)),
}
_TOKENS = re.compile(
    r"\[(?P<kept>[^\[\]]*)\]|\\(?P<escaped>.)|(?P<fraction>S{1,9})|(?P<token>"
    + "|".join(sorted(_PRINTERS, key=len, reverse=True))
    + ")"
)


def _printed(at: datetime, match: re.Match[str]) -> str:
    token = match["token"]
    if token is not None:
        return _PRINTERS[token](at)
    if match["fraction"] is not None:
        return f"{at.microsecond:06d}000"[: len(match["fraction"])]
    return match["kept"] if match["kept"] is not None else match["escaped"]
