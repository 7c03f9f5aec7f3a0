"""A file of a server, removed."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.ftp import servers


class RemoveFile(Component):
    """Removes a file, and sends its path."""

    async def receive(self, context: Context) -> None:
        path = servers.path_in(context)
        try:
            async with servers.server_of(context) as server:
                await server.remove_file(path)
        except servers.NotThereError as error:
            await context.send_json(error.as_json(), "notFound")
            return
        await context.send_json({"path": path})

    async def reconcile(self, context: Context) -> bool | None:
        """It took place where nothing is there any more."""
        path = servers.path_in(context)
        try:
            async with servers.server_of(context) as server:
                await server.info(path)
        except servers.NotThereError:
            await context.send_json({"path": path})
            return True
        return False
