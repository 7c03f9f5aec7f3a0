"""Numbers and booleans in XML texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import re2
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject, reading

MAX_PATTERN = 1000
MAX_NUMBER = 300
MAX_DIGITS = 15
"""Whole numbers with more digits are codes: as numbers they would lose digits in a browser."""

_NUMBER = re.compile(r"[+-]?(?:(\d+)\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]{1,12}", re.ASCII)


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def search(self, text: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Numbers:
    """Which texts become numbers."""

    with_leading_zeros: bool = True
    hexadecimal: bool = True
    skipped: Pattern | None = None


def numbers(given: JsonObject) -> Numbers:
    """The settings of a node. Raises `CancelError` when what to skip is no pattern."""
    return Numbers(
        reading.as_flag(given.get("numberParseLeadingZeros", True)),
        reading.as_flag(given.get("numberParseHex", True)),
        _pattern(reading.as_text(given.get("numberParseSkipLike"))),
    )


def typed(text: str, how: Numbers) -> Json:
    """The boolean or number that a text spells, else the text."""
    spelled = text.strip()
    if spelled in ("true", "false"):
        return spelled == "true"
    if len(spelled) > MAX_NUMBER or (how.skipped is not None and how.skipped.search(spelled)):
        return text
    if _HEXADECIMAL.fullmatch(spelled):
        return int(spelled, 16) if how.hexadecimal else text
    found = _NUMBER.fullmatch(spelled)
    if found is None or (not how.with_leading_zeros and _has_leading_zero(found[1] or "")):
        return text
    return _number(spelled, text)


def _has_leading_zero(digits: str) -> bool:
    return len(digits) > 1 and digits.startswith("0")


def _number(spelled: str, text: str) -> Json:
    digits = spelled.lstrip("+-").lstrip("0") or "0"
    if digits.isdigit():
        return int(spelled) if len(digits) <= MAX_DIGITS else text
    number = float(spelled)
    return text if number in (float("inf"), float("-inf")) else number


def _pattern(written: str) -> Pattern | None:
    if not written:
        return None
    if len(written) > MAX_PATTERN:
        raise CancelError(f"The field numberParseSkipLike has more than {MAX_PATTERN} characters.")
    try:
        compiled: Pattern = re2.compile(written)
    except re2.error as error:
        raise CancelError(f"The field numberParseSkipLike is no regular expression: {error}.") from error
    return compiled
