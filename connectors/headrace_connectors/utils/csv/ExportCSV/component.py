"""A CSV file as text."""

from headrace_sdk import CancelError, Component, Context

from headrace_connectors.utils.csv import editing, sheet

MAX_CONTENT_BYTES = 10 * 1024 * 1024


class ExportCSV(Component):
    """Sends the whole file as one text."""

    async def receive(self, context: Context) -> None:
        file_id = editing.file_id(editing.fields(context))
        size = (await context.files.info(file_id)).size_bytes
        if size > MAX_CONTENT_BYTES:
            raise CancelError(f"The file has {size} bytes; at most {MAX_CONTENT_BYTES} fit into a message.")
        await context.send_json({"content": sheet.text(await context.files.load(file_id))}, "content")
