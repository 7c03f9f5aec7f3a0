"""JSON as HTML."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables


class JSON2HTML(Component):
    """Makes an HTML table of a JSON list of objects."""

    async def receive(self, context: Context) -> None:
        await documents.convert(context, ".html", "text/html", lambda content: tables.to_html(tables.of_json(content)))
