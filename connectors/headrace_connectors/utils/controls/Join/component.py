"""Branches come together."""

from headrace_sdk import Component, Context


class Join(Component):
    """Sends on every message that came by its links, in the order in which they came.

    The engine fires it once per run (`join: links`): when each link has delivered, or nothing more can come.
    """

    async def receive(self, context: Context) -> None:
        await context.send_array([message.content for message in context.messages.get("in", [])])
