"""JSON as CSV."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables


class JSON2CSV(Component):
    """Makes a CSV file of a JSON list of objects. Values that are objects or lists become JSON text."""

    async def receive(self, context: Context) -> None:
        await documents.convert(context, ".csv", "text/csv", lambda content: tables.to_csv(tables.of_json(content)))
