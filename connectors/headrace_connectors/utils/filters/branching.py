"""Sending the message one way or the other."""

from __future__ import annotations

from headrace_core import Json
from headrace_sdk import Context, JsonObject


def fields(context: Context) -> JsonObject:
    """The fields of the filter; empty when what arrived is no object."""
    return context.content if isinstance(context.content, dict) else {}


def arrived(context: Context) -> Json:
    """The message as it arrived. A filter passes it on unchanged."""
    messages = context.messages.get(context.port)
    return messages[0].content if messages else context.content


async def branch(context: Context, passes: bool, port: str, other_port: str) -> None:
    """Send the message as it arrived to `port` when it passes, else to `other_port`."""
    await context.send_json(arrived(context), port if passes else other_port)
