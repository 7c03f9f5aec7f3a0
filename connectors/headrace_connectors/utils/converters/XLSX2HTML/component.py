"""An Excel workbook as HTML."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables, workbooks


class XLSX2HTML(Component):
    """Makes an HTML table of the first sheet of a workbook, whose first row names the columns."""

    async def receive(self, context: Context) -> None:
        await documents.convert(context, ".html", "text/html", lambda content: tables.to_html(workbooks.table(content)))
