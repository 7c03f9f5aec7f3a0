"""Which rows a node means: filters over columns, and positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import re2
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject, reading

from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Dialect, Row, Sheet
from headrace_connectors.utils.filters import values

MAX_DEPTH = 8
MAX_CONDITIONS = 200
MAX_PATTERN = 1000

Test: TypeAlias = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions counted from 0, given as `0,3,6-7`; kept as ranges, however long they are."""

    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, position: object) -> bool:
        return isinstance(position, int) and any(first <= position <= last for first, last in self.ranges)


def positions(value: Json, field: str) -> Positions:
    """The positions a field names. Raises `CancelError` for what are none."""
    written = "" if value is None or isinstance(value, bool) else values.text(value)
    parts = [part.strip() for part in written.split(",") if part.strip()]
    if len(parts) > MAX_CONDITIONS:
        raise CancelError(f"The field {field} names {len(parts)} positions; at most {MAX_CONDITIONS} are taken.")
    return Positions(tuple(_range(part, field) for part in parts))


def position(value: Json, field: str) -> int:
    """One position. Raises `CancelError` for anything but a whole number from 0."""
    number = values.number(value) if value not in (None, "", []) and not isinstance(value, bool) else None
    if number is None or number != int(number) or not 0 <= number < 10**9:
        raise CancelError(f"The field {field} must be a position counted from 0, not {value!r}.")
    return int(number)


def row_filter(value: Json, table: Sheet, how: Dialect) -> Test:
    """The test a filter field describes: nested AND and OR over {column, operator, value}. Empty passes all.

    Cells and values are read alike, as the dialect says; a cell that is missing counts as empty.
    Raises `CancelError` for unknown columns and operators, and for patterns that are none.
    """
    if not value:
        return lambda row: True
    return _Filter(table, how).read(value, "AND", 0)


class _Filter:
    """Reads one filter and counts its conditions."""

    def __init__(self, table: Sheet, how: Dialect) -> None:
        self._table = table
        self._how = how
        self._count = 0

    def read(self, value: Json, joined_by: str, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise CancelError(f"The filter is nested more than {MAX_DEPTH} levels deep.")
        if isinstance(value, list):
            return _joined([self.read(each, "AND", depth + 1) for each in value], joined_by)
        if not isinstance(value, dict):
            raise CancelError(f"The filter holds {value!r}, which is no condition.")
        if "column" in value:
            return self._condition(value)
        groups = [self.read(each, name, depth + 1) for name, each in value.items() if each]
        return _joined(groups, "AND")

    def _condition(self, value: JsonObject) -> Test:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise CancelError(f"The filter has more than {MAX_CONDITIONS} conditions.")
        how, place = self._how, self._table.column(reading.as_text(value["column"]))
        compare = _comparison(value.get("operator") or "=", value.get("value"), how)
        return lambda row: compare(sheet.typed(row[place], how) if place < len(row) else "")


def _joined(tests: list[Test], joined_by: str) -> Test:
    if joined_by == "OR":
        return lambda row: any(test(row) for test in tests)
    return lambda row: all(test(row) for test in tests)


def _comparison(operator: Json, value: Json, how: Dialect) -> Callable[[Json], bool]:
    if operator == "regex":
        return _matcher(value)
    wanted = sheet.typed(reading.as_text(value), how) if value is None or isinstance(value, str) else value
    match operator:
        case "=":
            return lambda cell: _are_equal(cell, wanted)
        case "!=":
            return lambda cell: not _are_equal(cell, wanted)
        case ">":
            return lambda cell: _order(cell, wanted) == 1
        case ">=":
            return lambda cell: _order(cell, wanted) in (0, 1)
        case "<":
            return lambda cell: _order(cell, wanted) == -1
        case "<=":
            return lambda cell: _order(cell, wanted) in (-1, 0)
    raise CancelError(f"The filter has the unknown operator {operator!r}: use =, !=, >, >=, <, <= or regex.")


def _are_equal(cell: Json, wanted: Json) -> bool:
    # An empty cell is no zero, as it would be by the filters' rules.
    return cell == wanted if cell == "" or wanted == "" else values.are_equal(cell, wanted)


def _order(cell: Json, wanted: Json) -> int | None:
    """-1, 0 or 1 as the cell is less, equal or greater; None when the two have no order, as with empty cells."""
    if cell == "" or wanted == "":
        return None
    if isinstance(cell, str) and isinstance(wanted, str):
        return (cell > wanted) - (cell < wanted)
    first, second = values.number(cell), values.number(wanted)
    if first is None or second is None:
        return None
    return (first > second) - (first < second)


def _matcher(wanted: Json) -> Callable[[Json], bool]:
    if not isinstance(wanted, str) or len(wanted) > MAX_PATTERN:
        raise CancelError(f"A regex condition needs a pattern of at most {MAX_PATTERN} characters.")
    try:
        pattern = re2.compile(wanted)
    except re2.error as error:
        raise CancelError(f"The pattern {wanted!r} is no regular expression: {error}.") from error
    return lambda cell: bool(pattern.search(values.text(cell)))


def _range(part: str, field: str) -> tuple[int, int]:
    first, dash, last = part.partition("-")
    if not dash:
        last = first
    if not all(side.strip().isdigit() and side.isascii() and len(side) < 12 for side in (first, last)):
        raise CancelError(f"The field {field} holds {part!r}; write positions like 0,3,6-7.")
    return int(first), int(last)
