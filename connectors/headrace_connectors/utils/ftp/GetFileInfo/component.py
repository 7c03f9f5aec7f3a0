"""What a server knows of a file."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.ftp import servers

FIELDS = {
    "name": "Name",
    "size": "Size",
    "type": "Type (1 file, 2 directory, 3 link)",
    "modifiedAt": "Modified at",
    "permissions": "Permissions",
    "hardLinkCount": "Hard link count",
    "link": "Link",
    "group": "Group",
    "user": "User",
    "uniqueID": "Unique ID",
}


class GetFileInfo(Component):
    """Sends what is known of a file or directory; asked for its fields, their names."""

    async def receive(self, context: Context) -> None:
        if context.properties.get("generateOutputPortOptions"):
            await context.send_json([{"label": label, "value": name} for name, label in FIELDS.items()])
            return
        try:
            async with servers.server_of(context) as server:
                found = await server.info(servers.path_in(context))
        except servers.NotThereError as error:
            await context.send_json(error.as_json(), "notFound")
            return
        await context.send_json(found.as_json())
