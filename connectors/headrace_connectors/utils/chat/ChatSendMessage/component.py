"""An answer in a conversation."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object, as_text

from headrace_connectors.utils.chat import threads


class ChatSendMessage(Component):
    """Shows a message to whoever has the thread open; asked for a thread, what was shown in it."""

    async def receive(self, context: Context) -> None:
        if "historyOf" in context.properties:
            await context.send_json({"messages": await threads.history(context, context.properties["historyOf"])})
            return
        given = as_object(context.content)
        await context.send_json(
            await threads.say(context, as_text(given.get("threadId")), as_text(given.get("content")))
        )
