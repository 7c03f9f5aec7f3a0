"""Files packed into one."""

import asyncio
from datetime import timedelta

from headrace_sdk import CancelError, Component, Context, FileInfo, JsonObject, reading

from headrace_connectors.utils.converters import archives, documents

LOCK_TIME = timedelta(minutes=3)


class Archive(Component):
    """Packs files into a new archive, or adds them to one; there, files of the same name are replaced.

    Nodes that add to one archive wait for each other, and adding twice changes nothing.
    """

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        form = reading.as_text(given.get("outputFormat")) or "zip"
        if form not in archives.CONTENT_TYPES:
            raise CancelError(f"The format {form!r} is not known: use zip or tar.")
        name = documents.required(given, "fileName")
        added = await _files(context, given)
        target = reading.as_text(given.get("archiveFileID")).strip()
        file = await _add(context, target, form, added) if target else await _new(context, name, form, added)
        await context.send_json({"fileId": file.file_id, "fileName": file.filename}, "out")


async def _new(context: Context, name: str, form: str, added: dict[str, bytes]) -> FileInfo:
    packed = await asyncio.to_thread(archives.pack, added, form)
    return await context.files.save(name, packed, archives.CONTENT_TYPES[form])


async def _add(context: Context, target: str, form: str, added: dict[str, bytes]) -> FileInfo:
    async with context.lock(f"archive:{target}", ttl=LOCK_TIME):
        archives.check(0, (await context.files.info(target)).size_bytes)
        content = await context.files.load(target)
        former = await asyncio.to_thread(archives.unpack, content, form)
        packed = await asyncio.to_thread(archives.pack, {**former, **added}, form)
        return await context.files.replace(target, packed)


async def _files(context: Context, given: JsonObject) -> dict[str, bytes]:
    found = archives.Entries()
    for row in reading.rows(given.get("files"), "AND"):
        file_id = documents.required(row, "fileId")
        info = await context.files.info(file_id)
        archives.check(len(found.files) + 1, found.size_bytes + info.size_bytes)
        found.add(info.filename, await context.files.load(file_id))
    return found.files
