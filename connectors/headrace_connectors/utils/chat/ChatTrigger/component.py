"""What people write on the chat page."""

from headrace_core import Json
from headrace_sdk import Component, Context, JsonObject
from headrace_sdk.reading import as_object, as_text

from headrace_connectors.utils.chat import signed, threads

IDS = ("sessionId", "threadId", "messageId")


class ChatTrigger(Component):
    """Sends each message that comes from the chat page, and answers the page that it is on its way."""

    answers_caller = True

    async def receive(self, context: Context) -> None:
        if context.properties.get("generateInspector"):
            await context.send_json(_form(context))
        elif context.port == "webhook":
            await self._hear(context)

    async def _hear(self, context: Context) -> None:
        arrived = as_object(context.content)
        data = arrived.get("data")
        said = data if isinstance(data, dict) else {}
        content = said.get("content")
        is_message = isinstance(content, str) and 0 < len(content) <= threads.MAX_CONTENT
        if arrived.get("method") != "POST" or not is_message or not all(threads.is_id(said.get(each)) for each in IDS):
            await context.response({"error": "This is no message of a chat page."}, 400)
            return
        key = as_text(context.properties.get("publicKey"))
        payload: JsonObject = {}
        if key:
            found = signed.payload_of(said.get("jwtToken"), key, context.now)
            if found is None:
                await context.response({"error": "The token of the host application is missing or does not hold."}, 401)
                return
            payload = found
        message: JsonObject = {name: said[name] for name in (*IDS, "content")}
        message |= {"jwtToken": said.get("jwtToken") if key else None, "jwtPayload": payload}
        await context.send_json(message)
        await context.response({"messageId": said["messageId"]})


def _form(context: Context) -> JsonObject:
    page = context.webhook_url().replace("/flows/", "/chat/", 1).replace("/components/", "/", 1)
    shown: dict[str, Json] = {"type": "text", "readonly": True}
    frame = f'<iframe src="{page}" title="Chat" style="border:0;width:24rem;height:36rem"></iframe>'
    return {
        "inputs": {
            "url": {**shown, "label": "Chat page", "index": 1, "defaultValue": page},
            "script": {**shown, "label": "Embed", "index": 2, "defaultValue": frame},
        }
    }
