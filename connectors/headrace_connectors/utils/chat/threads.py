"""Conversations: what is written in one, and how it is kept for a page that comes back."""

from __future__ import annotations

import re
from typing import Final

from headrace_core import Json
from headrace_sdk import CancelError, Context, JsonObject
from headrace_sdk.reading import as_list, as_text, iso

MAX_CONTENT: Final = 20_000
MOST_KEPT: Final = 200
"""Answers of a thread that a page which comes back still finds."""

_ID: Final = re.compile(r"[\w-]{16,64}", re.ASCII)


def is_id(value: Json) -> bool:
    """Whether it is an id that a page made: long enough that nobody guesses it."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


async def say(context: Context, thread_id: str, content: str) -> JsonObject:
    """Keep an answer in the thread, once however often the step is repeated. Raises CancelError."""
    if not is_id(thread_id):
        raise CancelError("The field threadId is no id of a conversation: take it from the chat trigger.")
    if not content or len(content) > MAX_CONTENT:
        raise CancelError(f"The message has {len(content)} characters: give 1 to {MAX_CONTENT}.")
    said: JsonObject = {"messageId": context.idempotency_key, "content": content, "at": iso(context.now)}
    kept = await context.service_state.add_to_set(_key(thread_id), said)
    for old in kept[:-MOST_KEPT]:
        await context.service_state.remove_from_set(_key(thread_id), old)
    return {"threadId": thread_id, **said}


async def history(context: Context, thread_id: Json) -> list[Json]:
    """The answers of a thread, oldest first; none of one that nobody knows."""
    if not is_id(thread_id):
        return []
    return as_list(await context.service_state.get(_key(as_text(thread_id)), []))


def _key(thread_id: str) -> str:
    return f"thread/{thread_id}"
