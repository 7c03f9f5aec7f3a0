"""A PDF as text."""

import asyncio
import hashlib
from pathlib import PurePosixPath

from headrace_sdk import Component, Context, JsonObject, reading

from headrace_connectors.utils.converters import documents, portable

MAX_SENT_BYTES = 4 * 1024 * 1024


class PDF2Text(Component):
    """Saves the text of a PDF as a file of its name. Pictures of text have none."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        file_id = documents.required(given, "fileId")
        info = await context.files.info(file_id)
        documents.check_size(info.size_bytes)
        text = await asyncio.to_thread(portable.text, await context.files.load(file_id))
        made = text.encode("utf-8", "replace")
        is_sent = reading.as_flag(given.get("outputTextContent"))
        if is_sent:
            documents.check_size(len(made), MAX_SENT_BYTES)
        saved = await context.files.save(f"{PurePosixPath(info.filename).stem or 'result'}.txt", made, "text/plain")
        sent: JsonObject = {
            "fileId": saved.file_id,
            "fileName": saved.filename,
            "length": saved.size_bytes,
            "uploadDate": reading.iso(context.now),
            "md5": hashlib.md5(made, usedforsecurity=False).hexdigest(),
        }
        await context.send_json({**sent, "textContent": text} if is_sent else sent, "out")
