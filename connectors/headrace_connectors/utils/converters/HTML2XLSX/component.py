"""HTML as an Excel workbook."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, pages, workbooks


class HTML2XLSX(Component):
    """Makes a workbook of the first table of a page."""

    async def receive(self, context: Context) -> None:
        await documents.convert(
            context, ".xlsx", workbooks.CONTENT_TYPE, lambda content: workbooks.of_table(pages.table(content))
        )
