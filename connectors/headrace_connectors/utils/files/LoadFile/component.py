"""A stored file as text."""

import asyncio

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.converters import documents
from headrace_connectors.utils.csv import sheet

MAX_TEXT_BYTES = 8 * 1024 * 1024


class LoadFile(Component):
    """Sends the text of a file, whichever common encoding it has. Larger files go line by line, by LoadFileLines."""

    async def receive(self, context: Context) -> None:
        file_id = documents.required(reading.as_object(context.content), "fileId")
        documents.check_size((await context.files.info(file_id)).size_bytes, MAX_TEXT_BYTES)
        content = await context.files.load(file_id)
        await context.send_json({"content": await asyncio.to_thread(sheet.text, content)}, "content")
