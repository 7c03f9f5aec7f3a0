"""Comparing two values that are both numbers or both dates."""

from __future__ import annotations

from headrace_core import Json

from headrace_connectors.utils.filters import values


def is_above(value: Json, bound: Json, *, exclusive: bool) -> bool:
    """Whether `value` is greater than `bound`, or equal unless `exclusive`. False for what cannot be compared."""
    difference = _difference(value, bound)
    return difference is not None and (difference > 0 or (difference == 0 and not exclusive))


def is_below(value: Json, bound: Json, *, exclusive: bool) -> bool:
    """Whether `value` is less than `bound`, or equal unless `exclusive`. False for what cannot be compared."""
    difference = _difference(value, bound)
    return difference is not None and (difference < 0 or (difference == 0 and not exclusive))


def _difference(value: Json, bound: Json) -> int | None:
    numbers = values.number(value), values.number(bound)
    if numbers[0] is not None and numbers[1] is not None:
        return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])
    dates = values.date(value), values.date(bound)
    if dates[0] is not None and dates[1] is not None:
        return (dates[0] > dates[1]) - (dates[0] < dates[1])
    return None
