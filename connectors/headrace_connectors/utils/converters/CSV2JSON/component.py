"""CSV as JSON."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.converters import documents, tables


class CSV2JSON(Component):
    """Makes a JSON list of objects of a CSV file whose first row names the columns."""

    async def receive(self, context: Context) -> None:
        await documents.convert(
            context, ".json", "application/json", lambda content: tables.to_json(tables.of_csv(content))
        )
