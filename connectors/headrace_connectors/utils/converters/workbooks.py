"""Excel workbooks: the first sheet as rows of values, and a table as a workbook of one sheet.

Text is written as text: a cell that begins with = does not become a formula. Of formulas their last result is read.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from headrace_core import Json
from headrace_sdk import CancelError, reading
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell

from headrace_connectors.utils import watching
from headrace_connectors.utils.converters import documents
from headrace_connectors.utils.converters.pages import distinct
from headrace_connectors.utils.converters.tables import Table

if TYPE_CHECKING:
    from openpyxl.workbook.child import _WorkbookChild

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_UNPACKED_BYTES = 64 * 1024 * 1024
MAX_PARTS = 2_000
MAX_TAGS = 4_000_000
MAX_CELLS = 1_000_000
MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_TEXT = 32_767
EXACT_BELOW = 2**53
SECONDS = 60.0

_PIECE_BYTES = 1024 * 1024
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What the library raises for broken files: whatever its parts make of them. A broken XML is a SyntaxError."""
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


Scalar: TypeAlias = str | int | float | bool | None


class _Sheet(Protocol):
    """A sheet as it is read row by row."""

    def reset_dimensions(self) -> None: ...

    def iter_rows(self, *, values_only: bool) -> Iterator[tuple[object, ...]]: ...


def cells(content: bytes, *, seconds: float = SECONDS) -> list[list[Json]]:
    """The rows of the first sheet, all as long as the longest; null for empty cells, dates as ISO 8601.

    Raises `CancelError` when it is no workbook, has no sheet, or is larger than what is read.
    """
    documents.check_size(len(content))
    with watching.limited(seconds, "Reading the workbook"):
        try:
            _check_archive(content)
            return _read(content)
        except _UNREADABLE as error:
            raise CancelError(f"The file is no Excel workbook (.xlsx) that can be read: {error}.") from error


def table(content: bytes) -> Table:
    """The first sheet with its first row as header; columns without a name get one, doubles get a number.

    Rows without any value are left out.
    """
    found = [row for row in cells(content) if any(cell is not None for cell in row)]
    if not found:
        return Table([], iter(()))
    header = distinct([reading.as_text(cell) for cell in found[0]])
    return Table(header, (["" if cell is None else cell for cell in row] for row in found[1:]))


def of_table(table: Table) -> Iterable[bytes]:
    """A workbook whose one sheet has the header and the rows. Raises `CancelError` where they do not fit into one."""
    rows = list(_checked([list[Json](table.header)] if table.header else [], table.rows))
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    packed = io.BytesIO()
    book.save(packed)
    return [packed.getvalue()]


def _check_archive(content: bytes) -> None:
    """Raises `CancelError` for an archive that unpacks to more than a workbook of the size that is read."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS:
            raise CancelError(f"The workbook has {len(parts)} parts; at most {MAX_PARTS} are read.")
        if sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
            raise CancelError(f"The workbook has more than {MAX_UNPACKED_BYTES} bytes when it is unpacked.")
        tags = 0
        for part in parts:
            with archive.open(part) as file:
                while piece := file.read(_PIECE_BYTES):
                    tags += piece.count(b"<") if part.filename.endswith((".xml", ".rels")) else 0
            if tags > MAX_TAGS:
                raise CancelError(f"The workbook has more than {MAX_TAGS} tags: split it.")


def _read(content: bytes) -> list[list[Json]]:
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    try:
        if not book.worksheets:
            raise CancelError("The workbook has no sheet.")
        sheet = cast("_Sheet", book.worksheets[0])  # the sheet of a workbook that is only read
        # What a file says about the size of its sheet may be wrong, and then cells would be made up or lost.
        sheet.reset_dimensions()
        return _rows(sheet)
    finally:
        book.close()


def _rows(sheet: _Sheet) -> list[list[Json]]:
    found: list[list[Json]] = []
    count = 0
    for row in sheet.iter_rows(values_only=True):
        count += max(1, len(row))
        _check_count(count)
        found.append([_value(cell) for cell in row])
    while found and not any(cell is not None for cell in found[-1]):
        found.pop()
    width = max(map(len, found), default=0)
    _check_count(width * len(found))
    return [[*row, *[None] * (width - len(row))] for row in found]


def _check_count(count: int) -> None:
    if count > MAX_CELLS:
        raise CancelError(f"The sheet has more than {MAX_CELLS} cells: split it.")


def _value(cell: object) -> Json:
    if cell is None or isinstance(cell, (bool, int, float, str)):
        return cell
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(timespec="seconds")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    return str(cell)


def _checked(header: list[list[Json]], rows: Iterator[list[Json]]) -> Iterator[list[Scalar]]:
    count = cell_count = 0
    for part in (header, rows):
        for row in part:
            count, cell_count = count + 1, cell_count + len(row)
            if count > MAX_ROWS or cell_count > MAX_CELLS or len(row) > MAX_COLUMNS:
                limits = f"{MAX_ROWS} rows, {MAX_COLUMNS} columns or {MAX_CELLS} cells"
                raise CancelError(f"The table does not fit into a sheet: it has more than {limits}.")
            yield [_writable(cell, count) for cell in row]


def _writable(value: Json, row: int) -> Scalar:
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and abs(value) < EXACT_BELOW:
        return value
    text = _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", reading.as_text(value))
    if len(text) > MAX_TEXT:
        raise CancelError(f"A cell in row {row} has {len(text)} characters; at most {MAX_TEXT} fit into one.")
    return text


def _cell(sheet: _WorkbookChild, value: Scalar) -> object:
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"
    return cell
