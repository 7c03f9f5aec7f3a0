"""The kinds of value that JSONata knows besides JSON's, and how it sees lists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from headrace_core.expressions.environment import MISSING, Evaluation

if TYPE_CHECKING:
    from headrace_core.expressions.jsonata.toolbox import Toolbox


class Sequence(list[object]):
    """What a path finds. With one item it is that item, unless it is to be kept a list."""

    keeps_list = False


class Constructed(list[object]):
    """A list written in the expression: paths do not take it apart."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function, built in or written in the expression. `arity` is how many arguments it needs."""

    name: str
    run: "Callable[[list[object], Toolbox], object]"
    arity: int
    takes_context: bool = False

    def wants_context(self, arguments: list[object]) -> bool:
        """Whether the context stands in for a first argument that was left out."""
        if not self.takes_context:
            return False
        # Both take a text first and a number next, so a leading number says that the text was left out.
        is_short = self.name in ("substring", "pad") and bool(arguments) and is_number(arguments[0])
        return is_short or len(arguments) < self.arity


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression; RE2 compiles it where it is used."""

    source: str
    flags: str


def as_items(value: object) -> list[object]:
    """The value as a list: what is missing has no items, a single value is one."""
    if isinstance(value, list):
        return value
    return [] if value is MISSING else [value]


def appended(first: object, second: object, ev: Evaluation) -> object:
    """Both together, as a list unless one of them is missing."""
    if first is MISSING:
        return second
    if second is MISSING:
        return first
    one, other = as_items(first), as_items(second)
    ev.claim_list(len(one) + len(other))
    ev.spend((len(one) + len(other)) >> 3)
    return Sequence([*one, *other])


def looked_up(value: object, name: str, ev: Evaluation) -> object:
    """The member of an object, or of every object of a list, also of lists within it."""
    if isinstance(value, dict):
        return value.get(name, MISSING)
    if not isinstance(value, list):
        return MISSING
    found = Sequence()
    waiting: list[object] = list(reversed(value))
    while waiting:
        ev.spend()
        current = waiting.pop()
        if isinstance(current, list):
            waiting.extend(reversed(current))
        elif isinstance(current, dict) and name in current:
            found.extend(as_items(current[name]))
            ev.claim_list(len(found))
    return found


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether the value is a number and no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def truth(value: object) -> bool:
    """What JSONata takes for true: a list when any item is, an object when it has members."""
    if isinstance(value, list):
        return any(truth(item) for item in value)
    if isinstance(value, (Function, Pattern)):
        return False
    return bool(value)
