"""Conditions in rows, as people build them in the designer: `{"AND": [{"OR": [{…}]}]}`.

Values that both read as numbers compare as numbers, both as dates as dates, two other texts as texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headrace_core import Json
from headrace_sdk import CancelError, JsonObject
from headrace_sdk.reading import as_flag, as_text, rows

from headrace_connectors.utils.controls import patterns
from headrace_connectors.utils.filters import comparison, values


def hold(expression: Json) -> bool:
    """Whether every group has a row that holds. No groups hold; a group without rows does not.

    Raises `CancelError` for an unknown operator and for a pattern that cannot be used.
    """
    return all(any(row_holds(row) for row in rows(group, "OR")) for group in rows(expression, "AND"))


def row_holds(row: JsonObject) -> bool:
    """Whether one row holds. Raises `CancelError` as `hold` does."""
    operator = row.get("operator")
    rule = _RULES.get(operator) if isinstance(operator, str) else None
    if rule is None:
        raise CancelError(f"There is no operator {operator!r}: choose one of {' '.join(_RULES)}.")
    return rule(row)


def are_loosely_equal(one: Json, other: Json) -> bool:
    """Whether two values are equal without regard to how they are written: 5 and "5" are, true and "true" too."""
    if isinstance(one, bool) or isinstance(other, bool):
        return as_text(one) == as_text(other)
    return values.are_equal(one, other)


def is_empty(value: Json) -> bool:
    """Whether there is nothing in it. Numbers and truth values are never empty."""
    return value is None or value in ("", [], {})


def _above(value: Json, bound: Json, *, exclusive: bool) -> bool:
    if _are_words(value, bound):
        return as_text(value) > as_text(bound) or (not exclusive and value == bound)
    return comparison.is_above(value, bound, exclusive=exclusive)


def _below(value: Json, bound: Json, *, exclusive: bool) -> bool:
    if _are_words(value, bound):
        return as_text(value) < as_text(bound) or (not exclusive and value == bound)
    return comparison.is_below(value, bound, exclusive=exclusive)


def _are_words(*both: Json) -> bool:
    if not all(isinstance(each, str) for each in both):
        return False
    return any(values.number(each) is None for each in both) and any(values.date(each) is None for each in both)


def _is_divisible(row: JsonObject) -> bool:
    value = values.number(row.get("input"))
    divisor = values.number(row.get("divisor", row.get("value")))
    if value is None or not divisor:
        return False
    try:
        return value % divisor == 0
    except OverflowError:  # a whole number of hundreds of digits, and a divisor with a fraction
        return False


def _contains(row: JsonObject) -> bool:
    value = row.get("input")
    return value is not None and as_text(row.get("value")).lower() in as_text(value).lower()


def _is_in_range(row: JsonObject) -> bool:
    value = row.get("input")
    return _above(value, row.get("rangeMin"), exclusive=as_flag(row.get("exclusiveMin"))) and _below(
        value, row.get("rangeMax"), exclusive=as_flag(row.get("exclusiveMax"))
    )


_RULES: Mapping[str, Callable[[JsonObject], bool]] = {
    "=": lambda row: are_loosely_equal(row.get("input"), row.get("value")),
    "!=": lambda row: not are_loosely_equal(row.get("input"), row.get("value")),
    ">": lambda row: _above(row.get("input"), row.get("value"), exclusive=True),
    ">=": lambda row: _above(row.get("input"), row.get("value"), exclusive=False),
    "<": lambda row: _below(row.get("input"), row.get("value"), exclusive=True),
    "<=": lambda row: _below(row.get("input"), row.get("value"), exclusive=False),
    "%": _is_divisible,
    "empty": lambda row: is_empty(row.get("input")),
    "notEmpty": lambda row: not is_empty(row.get("input")),
    "contains": _contains,
    "range": _is_in_range,
    "regex": lambda row: patterns.matches(as_text(row.get("regex")), as_text(row.get("input"))),
}
