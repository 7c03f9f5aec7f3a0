"""What a directory of a server holds."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object, as_text

from headrace_connectors.utils.ftp import servers


class List(Component):
    """Sends all entries of a directory; without a path, of the one in which the account begins."""

    async def receive(self, context: Context) -> None:
        path = servers.checked_path(as_text(as_object(context.content).get("path")))
        async with servers.server_of(context) as server:
            found = await server.list(path)
        await context.send_json({"content": [each.as_json() for each in found]})
