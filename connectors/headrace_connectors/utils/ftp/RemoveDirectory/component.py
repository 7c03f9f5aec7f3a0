"""An empty directory of a server, removed."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.ftp import servers


class RemoveDirectory(Component):
    """Removes an empty directory, and sends its path."""

    async def receive(self, context: Context) -> None:
        await servers.remove(context, lambda server, path: server.remove_directory(path))

    async def reconcile(self, context: Context) -> bool | None:
        return await servers.was_removed(context)
