"""Lists as they are asked for: filter, pattern, order, page. Pure: the same answer over any store.

A field is a dotted name. At each object the whole rest of the name is tried as a key first, then its first part; a
list stands for each of its elements. What a condition means:

    equal      a value at the field is the same JSON value (1 is 1.0, but neither true nor "1"), or is a list that
               holds it. A number, true, false or null also finds the text it is written as, because a URL cannot
               tell 5 from "5", nor the number 1.10 from the version "1.10".
    not_equal  not equal; a missing field differs from everything
    match      a text at the field, or in a list at the field, holds a match of the RE2 pattern
    greater    a number above the number, or a text above the text by code points; also inside a list
    less       the same, below
    empty      missing, null, "", [] or {}
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar, cast

import re2
from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

from headrace_flow_manager import json_text

Operator = Literal["equal", "not_equal", "match", "greater", "less", "empty"]
Record = Mapping[str, Json]
Key = TypeVar("Key")
Item = TypeVar("Item")

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
MAX_CONDITIONS = 50
MAX_SORT_KEYS = 10
MAX_NAME = 256
MAX_PATTERN = 1_024
MAX_EXPRESSION = 1_024
_MAX_STATES = 20_000
_MAX_MEMORY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Condition:
    """One field compared with one value."""

    field: str
    operator: Operator
    value: Json = None
    written: str = ""  # how the value stood in the URL, where that differs from its shortest text


@dataclass(frozen=True, slots=True)
class SortKey:
    """Order by one field: missing, null, false, true, numbers, texts, then lists and objects."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A page of a filtered, ordered list. `limit` 0 means 100."""

    conditions: tuple[Condition, ...] = ()
    pattern: str = ""
    sort: tuple[SortKey, ...] = ()
    offset: int = 0
    limit: int = 0

    @property
    def page_size(self) -> int:
        """How many items a page holds at most."""
        return self.limit or DEFAULT_LIMIT

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that the query looks at."""
        return (*(each.field for each in self.conditions), *(each.field for each in self.sort))

    def equalities(self, field: str) -> tuple[str, ...]:
        """The texts that the field must equal: what a store may look up in an index before it asks `select`."""
        return tuple(
            each.value
            for each in self.conditions
            if each.field == field and each.operator == "equal" and isinstance(each.value, str)
        )


EVERYTHING = ListQuery(limit=MAX_LIMIT)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and how many there are in all."""

    items: tuple[Item, ...]
    total: int


class _Pattern(Protocol):
    programsize: int

    def search(self, text: str) -> object | None: ...


_Test = Callable[[Record], bool]


class Selection:
    """A query that was checked and made ready. Raises ValidationFailed with every problem of the query."""

    def __init__(self, query: ListQuery, names: Sequence[str] = ("name",)) -> None:
        self.query = query
        problems = list(_problems_of_bounds(query))
        self._tests: list[_Test] = []
        for number, condition in enumerate(query.conditions[:MAX_CONDITIONS]):
            test = _test_of(condition)
            if isinstance(test, str):
                problems.append(Problem(f"filter.{number}", test, field=condition.field[:MAX_NAME]))
            else:
                self._tests.append(test)
        if problems:
            raise ValidationFailed(problems)
        self._names = tuple(names)
        self._pattern = query.pattern.casefold()

    def holds(self, record: Record) -> bool:
        """Whether the record is asked for."""
        return all(test(record) for test in self._tests) and self._has_pattern(record)

    def page(self, records: Iterable[tuple[Key, Record]]) -> Page[Key]:
        """The keys of the page, out of records that come in their natural order."""
        kept = [(key, self._ranks(record)) for key, record in records if self.holds(record)]
        for place in reversed(range(len(self.query.sort))):
            kept.sort(key=lambda each: each[1][place], reverse=self.query.sort[place].descending)
        window = kept[self.query.offset : self.query.offset + self.query.page_size]
        return Page(tuple(key for key, _ in window), len(kept))

    def _ranks(self, record: Record) -> tuple[tuple[int, object], ...]:
        return tuple(_rank(record, each.field) for each in self.query.sort)

    def _has_pattern(self, record: Record) -> bool:
        if not self._pattern:
            return True
        return any(self._pattern in _text_of(each).casefold() for name in self._names for each in at(record, name))


