"""A CSV file as rows of cells, read one after the other, and back.

Cells stay the texts they are in the file; `typed` reads numbers and booleans out of them where a node asks
for it. What is written is quoted where it must be, and not changed otherwise: a cell that begins with =
is a formula to a spreadsheet, so such files are to be opened with care.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from headrace_core import Json
from headrace_sdk import CancelError, JsonObject

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_COLUMNS = 10_000
MAX_ROWS = 2_000_000
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
MAX_NUMBER = 300
MAX_DIGITS = 18
"""Longer whole numbers are codes rather than amounts, and do not fit into 64 bits: they stay text."""

NAMED_DELIMITERS = {"\\t": "\t", "tab": "\t"}
SHOWN_COLUMNS = 20
CHUNK_BYTES = 1024 * 1024

Row: TypeAlias = list[str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is read: what separates its columns, and whether its first row names them."""

    delimiter: str = ","
    has_header: bool = True
    parses_numbers: bool = True
    parses_booleans: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file being read: its header, and its rows, which can be gone through once.

    Going on raises `CancelError` where the file stops being CSV. Of two columns of one name the first counts.
    """

    header: Row
    rows: Iterator[Row]
    has_mark: bool = False
    line_end: str = "\n"

    def column(self, name: str) -> int:
        """Where the column of that name is. Raises `CancelError` when there is none."""
        if name.strip() not in self.header:
            shown = [*map(repr, self.header[:SHOWN_COLUMNS]), *["…"] * (len(self.header) > SHOWN_COLUMNS)]
            raise CancelError(f"There is no column {name!r}. The file has: {', '.join(shown) or 'no columns'}.")
        return self.header.index(name.strip())


def delimiter(value: Json) -> str:
    """The delimiter a field names, a comma when it is empty. Raises `CancelError` for more than one character."""
    if value is None or value == "":
        return ","
    found = NAMED_DELIMITERS.get(value, value) if isinstance(value, str) else ""
    if len(found) != 1 or found in '\r\n"':
        raise CancelError(f"The delimiter must be one character such as , or ;, not {value!r}.")
    return found


def read(content: bytes, dialect: Dialect) -> Sheet:
    """The file's header and rows; blank lines are none. Raises `CancelError` for what cannot be read."""
    check_size(len(content))
    stream = io.TextIOWrapper(io.BytesIO(content), encoding(content), errors="replace", newline="")
    rows = read_rows(stream, dialect.delimiter)
    header = [cell.strip() for cell in next(rows, [])] if dialect.has_header else []
    first_line = content[: content.find(b"\n") + 1]
    return Sheet(header, rows, content.startswith(codecs.BOM_UTF8), "\r\n" if first_line.endswith(b"\r\n") else "\n")


def read_rows(lines: Iterable[str], separator: str) -> Iterator[Row]:
    """The rows of CSV text. Raises `CancelError` that names the line."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    count = 0
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise CancelError(f"Line {reader.line_num} has {len(row)} columns; at most {MAX_COLUMNS} are read.")
            if row:
                count += 1
                if count > MAX_ROWS:
                    raise CancelError(f"The file has more than {MAX_ROWS} rows: split it.")
                yield row
    except csv.Error as error:
        raise CancelError(f"Line {reader.line_num} is no CSV: {error}.") from error


def write(sheet: Sheet, dialect: Dialect) -> bytes:
    """The file of a sheet, in UTF-8, with the byte order mark and the line ends it had. Goes through its rows."""
    written = io.BytesIO(codecs.BOM_UTF8 if sheet.has_mark else b"")
    written.seek(0, io.SEEK_END)
    writer = csv.writer(_Lines(written, sheet.line_end), delimiter=dialect.delimiter, lineterminator=_Lines.END)
    if sheet.header:
        writer.writerow(sheet.header)
    for row in sheet.rows:
        writer.writerow(row)
        check_size(written.tell())
    return written.getvalue()


def check_size(size_bytes: int) -> None:
    """Raises `CancelError` when a file is larger than 32 MiB."""
    if size_bytes > MAX_FILE_BYTES:
        raise CancelError(f"The file has {size_bytes} bytes; CSV files may have at most {MAX_FILE_BYTES}.")


def text(content: bytes) -> str:
    """The text of a file, in the encoding it has."""
    return content.decode(encoding(content), "replace")


def encoding(content: bytes) -> str:
    """How a file's text is written: UTF-16 by its mark, else UTF-8, else Windows-1252."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), CHUNK_BYTES):
            decoder.decode(content[start : start + CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def typed(cell: str, dialect: Dialect) -> Json:
    """A trimmed cell as number or boolean where the dialect reads those and the cell is one."""
    cell = cell.strip()
    if dialect.parses_booleans and cell in ("true", "false"):
        return cell == "true"
    if dialect.parses_numbers and len(cell) < MAX_NUMBER and NUMBER.fullmatch(cell):
        return _number(cell)
    return cell


def typed_row(row: Row, dialect: Dialect) -> list[Json]:
    """All cells of a row, typed."""
    return [typed(cell, dialect) for cell in row]


def record(header: Row, row: Row, dialect: Dialect) -> JsonObject:
    """A row by column names. Cells that are missing are null, cells without a name are left out."""
    cells: list[Json] = [*typed_row(row, dialect)]
    missing: list[Json] = [None] * (len(header) - len(cells))
    named: JsonObject = {}
    for name, cell in zip(header, [*cells, *missing], strict=False):
        named.setdefault(name, cell)
    return named


class _Lines:
    """Takes lines from a CSV writer, which quotes all line ends only when it is to end its lines with both."""

    END = "\r\n"

    def __init__(self, written: io.BytesIO, line_end: str) -> None:
        self._written = written
        self._line_end = line_end

    def write(self, line: str) -> int:
        return self._written.write((line.removesuffix(self.END) + self._line_end).encode("utf-8", "replace"))


def _number(cell: str) -> Json:
    digits = cell.lstrip("+-")
    if digits.isdigit():
        return int(cell) if len(digits) <= MAX_DIGITS else cell
    number = float(cell)
    return cell if number in (float("inf"), float("-inf")) else number
