"""Rows that are added, as cells."""

from __future__ import annotations

import io

from headrace_core import Json
from headrace_sdk import CancelError, JsonObject, reading

from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Row, Sheet

MAX_ROWS = 100_000


def by_names(table: Sheet, values: JsonObject) -> Row:
    """The cells of a row given by column names. Names the file does not have are left out."""
    return [reading.as_text(values.get(name)) for name in table.header]


def in_order(row: Json, delimiter: str) -> Row:
    """The cells of a row given as list, or as one line of CSV."""
    if isinstance(row, list):
        return [reading.as_text(cell) for cell in row]
    lines = list(sheet.read_rows(io.StringIO(reading.as_text(row), newline=""), delimiter))
    if len(lines) > 1:
        raise CancelError("The field row holds more than one line: add them one by one.")
    return lines[0] if lines else [""]


def listed(value: Json) -> list[Json]:
    """The rows of AddRows: a list, or its JSON text. Raises `CancelError` for anything else."""
    found = reading.parse_json(value, "The field rows")
    if not isinstance(found, list):
        raise CancelError("The field rows must be a JSON list of lists or of objects.")
    if len(found) > MAX_ROWS:
        raise CancelError(f"The field rows has {len(found)} rows; at most {MAX_ROWS} are added at once.")
    return found
