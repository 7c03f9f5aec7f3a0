"""The message as it came."""

from headrace_sdk import Component, Context


class Identity(Component):
    """Sends on what arrives."""

    async def receive(self, context: Context) -> None:
        await context.send_json(context.content, "out")
