"""A directory on a server."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.ftp import servers


class CreateDirectory(Component):
    """Makes a directory, and sends its path."""

    async def receive(self, context: Context) -> None:
        path = servers.path_in(context)
        async with servers.server_of(context) as server:
            await server.make_directory(path)
        await context.send_json({"path": path})
