"""A CSV file taken into the flow."""

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.csv import creating, editing


class ImportCSV(Component):
    """Tells the file's id and column names. A picked file that comes as name and content is saved first."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=True)
        picked = reading.as_text(context.properties.get("filePickerFilename"))
        if picked:
            content = reading.as_text(context.properties.get("filePickerContent"))
            await creating.save(context, picked, content, how)
        elif given.get("content") and not given.get("fileId"):
            content = reading.as_text(given["content"])
            await creating.save(context, editing.required(given, "filename"), content, how)
        else:
            header = await editing.find(context, given, how, lambda table: table.header)
            await creating.tell(context, editing.file_id(given), header)
