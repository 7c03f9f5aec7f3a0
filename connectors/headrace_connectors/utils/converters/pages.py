"""The first table of an HTML page."""

from __future__ import annotations

from html.parser import HTMLParser

from headrace_sdk import CancelError

from headrace_connectors.utils import watching
from headrace_connectors.utils.converters import documents
from headrace_connectors.utils.converters.tables import Table, value
from headrace_connectors.utils.csv import sheet

MAX_PAGE_BYTES = 4 * 1024 * 1024
MAX_SPAN = 1000
MAX_CELLS = 2_000_000
SECONDS = 10.0
SILENT = ("script", "style", "template")


def cells(content: bytes, *, seconds: float = SECONDS) -> list[list[str]]:
    """The cells of the first table. Cells that span more than one place are followed by empty ones.

    Raises `CancelError` when there is no table, or too large a one, or a page that is made to take for ever.
    """
    documents.check_size(len(content), MAX_PAGE_BYTES)
    reader = _Reader()
    # The parser takes quadratic time for some broken pages.
    with watching.limited(seconds, "Reading the page"):
        reader.feed(sheet.text(content))
        reader.close()
        reader.end_row()
    if not reader.has_table:
        raise CancelError("The page has no table.")
    return reader.rows


def table(content: bytes) -> Table:
    """The first table with its first row as header; columns without a name get one, doubles get a number.

    Rows without any text are left out.
    """
    rows = cells(content)
    names = distinct(rows[0]) if rows else []
    return Table(names, ([value(cell) for cell in row[: len(names)]] for row in rows[1:] if any(row)))


def distinct(names: list[str]) -> list[str]:
    taken: dict[str, int] = {}
    distinct: list[str] = []
    for name in (each or "__EMPTY" for each in names):
        count = taken.get(name, 0)
        taken[name] = count + 1
        distinct.append(f"{name}_{count}" if count else name)
    return distinct


class _Reader(HTMLParser):
    """Gathers the rows of the outermost first table; tables within its cells count as text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.has_table = False
        self._depth = 0
        self._is_done = False
        self._silent = 0
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._span = (1, 1)
        self._held: dict[int, int] = {}
        self._count = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._is_done:
            return
        if tag in SILENT:
            self._silent += 1
        elif tag == "table":
            self._depth += 1
            self.has_table = True
        elif self._depth == 1 and tag == "tr":
            self.end_row()
            self._row = []
        elif self._depth == 1 and tag in ("td", "th"):
            self._begin_cell(dict(attrs))
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._is_done:
            return
        if tag in SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "table" and self._depth:
            self._depth -= 1
            if self._depth == 0:
                self.end_row()
                self._is_done = True
        elif self._depth == 1 and tag == "tr":
            self.end_row()
        elif self._depth == 1 and tag in ("td", "th"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._silent:
            # Only <br> ends a line.
            self._cell.append(data.replace("\n", " "))

    def end_row(self) -> None:
        """Finish the row that is open, if one is."""
        self._end_cell()
        if self._row is not None:
            self._fill_held()
            self.rows.append(self._row)
        self._row = None

    def _begin_cell(self, attributes: dict[str, str | None]) -> None:
        self._end_cell()
        if self._row is None:
            self._row = []
        self._fill_held()
        self._cell = []
        self._span = (_span(attributes.get("colspan")), _span(attributes.get("rowspan")))

    def _end_cell(self) -> None:
        if self._cell is None or self._row is None:
            return
        columns, rows = self._span
        first = len(self._row)
        lines = "".join(self._cell).split("\n")
        self._extend("\n".join(" ".join(line.split()) for line in lines).strip(), *[""] * (columns - 1))
        if rows > 1:
            self._held.update(dict.fromkeys(range(first, first + columns), rows - 1))
        self._cell = None

    def _fill_held(self) -> None:
        # Cells of rows above reach down into this one.
        while self._row is not None and (left := self._held.get(len(self._row), 0)):
            self._held[len(self._row)] = left - 1
            self._row.append("")
            self._count += 1
        self._check_count()

    def _extend(self, *cells: str) -> None:
        self._count += len(cells)
        self._check_count()
        if self._row is not None:
            self._row.extend(cells)

    def _check_count(self) -> None:
        if self._count > MAX_CELLS:
            raise CancelError(f"The table has more than {MAX_CELLS} cells.")


def _span(text: str | None) -> int:
    written = (text or "").strip()
    return min(max(int(written), 1), MAX_SPAN) if written.isascii() and written.isdigit() and len(written) < 6 else 1
