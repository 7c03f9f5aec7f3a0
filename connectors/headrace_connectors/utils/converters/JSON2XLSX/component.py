"""JSON as an Excel workbook."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables, workbooks


class JSON2XLSX(Component):
    """Makes a workbook of a JSON list of objects. Values that are objects or lists become JSON text."""

    async def receive(self, context: Context) -> None:
        await documents.convert(
            context, ".xlsx", workbooks.CONTENT_TYPE, lambda content: workbooks.of_table(tables.of_json(content))
        )
