"""A stored file, zipped."""

import asyncio

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.converters import archives, documents


class ArchiveFile(Component):
    """Packs one file into a zip archive of its name."""

    async def receive(self, context: Context) -> None:
        file_id = documents.required(reading.as_object(context.content), "fileId")
        info = await context.files.info(file_id)
        archives.check(1, info.size_bytes)
        name = documents.safe_path(info.filename)
        content = await context.files.load(file_id)
        packed = await asyncio.to_thread(archives.pack, {name: content}, "zip")
        file = await context.files.save(f"{name.rpartition('/')[2]}.zip", packed, archives.CONTENT_TYPES["zip"])
        await context.send_json({"fileId": file.file_id}, "out")
