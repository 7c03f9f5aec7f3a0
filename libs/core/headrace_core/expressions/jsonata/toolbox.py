"""What JSONata's functions share: how they are entered, how they read arguments, and what pays for them."""

import math
from collections.abc import Callable

from headrace_core import Json
from headrace_core.expressions import regexes
from headrace_core.expressions.environment import MISSING, Evaluation, Missing, ModifierFailed, Value
from headrace_core.expressions.jsonata.kinds import Function, Pattern, as_items, is_number
from headrace_core.expressions.values import float_text, int_text, json_text, number


class Toolbox:
    """What functions need of the evaluation that calls them."""

    def __init__(self, ev: Evaluation, place: str, call: Callable[[object, list[object]], object]) -> None:
        self.ev = ev
        self._place = place
        self.call = call
        self._draws = 0

    def draw(self) -> bytes:
        """Bytes left to chance; those of every further call differ."""
        self._draws += 1
        return self.ev.draw(f"{self._place}|{self._draws}")

    def text(self, value: object) -> str:
        """The value as text, as `$string` makes it."""
        if isinstance(value, str):
            self.ev.spend(len(value) >> 10)
            return value
        if value is True or value is False:
            return "true" if value else "false"
        if isinstance(value, int):
            return int_text(value)
        if isinstance(value, float):
            return float_text(value)
        if isinstance(value, (dict, list)):
            return json_text(plain_json(value, self.ev), self.ev)
        return "null" if value is None else ""

    def needed_text(self, value: object) -> str:
        """The text, when it is one."""
        if not isinstance(value, str):
            raise ModifierFailed("a function wants a text and gets something else")
        self.ev.spend(len(value) >> 10)
        return value

    def made(self, text: str) -> str:
        """A text that a function has made, counted."""
        self.ev.claim(len(text))
        return text

    def pattern(self, value: object) -> regexes.Pattern:
        """The compiled form of a regular expression, or of a plain text."""
        if isinstance(value, Pattern):
            return regexes.pattern_of(
                value.source, self.ev, ignore_case="i" in value.flags, multiline="m" in value.flags
            )
        return regexes.pattern_of(regexes.quoted(self.needed_text(value)), self.ev)

    def with_item(self, function: object, item: object, index: int, items: list[object]) -> object:
        """Call a function with an item and as much of its place as the function takes."""
        arity = function.arity if isinstance(function, Function) else 1
        return self.call(function, [item, index, items][: max(1, arity)])


def plain_json(value: object, ev: Evaluation, depth: int = 0) -> Value:
    """The value as JSON, with empty texts in place of functions."""
    if depth > ev.limits.depth:
        raise ModifierFailed(f"a value is nested deeper than {ev.limits.depth} levels")
    ev.spend()
    if isinstance(value, dict):
        return {key: _member(member, ev, depth) for key, member in value.items()}
    if isinstance(value, list):
        return [_member(item, ev, depth) for item in value]
    if isinstance(value, (bool, int, float, str, Missing)):
        return value
    return None if value is None else ""


def _member(value: object, ev: Evaluation, depth: int) -> Json:
    found = plain_json(value, ev, depth + 1)
    return None if isinstance(found, Missing) else found


FUNCTIONS: dict[str, Function] = {}

Work = Callable[[list[object], Toolbox], object]


def function(
    name: str, least: int, most: int, *, context: bool = False, nothing: bool = True
) -> Callable[[Work], Work]:
    """Enter a function. With `nothing`, it is missing when its first argument is."""

    def enter(work: Work) -> Work:
        def run(arguments: list[object], tools: Toolbox) -> object:
            if not least <= len(arguments) <= most:
                raise ModifierFailed(f"${name} takes {least} to {most} arguments and gets {len(arguments)}")
            if nothing and arguments and arguments[0] is MISSING:
                return MISSING
            return work(arguments + [MISSING] * (most - len(arguments)), tools)

        FUNCTIONS[name] = Function(name, run, least, context)
        return work

    return enter


def number_in(value: object) -> int | float:
    if not is_number(value):
        raise ModifierFailed("a function wants a number and gets something else")
    return value


def whole(value: object, default: int) -> int:
    if value is MISSING:
        return default
    found = number_in(value)
    if abs(found) > 2**53:
        raise ModifierFailed("a number is too large")
    return math.floor(found)


def finite(value: int | float) -> int | float:
    found = number(value)
    if found is None:
        raise ModifierFailed("a number became too large")
    return found


def numbers_in(value: object, tools: Toolbox) -> list[int | float]:
    items = as_items(value)
    tools.ev.spend(len(items))
    return [number_in(item) for item in items]
