"""A stored file, on a server."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object, as_text

from headrace_connectors.utils.converters import documents
from headrace_connectors.utils.ftp import servers


class UploadFile(Component):
    """Writes a stored file to the server piece by piece. A path that ends with a slash gets the file's own name."""

    async def receive(self, context: Context) -> None:
        file_id = documents.required(as_object(context.content), "fileId")
        info = await context.files.info(file_id)
        path = as_text(as_object(context.content).get("path"))
        path = servers.checked_path(path + info.filename if not path or path.endswith("/") else path)
        async with servers.server_of(context) as server:
            await server.upload(path, context.files.stream(file_id))
        await context.send_json({"fileId": file_id})
