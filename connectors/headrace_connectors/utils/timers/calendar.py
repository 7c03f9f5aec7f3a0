"""Clock times, dates and spans, as the forms of the timers have them."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from headrace_core import Json
from headrace_sdk import CancelError
from headrace_sdk.reading import as_instant, as_number, as_text

_SPAN = re.compile(r"([0-9]{1,9})([mhdwMy])", re.ASCII)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?(?::[0-5][0-9])?", re.ASCII)
_SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MONTHS = {"M": 1, "y": 12}


def after(moment: datetime, span: str) -> datetime:
    """`span` later, for instance `30m` or `2M`. A month later is the same day, or the last one of a shorter month.

    Raises `CancelError` for a span of another form, and for one that leaves the calendar.
    """
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise CancelError(f"{span!r} is no time to wait: write a number and one of m, h, d, w, M, y, like 30m.")
    count, unit = int(found[1]), found[2]
    try:
        return moment + count * _SPANS[unit] if unit in _SPANS else _months_later(moment, count * _MONTHS[unit])
    except (OverflowError, ValueError):
        raise CancelError(f"{span} is beyond the calendar: wait less.") from None


def _months_later(moment: datetime, count: int) -> datetime:
    years, month = divmod(moment.month - 1 + count, 12)
    year = moment.year + years
    last_day = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def whole_number(value: Json) -> int | None:
    """The whole number that a field holds; None for anything else."""
    number = as_number(value)
    return int(number) if number is not None and int(number) == number else None


def clock_time(value: Json) -> tuple[int, int]:
    """Hour and minute of a time like `8:30`; midnight for none. Raises `CancelError` for anything else."""
    text = as_text(value).strip()
    if not text:
        return 0, 0
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise CancelError(f"{text!r} is no time of the day: write one like 08:30.")
    return int(found[1]), int(found[2] or 0)


def bound(value: Json, zone: ZoneInfo, what: str) -> datetime | None:
    """The moment that a date field holds, in `zone` unless it names an offset; None for an empty field.

    Raises `CancelError` for text that is no date.
    """
    text = as_text(value).strip()
    if not text:
        return None
    # The designer may write the zone's name after the time; the field beside says the same.
    found = as_instant(text, zone) or as_instant(text.rsplit(" ", 1)[0], zone)
    if found is None:
        raise CancelError(f"The {what} {text!r} is no date: write it like 2026-01-31 08:30.")
    return found
