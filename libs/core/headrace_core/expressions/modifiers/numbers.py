"""Modifiers of numbers. Integers stay exact up to 64 bits; what is not finite becomes null."""

import math
from collections.abc import Callable

from headrace_core.expressions.environment import MISSING, Evaluation, Value
from headrace_core.expressions.modifiers.registry import Argument, Arguments, modifier
from headrace_core.expressions.values import number, number_of

_SECOND = Argument("second", "number", required=True)
_INCLUSIVE = Argument("inclusive", "boolean", is_hash=True)
_CATEGORY = "number math"


def _pair(value: Value, arguments: Arguments) -> tuple[int | float, int | float]:
    return number_of(value), number_of(arguments.needed(0, "second"))


def _computed(work: Callable[[int | float, int | float], int | float], value: Value, arguments: Arguments) -> Value:
    left, right = _pair(value, arguments)
    try:
        return number(work(left, right))
    except OverflowError:
        return None


@modifier("add", "Add", "The number and the second one together.", _SECOND, category=_CATEGORY, returns="number")
def add(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return _computed(lambda left, right: left + right, value, arguments)


@modifier("sub", "Subtract", "The number less the second one.", _SECOND, category=_CATEGORY, returns="number")
def sub(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return _computed(lambda left, right: left - right, value, arguments)


@modifier("mul", "Multiply", "The number times the second one.", _SECOND, category=_CATEGORY, returns="number")
def mul(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return _computed(lambda left, right: left * right, value, arguments)


@modifier("div", "Divide", "The number divided by the second one.", _SECOND, category=_CATEGORY, returns="number")
def div(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return _computed(lambda left, right: left / right if right else math.nan, value, arguments)


@modifier(
    "mod", "Modulo", "What is left after dividing by the second number.", _SECOND, category=_CATEGORY, returns="number"
)
def mod(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return _computed(_remainder, value, arguments)


def _remainder(left: int | float, right: int | float) -> int | float:
    """The remainder with the sign of the first number, as in JavaScript."""
    if not right:
        return math.nan
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return math.fmod(left, right)


def _all_numbers(value: Value, arguments: Arguments, ev: Evaluation) -> list[int | float]:
    """The value and all arguments; lists among them count with their items, missing ones do not count."""
    found: list[int | float] = []
    for each in (value, *arguments.positional, *arguments.named.values()):
        if isinstance(each, list):
            ev.spend(len(each))
            found.extend([number_of(item) for item in each])
        elif each is not MISSING and each is not None and each != "":
            found.append(number_of(each))
    return found


@modifier(
    "min",
    "Minimum",
    "The smallest of all the numbers.",
    Argument("numbers", "number"),
    category=_CATEGORY,
    returns="number",
    variable_arguments=True,
)
def minimum(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = _all_numbers(value, arguments, ev)
    return number(min(found)) if found else MISSING


@modifier(
    "max",
    "Maximum",
    "The largest of all the numbers.",
    Argument("numbers", "number"),
    category=_CATEGORY,
    returns="number",
    variable_arguments=True,
)
def maximum(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = _all_numbers(value, arguments, ev)
    return number(max(found)) if found else MISSING


@modifier(
    "avg",
    "Average",
    "The mean of all the numbers.",
    Argument("numbers", "number"),
    category=_CATEGORY,
    returns="number",
    variable_arguments=True,
)
def average(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = _all_numbers(value, arguments, ev)
    return number(sum(found) / len(found)) if found else MISSING


@modifier("floor", "Round down", "The next whole number below.", category=_CATEGORY, returns="number")
def floor(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return number(math.floor(number_of(value)))


@modifier("ceil", "Round up", "The next whole number above.", category=_CATEGORY, returns="number")
def ceil(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return number(math.ceil(number_of(value)))


@modifier(
    "lessThan",
    "Less than",
    "True when the number is smaller than the second one, or, inclusive, equal to it.",
    _SECOND,
    _INCLUSIVE,
    category=_CATEGORY,
    returns="boolean",
)
def less_than(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    left, right = _pair(value, arguments)
    return left < right or (left == right and arguments.flag(1, "inclusive"))


@modifier(
    "greaterThan",
    "Greater than",
    "True when the number is larger than the second one, or, inclusive, equal to it.",
    _SECOND,
    _INCLUSIVE,
    category=_CATEGORY,
    returns="boolean",
)
def greater_than(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    left, right = _pair(value, arguments)
    return left > right or (left == right and arguments.flag(1, "inclusive"))
