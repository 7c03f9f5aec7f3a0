"""Tables, what they are read from, and the CSV, JSON and HTML that are made of them.

CSV cells are written as they are. A cell that begins with = + - or @ is a formula to a spreadsheet, so
tables with data of strangers are to be opened as text.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn, cast

from headrace_core import Json
from headrace_sdk import CancelError, JsonObject, reading

from headrace_connectors.utils.converters import documents
from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Dialect, Sheet

MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_COLUMNS = 10_000
COMMA = Dialect()

_ENCODER = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns, and rows of values that can be gone through once; rows may be shorter than the header."""

    header: list[str]
    rows: Iterator[list[Json]]


def of_csv(content: bytes) -> Table:
    """The table of a CSV file whose first row names the columns. Numbers and booleans are read."""
    found = sheet.read(content, COMMA)
    return Table(found.header, ([value(cell) for cell in row] for row in found.rows))


def of_json(content: bytes) -> Table:
    """The table of the objects in a JSON file: those of its list, or the values of its object.

    It has a column for every key that occurs, in the order of the first occurrence. Raises `CancelError`
    when the file is no JSON, or holds anything but objects.
    """
    found = _objects(content)
    header = list(dict.fromkeys(key for each in found for key in each))
    if len(header) > MAX_COLUMNS:
        raise CancelError(f"The objects have {len(header)} different keys; at most {MAX_COLUMNS} become columns.")
    return Table(header, ([each.get(key) for key in header] for each in found))


def value(cell: str) -> Json:
    """The number, boolean (in any case) or text a cell holds."""
    lowered = cell.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    return sheet.typed(cell, COMMA)


def to_csv(table: Table) -> Iterable[bytes]:
    """The table as a CSV file."""
    rows = ([reading.as_text(cell) for cell in row] for row in table.rows)
    return [sheet.write(Sheet(table.header, rows), COMMA)]


def to_json(table: Table, *, with_empty: bool = True) -> Iterator[bytes]:
    """The rows as a JSON list of objects. What is missing in a row is left out of its object, empty texts if wanted."""
    # Of two columns of one name the first counts.
    first = [name not in table.header[:place] for place, name in enumerate(table.header)]
    between = b"[\n"
    for row in table.rows:
        cells = zip(table.header, row, first, strict=False)
        made = {name: cell for name, cell, counts in cells if counts and (with_empty or cell != "")}
        yield between + _ENCODER.encode(made).encode("utf-8", "replace")
        between = b",\n"
    yield b"[]\n" if between == b"[\n" else b"\n]\n"


def to_html(table: Table) -> Iterator[bytes]:
    """The table as an HTML page."""
    yield b'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>Table</title></head><body><table>\n'
    if table.header:
        yield _line("th", table.header)
    for row in table.rows:
        yield _line("td", row)
    yield b"</table></body></html>\n"


def _line(tag: str, cells: Iterable[Json]) -> bytes:
    shown = "".join(f"<{tag}>{html.escape(reading.as_text(cell))}</{tag}>" for cell in cells)
    return f"<tr>{shown}</tr>\n".encode("utf-8", "replace")


def _objects(content: bytes) -> list[JsonObject]:
    documents.check_size(len(content), MAX_JSON_BYTES)
    try:
        found = cast("Json", json.loads(sheet.text(content), parse_constant=_refuse))  # loads gives nothing but Json
    except (ValueError, RecursionError) as error:
        raise CancelError(f"The file is no JSON: {error}.") from error
    listed = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(listed, list):
        raise CancelError("The file must hold a JSON list of objects.")
    for place, each in enumerate(listed):
        if not isinstance(each, dict):
            raise CancelError(f"The file must hold a JSON list of objects; entry {place} is none.")
    return [each for each in listed if isinstance(each, dict)]


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")
