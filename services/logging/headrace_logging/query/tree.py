"""What a query means, as a tree of claims about one record."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Wild(Enum):
    """A gap in a pattern."""

    ONE = "?"
    MANY = "*"


Pattern: TypeAlias = tuple[str | Wild, ...]
"""Literal pieces and gaps, in order."""


@dataclass(frozen=True, slots=True)
class Everything:
    """True of every record."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The field holds this value; a text field, or any field at all when `field` is "", holds this phrase."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Resembles:
    """The field fits this pattern; in a text field, or any field at all when `field` is "", one word does."""

    field: str
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range."""

    text: str
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Between:
    """The field's value lies in this range: by number where both are numbers, else by text."""

    field: str
    low: Bound | None
    high: Bound | None


@dataclass(frozen=True, slots=True)
class Period:
    """The time in the field is at or after `start` and before `end`, both in microseconds since 1970."""

    field: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Exists:
    """The record has the field."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not true."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part is true."""

    parts: tuple["Node", ...]


Node: TypeAlias = Everything | Equals | Resembles | Between | Period | Exists | Not | All | AnyOf


def all_of(parts: Sequence[Node]) -> Node:
    """Every part; one part alone stands for itself, none is everything."""
    return Everything() if not parts else parts[0] if len(parts) == 1 else All(tuple(parts))


def any_of(parts: Sequence[Node]) -> Node:
    """At least one part; one part alone stands for itself."""
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
