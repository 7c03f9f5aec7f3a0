"""An Excel workbook as CSV."""

from collections.abc import Iterable

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.converters import documents, workbooks
from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Dialect, Sheet


class XLSX2CSV(Component):
    """Makes a CSV file of the first sheet of a workbook."""

    async def receive(self, context: Context) -> None:
        await documents.convert(context, ".csv", "text/csv", _lines)


def _lines(content: bytes) -> Iterable[bytes]:
    rows = ([reading.as_text(cell) for cell in row] for row in workbooks.cells(content))
    return [sheet.write(Sheet([], rows), Dialect(has_header=False))]
