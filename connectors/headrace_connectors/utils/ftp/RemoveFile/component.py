"""A file of a server, removed."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.ftp import servers


class RemoveFile(Component):
    """Removes a file, and sends its path."""

    async def receive(self, context: Context) -> None:
        await servers.remove(context, lambda server, path: server.remove_file(path))

    async def reconcile(self, context: Context) -> bool | None:
        return await servers.was_removed(context)
