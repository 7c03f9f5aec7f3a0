"""Telling new items from known ones."""

import hashlib
import json

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context

from headrace_connectors.utils.storage import records

MAX_STATE_KEY = 256


class Store(Component):
    """Passes an item to `new` when its key was never seen, else to `updated`; forgets it again through `remove`.

    Of two runs that add one key at the same time exactly one finds it new.
    """

    async def receive(self, context: Context) -> None:
        messages = context.messages.get(context.port)
        item = messages[0].content if messages else context.content
        state_key = _state_key(records.fields(context).get("key"))
        if context.port == "add":
            is_new = await context.state.inc(state_key) == 1
            await context.send_json(item, "new" if is_new else "updated")
        elif context.port == "remove" and await context.state.get(state_key) is not None:
            await context.state.unset(state_key)
            await context.send_json(item, "removed")


def _state_key(key: Json) -> str:
    if key is None:
        raise CancelError("The field key is empty: say which value makes the item known.")
    text = json.dumps(key, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text if len(text) <= MAX_STATE_KEY else hashlib.sha256(text.encode()).hexdigest()
