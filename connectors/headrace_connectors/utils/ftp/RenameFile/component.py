"""Another name for a file of a server."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.ftp import servers


class RenameFile(Component):
    """Renames or moves a file, and sends both paths."""

    async def receive(self, context: Context) -> None:
        path, new_path = servers.path_in(context), servers.path_in(context, "newPath")
        try:
            async with servers.server_of(context) as server:
                await server.rename(path, new_path)
        except servers.NotThereError as error:
            await context.send_json(error.as_json(), "notFound")
            return
        await context.send_json({"path": path, "newPath": new_path})

    async def reconcile(self, context: Context) -> bool | None:
        """It took place where the new path is there and the old one is not."""
        path, new_path = servers.path_in(context), servers.path_in(context, "newPath")
        async with servers.server_of(context) as server:
            is_old, is_new = await _is_there(server, path), await _is_there(server, new_path)
        if is_new and not is_old:
            await context.send_json({"path": path, "newPath": new_path})
            return True
        return False if is_old and not is_new else None


async def _is_there(server: servers.FileServer, path: str) -> bool:
    try:
        await server.info(path)
    except servers.NotThereError:
        return False
    return True
