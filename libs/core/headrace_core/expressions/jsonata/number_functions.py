"""JSONata's functions of numbers, booleans and time."""

import math

from headrace_core.expressions.environment import MISSING, ModifierFailed
from headrace_core.expressions.jsonata.kinds import as_items, truth
from headrace_core.expressions.jsonata.toolbox import (
    Toolbox,
    finite,
    function,
    number_in,
    numbers_in,
    whole,
)
from headrace_core.expressions.modifiers.moments import iso_text, moment_of, timestamp_of
from headrace_core.expressions.values import number_of


@function("sum", 1, 1)
def _sum(given: list[object], tools: Toolbox) -> object:
    return finite(sum(numbers_in(given[0], tools)))


@function("max", 1, 1)
def _max(given: list[object], tools: Toolbox) -> object:
    return max(numbers_in(given[0], tools), default=MISSING)


@function("min", 1, 1)
def _min(given: list[object], tools: Toolbox) -> object:
    return min(numbers_in(given[0], tools), default=MISSING)


@function("average", 1, 1)
def _average(given: list[object], tools: Toolbox) -> object:
    found = numbers_in(given[0], tools)
    return finite(sum(found) / len(found)) if found else MISSING


@function("count", 1, 1, nothing=False)
def _count(given: list[object], tools: Toolbox) -> object:
    return len(as_items(given[0]))


@function("number", 1, 1, context=True)
def _as_number(given: list[object], tools: Toolbox) -> object:
    value = given[0]
    if isinstance(value, (bool, int, float, str)):
        return finite(number_of(value))
    raise ModifierFailed("$number cannot make a number of this")


@function("abs", 1, 1, context=True)
def _abs(given: list[object], tools: Toolbox) -> object:
    return abs(number_in(given[0]))


@function("floor", 1, 1, context=True)
def _floor(given: list[object], tools: Toolbox) -> object:
    return finite(math.floor(number_in(given[0])))


@function("ceil", 1, 1, context=True)
def _ceil(given: list[object], tools: Toolbox) -> object:
    return finite(math.ceil(number_in(given[0])))


@function("round", 1, 2, context=True)
def _round(given: list[object], tools: Toolbox) -> object:
    # Python and JSONata both round halves to the even neighbour.
    return finite(round(number_in(given[0]), max(-30, min(30, whole(given[1], 0)))))


@function("power", 2, 2, context=True)
def _power(given: list[object], tools: Toolbox) -> object:
    # Floats overflow at once, where integers would fill the memory.
    found = math.pow(number_in(given[0]), number_in(given[1]))
    return finite(found)


@function("sqrt", 1, 1, context=True)
def _sqrt(given: list[object], tools: Toolbox) -> object:
    return finite(math.sqrt(number_in(given[0])))


@function("random", 0, 0)
def _random(given: list[object], tools: Toolbox) -> object:
    return (int.from_bytes(tools.draw()[:8]) >> 11) / (1 << 53)


@function("formatBase", 1, 2, context=True)
def _format_base(given: list[object], tools: Toolbox) -> object:
    value, base = round(number_in(given[0])), whole(given[1], 10)
    if not 2 <= base <= 36:
        raise ModifierFailed("$formatBase takes a base from 2 to 36")
    digits = ""
    rest = abs(value)
    while rest or not digits:
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest % base] + digits
        rest //= base
    return ("-" if value < 0 else "") + digits


@function("boolean", 1, 1, context=True)
def _boolean(given: list[object], tools: Toolbox) -> object:
    return truth(given[0])


@function("not", 1, 1, context=True)
def _not(given: list[object], tools: Toolbox) -> object:
    return not truth(given[0])


@function("exists", 1, 1, nothing=False)
def _exists(given: list[object], tools: Toolbox) -> object:
    return given[0] is not MISSING


@function("now", 0, 0)
def _now(given: list[object], tools: Toolbox) -> object:
    return iso_text(tools.ev.env.now)


@function("millis", 0, 0)
def _millis(given: list[object], tools: Toolbox) -> object:
    return timestamp_of(tools.ev.env.now)


@function("fromMillis", 1, 1, context=True)
def _from_millis(given: list[object], tools: Toolbox) -> object:
    return iso_text(moment_of(number_in(given[0])))


@function("toMillis", 1, 1, context=True)
def _to_millis(given: list[object], tools: Toolbox) -> object:
    return timestamp_of(moment_of(tools.needed_text(given[0])))
