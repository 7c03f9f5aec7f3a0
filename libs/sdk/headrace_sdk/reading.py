"""Read what people and other components send: with clear errors, and as forgiving as a form field."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headrace_core import Json

from headrace_sdk.context import JsonObject
from headrace_sdk.errors import CancelError

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,300}", re.ASCII)


def as_object(value: Json, what: str = "The input") -> JsonObject:
    """The value as an object; nothing counts as an empty one. Raises `CancelError` for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CancelError(f"{what} must be an object and is {_kind(value)}.")
    return value


def as_list(value: Json) -> list[Json]:
    """The value as a list: a list as it is, nothing as an empty one, anything else as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def rows(value: Json, level: str = "ADD") -> list[JsonObject]:
    """The rows of an expression field, `{"ADD": [{…}, …]}`; an empty field has none."""
    listed = value.get(level) if isinstance(value, dict) else None
    return [each for each in as_list(listed) if isinstance(each, dict)]


def as_number(value: Json) -> int | float | None:
    """The number that the value is or spells; None when it is neither. Truth values and infinity are no numbers."""
    if isinstance(value, str):
        value = _spelled(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def as_seconds(value: Json, default: float, longest: timedelta = timedelta(days=31)) -> timedelta:
    """The seconds that a field holds, `longest` at most; `default` for none, for nought and for what is no number."""
    seconds = as_number(value) or default
    return timedelta(seconds=max(0, min(seconds, longest.total_seconds())))


def as_text(value: Json) -> str:
    """The value as people write it: text as it is, nothing as "", everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_flag(value: Json) -> bool:
    """What a toggle says; the texts "false", "0", "no", "off" and "" are false too."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "false", "0", "no", "off")
    return bool(value)


def as_instant(value: Json, zone: ZoneInfo | None = None) -> datetime | None:
    """The instant that the value names, aware: ISO 8601, an e-mail date, or milliseconds since 1970.

    A time without an offset is in `zone`, UTC by default. None when the value names none.
    """
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        if not isinstance(value, str) or not value.strip():
            return None
        found = _parsed(value.strip())
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone or UTC)


def _spelled(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def as_zone(name: Json, default: str = "UTC") -> ZoneInfo:
    """The time zone of that name; `default` when none is given. Raises `CancelError` for an unknown one."""
    wanted = as_text(name).strip() or default
    try:
        return ZoneInfo(wanted)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CancelError(f"There is no time zone {wanted!r}: write one like Europe/Prague.") from None


def iso(instant: datetime) -> str:
    """The instant in UTC as `2026-01-31T12:00:00.000Z`, the form that dates have in messages."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_json(value: Json, what: str) -> Json:
    """The value, read as JSON when it is text. Raises `CancelError` when the text is not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return cast("Json", json.loads(value))  # json.loads gives nothing but Json
    except ValueError as error:
        raise CancelError(f"{what} is not well-formed JSON: {error}.") from None


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "a number"
