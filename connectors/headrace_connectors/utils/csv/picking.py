"""Finding rows of a sheet by what a node asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headrace_core import Json
from headrace_sdk import JsonObject

from headrace_connectors.utils.csv import selection, sheet
from headrace_connectors.utils.csv.sheet import Dialect, Row, Sheet


def chooser(table: Sheet, how: Dialect, given: JsonObject, indexes: str = "indexes") -> Callable[[int, Row], bool]:
    """Whether a row (position, cells) passes the filters (with a header) or stands at the positions (without).

    Raises `CancelError` for filters and positions that make no sense.
    """
    if how.has_header:
        passes = selection.row_filter(given.get("filters"), table, how)
        return lambda place, row: passes(row)
    wanted = selection.positions(given.get(indexes), indexes)
    return lambda place, row: place in wanted


def matching(table: Sheet, how: Dialect, given: JsonObject, indexes: str = "indexes") -> Iterator[Row]:
    """The rows that the filters or positions choose."""
    is_chosen = chooser(table, how, given, indexes)
    return (row for place, row in enumerate(table.rows) if is_chosen(place, row))


def shown(table: Sheet, row: Row, how: Dialect, given: JsonObject) -> Json:
    """A row as it is sent: an object by column names when that is asked for, else a list."""
    if how.has_header and given.get("rowFormat") == "object":
        return sheet.record(table.header, row, how)
    return sheet.typed_row(row, how)
