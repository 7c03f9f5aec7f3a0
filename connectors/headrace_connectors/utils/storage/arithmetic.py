"""What Modify does to a value."""

from __future__ import annotations

import math
from collections.abc import Callable

from headrace_core import Json
from headrace_sdk import CancelError

from headrace_connectors.utils.filters import values

Number = int | float

CALCULATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "Add": lambda old, operand: old + operand,
    "Subtract": lambda old, operand: old - operand,
    "Multiply": lambda old, operand: old * operand,
    "Divide": lambda old, operand: old / operand,
}
MAX_TEXT = 1024 * 1024
MAX_DIGITS = 1000


def modified(old: Json, operator: Json, operand: Json) -> Json:
    """The new value. A missing old value counts as 0 or as empty text.

    Raises `CancelError` for an unknown operator, for what is no number, for a division by 0, and for
    results that are too large.
    """
    if operator == "Set":
        return operand
    if operator == "Append":
        return _appended(old, operand)
    if not isinstance(operator, str) or operator not in CALCULATIONS:
        known = ", ".join([*CALCULATIONS, "Append", "Set"])
        raise CancelError(f"The operator {operator!r} is not known: use one of {known}.")
    return _calculated(operator, _number(old or 0, "stored value"), _number(operand, "operand"))


def _calculated(operator: str, old: Number, operand: Number) -> Number:
    if operator == "Divide" and operand == 0:
        raise CancelError("The operand is 0: nothing can be divided by it.")
    try:
        result = CALCULATIONS[operator](old, operand)
    except OverflowError as error:
        raise CancelError(f"The result of {operator} is too large.") from error
    if isinstance(result, float) and not math.isfinite(result):
        raise CancelError(f"The result of {operator} is too large.")
    if isinstance(result, float):
        return int(result) if result.is_integer() and abs(result) < 2**53 else result
    if result.bit_length() > MAX_DIGITS:
        raise CancelError(f"The result of {operator} is too large.")
    return result


def _appended(old: Json, operand: Json) -> str:
    result = values.text(old) + values.text(operand)
    if len(result) > MAX_TEXT:
        raise CancelError(f"The text would have {len(result)} characters; at most {MAX_TEXT} are kept.")
    return result


def _number(value: Json, what: str) -> Number:
    number = values.number(value)
    if number is None:
        raise CancelError(f"The {what} is no number: {values.text(value)[:100]!r}.")
    return number
