"""CSV as an Excel workbook."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables, workbooks


class CSV2XLSX(Component):
    """Makes a workbook of a CSV file whose first row names the columns. Numbers and booleans are cells of their own
    kind."""

    async def receive(self, context: Context) -> None:
        await documents.convert(
            context, ".xlsx", workbooks.CONTENT_TYPE, lambda content: workbooks.of_table(tables.of_csv(content))
        )
