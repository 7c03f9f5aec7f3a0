"""One branch put together with each message of another."""

from headrace_sdk import Component, Context


class Join(Component):
    """Sends `{join, in}` for each message on `in`, with the latest message on `join`.

    The engine fires it once per run (`join: links`), when both ports have what they will get. Without a message on
    `join` there is nothing to put together, and nothing is sent.
    """

    async def receive(self, context: Context) -> None:
        joined = context.messages.get("join", [])
        if not joined:
            context.log("Nothing came by the port join, so nothing is sent.", "warning")
            return
        for message in context.messages.get("in", []):
            await context.send_json({"join": joined[-1].content, "in": message.content})
