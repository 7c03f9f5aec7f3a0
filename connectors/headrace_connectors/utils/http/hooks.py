"""What the webhook components have in common: passing a request on, and answering it."""

from __future__ import annotations

from headrace_core import Json
from headrace_sdk import Context, JsonObject

PASSED_ON = ("method", "data", "query", "headers")


async def pass_on(context: Context, port: str) -> None:
    """Send what arrived to `port`; answer 200 {} at once unless another component is to answer."""
    content = context.content if isinstance(context.content, dict) else {}
    await context.send_json({name: content.get(name) for name in PASSED_ON}, port)
    if context.properties.get("immediateResponse", True) is not False:
        await context.response({})


def form(context: Context) -> JsonObject:
    """The settings of a webhook: its URL to copy, and who answers."""
    url: Json = {
        "type": "text",
        "label": "Webhook URL",
        "tooltip": "Send requests here.",
        "readonly": True,
        "index": 1,
        "defaultValue": context.webhook_url(),
    }
    immediate: Json = {
        "type": "toggle",
        "label": "Answer at once",
        "tooltip": "On: callers get 200 at once. Off: a Response component answers.",
        "index": 2,
        "defaultValue": True,
    }
    return {"inputs": {"url": url, "immediateResponse": immediate}}