def at(record: Record, field: str) -> Iterator[Json]:
    """The values at a dotted name: none where it is missing, several where it leads through lists."""
    if field in record:
        yield record[field]
        return
    first, dot, rest = field.partition(".")
    if not dot or first not in record:
        return
    inner = record[first]
    for each in inner if isinstance(inner, list) else (inner,):
        if isinstance(each, dict):
            yield from at(each, rest)


def is_same(one: Json, other: Json) -> bool:
    """Whether two JSON values are equal, with true and 1 told apart."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(value, other[key]) for key, value in one.items())
    return one == other


def _problems_of_bounds(query: ListQuery) -> Iterator[Problem]:
    if len(query.conditions) > MAX_CONDITIONS:
        yield Problem("filter", f"A list takes at most {MAX_CONDITIONS} conditions.", "Ask for less at once.")
    if len(query.sort) > MAX_SORT_KEYS:
        yield Problem("sort", f"A list takes at most {MAX_SORT_KEYS} sort keys.", "Leave some out.")
    if any(not 1 <= len(each.field) <= MAX_NAME for each in query.sort):
        yield Problem("sort", f"The name of a field has 1 to {MAX_NAME} characters.", "Name a field of the items.")
    if len(query.pattern) > MAX_PATTERN:
        yield Problem("pattern", f"A pattern has at most {MAX_PATTERN} characters.", "Search for a part of it.")
    if query.offset < 0:
        yield Problem("offset", "The offset is below zero.", "Give a whole number from 0.")
    if not 0 <= query.limit <= MAX_LIMIT:
        yield Problem("limit", f"The limit is {query.limit}.", f"Give a whole number from 1 to {MAX_LIMIT}.")


def _test_of(condition: Condition) -> _Test | str:
    """The test that a condition stands for, or what is wrong with it."""
    field, value, written = condition.field, condition.value, condition.written
    if not 1 <= len(field) <= MAX_NAME:
        return f"The name of a field has 1 to {MAX_NAME} characters."
    match condition.operator:
        case "equal":
            return lambda record: _equals(record, field, value, written)
        case "not_equal":
            return lambda record: not _equals(record, field, value, written)
        case "empty":
            return lambda record: all(each is None or each in ("", [], {}) for each in at(record, field))
        case "match":
            return _match_test(field, value)
        case "greater" | "less":
            return _order_test(field, value, greater=condition.operator == "greater")


def _equals(record: Record, field: str, value: Json, written: str) -> bool:
    if isinstance(value, str | list | dict):
        return any(is_same(each, value) for each in _one_by_one(record, field))
    text = written or json_text.encode(value)
    return any(is_same(each, value) or each == text for each in _one_by_one(record, field))


def _one_by_one(record: Record, field: str) -> Iterator[Json]:
    """The values at a field, and for each that is a list also its elements."""
    for each in at(record, field):
        yield each
        if isinstance(each, list):
            yield from each


def _match_test(field: str, value: Json) -> _Test | str:
    if not isinstance(value, str):
        return "A pattern to match is text."
    pattern = _compiled(value)
    if isinstance(pattern, str):
        return pattern
    return lambda record: any(
        isinstance(each, str) and pattern.search(each) is not None for each in _one_by_one(record, field)
    )


def _order_test(field: str, value: Json, *, greater: bool) -> _Test | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return "Only numbers and texts have an order. Compare with one of them."

    def is_beyond(each: Json) -> bool:
        if isinstance(value, str):
            return isinstance(each, str) and (each > value if greater else each < value)
        if isinstance(each, bool) or not isinstance(each, int | float):
            return False
        return each > value if greater else each < value

    return lambda record: any(is_beyond(each) for each in _one_by_one(record, field))


def _compiled(source: str) -> _Pattern | str:
    if len(source) > MAX_EXPRESSION:
        return f"A pattern to match has at most {MAX_EXPRESSION} characters."
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    try:
        pattern = cast(_Pattern, re2.compile(source, options))  # the library has no types of its own
    except re2.error as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"The pattern cannot be used: {reason}."
    return pattern if pattern.programsize <= _MAX_STATES else "The pattern is too complex: repeat less."


def _rank(record: Record, field: str) -> tuple[int, object]:
    for value in at(record, field):
        match value:
            case None:
                return (1, 0)
            case bool():
                return (2, value)
            case int() | float():
                return (3, value)
            case str():
                return (4, value)
            case _:
                return (5, json_text.encode_canonical(value))
    return (0, 0)


def _text_of(value: Json) -> str:
    return value if isinstance(value, str) else json_text.encode(value)
