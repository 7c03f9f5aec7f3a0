"""CSV as HTML."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables


class CSV2HTML(Component):
    """Makes an HTML table of a CSV file whose first row names the columns."""

    async def receive(self, context: Context) -> None:
        await documents.convert(context, ".html", "text/html", lambda content: tables.to_html(tables.of_csv(content)))
