"""A file of a server, kept."""

import hashlib
from collections.abc import AsyncIterator

from headrace_sdk import Component, Context

from headrace_connectors.utils.ftp import servers


class DownloadFile(Component):
    """Fetches a file piece by piece into the stored files, and sends its id."""

    async def receive(self, context: Context) -> None:
        path = servers.path_in(context)
        name, digest, length = path.rstrip("/").rpartition("/")[2] or "file", hashlib.md5(usedforsecurity=False), 0

        async def measured(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            nonlocal length
            async for piece in pieces:
                digest.update(piece)
                length += len(piece)
                yield piece

        try:
            async with servers.server_of(context) as server:
                await server.info(path)
                kept = await context.files.save(name, measured(server.download(path)))
        except servers.NotThereError as error:
            await context.send_json(error.as_json(), "notFound")
            return
        await context.send_json(
            {"fileId": kept.file_id, "filename": kept.filename, "md5": digest.hexdigest(), "length": length}
        )
