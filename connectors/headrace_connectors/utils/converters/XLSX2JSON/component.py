"""An Excel workbook as JSON."""

from collections.abc import Iterable

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables, workbooks


class XLSX2JSON(Component):
    """Makes a JSON list of objects of the first sheet of a workbook; its first row names the keys."""

    async def receive(self, context: Context) -> None:
        await documents.convert(context, ".json", "application/json", _objects)


def _objects(content: bytes) -> Iterable[bytes]:
    # An empty cell says nothing, so its object does not name it.
    return tables.to_json(workbooks.table(content), with_empty=False)
