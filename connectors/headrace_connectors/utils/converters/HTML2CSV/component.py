"""HTML as CSV."""

from collections.abc import Iterable

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, pages
from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Dialect, Sheet


class HTML2CSV(Component):
    """Makes a CSV file of the first table of a page."""

    async def receive(self, context: Context) -> None:
        await documents.convert(context, ".csv", "text/csv", _rows)


def _rows(content: bytes) -> Iterable[bytes]:
    return [sheet.write(Sheet([], iter(pages.cells(content))), Dialect(has_header=False))]
