"""What is new in a directory of a server."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_list, as_object, as_text

from headrace_connectors.utils.ftp import servers


class NewFile(Component):
    """Looks into a directory each tick and sends the files it has not seen, by name.

    The first look sends nothing. What was seen is kept with the step that sends it, so that each file leaves once.
    """

    async def tick(self, context: Context) -> None:
        path = servers.checked_path(as_text(context.properties.get("path")))
        async with servers.server_of(context) as server:
            found = {each.name: each for each in await server.list(path) if each.type == servers.FILE}
        seen = as_object(await context.state.get("seen"))
        if seen.get("path") == path:
            known = set(map(as_text, as_list(seen.get("names"))))
            await context.send_array([each.as_json() for name, each in found.items() if name not in known])
        await context.state.set("seen", {"path": path, "names": [*found]})
