"""How the filters read values: numbers and dates out of text, and what counts as equal.

The rules are JavaScript's, because flows that come from Appmixer were made with them: "5" equals 5, a
blank text is 0. A text counts as a date when it is ISO 8601, RFC 2822 or a common written form.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from headrace_core import Json

DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
BASED = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
MAX_NUMBER_TEXT = 1000
DATE_FORMS = (
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
    "%d %B %Y",
)


def number(value: Json) -> int | float | None:
    """The number a value stands for, None when it stands for none. Blank text, null and [] are 0."""
    if value is None or value == []:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return None if isinstance(value, float) and math.isnan(value) else value
    if isinstance(value, list):
        return number(value[0]) if len(value) == 1 else None
    return _number_in(value.strip()) if isinstance(value, str) else None


def leading_number(value: Json) -> int | float | None:
    """The number a value begins with: "12 apples" is 12. None when it begins with none."""
    if isinstance(value, str):
        match = DECIMAL.match(value.strip()[:MAX_NUMBER_TEXT])
        return _number_in(match[0]) if match else None
    return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def date(value: Json) -> datetime | None:
    """The moment a text names, None when it names none. Without an offset it is UTC."""
    text = value.strip() if isinstance(value, str) else ""
    if not 6 <= len(text) <= 64:
        return None
    found = _iso(text) or _mail(text) or _written(text)
    if found is None:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def are_equal(one: Json, other: Json) -> bool:
    """Whether two values are equal without regard to how they are written: 5 and "5.0" are."""
    if isinstance(one, dict) or isinstance(other, dict) or (isinstance(one, list) and isinstance(other, list)):
        return one == other
    if one is None or other is None:
        return one is other
    if isinstance(one, list) or isinstance(other, list):
        return text(one) == text(other)
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    first, second = number(one), number(other)
    return first is not None and first == second


def text(value: Json) -> str:
    """A value as text: lists are joined by commas, objects are JSON, null is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(text(each) for each in value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _number_in(written: str) -> int | float | None:
    if not written:
        return 0
    if len(written) > MAX_NUMBER_TEXT:
        return None
    if written in ("Infinity", "+Infinity", "-Infinity"):
        return -math.inf if written[0] == "-" else math.inf
    if BASED.fullmatch(written):
        return int(written, 0)
    if not DECIMAL.fullmatch(written):
        return None
    return int(written) if written.lstrip("+-").isdigit() else float(written)


def _iso(written: str) -> datetime | None:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return None


def _mail(written: str) -> datetime | None:
    try:
        return parsedate_to_datetime(written)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _written(written: str) -> datetime | None:
    for form in DATE_FORMS:
        try:
            # What has no offset is taken for UTC by `date`.
            return datetime.strptime(written, form)
        except ValueError:
            continue
    return None
