"""A new CSV file."""

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.csv import creating, editing


class CreateCSV(Component):
    """Saves the content as a file; tells its id and its column names."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        content = reading.as_text(given.get("initialContent"))
        how = editing.dialect(given, with_header=True)
        await creating.save(context, editing.required(given, "filename"), content, how)
