"""A list, item by item."""

import uuid

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_object, parse_json

_NAMESPACE = uuid.UUID("6d9d1c9e-4d5e-5c8f-9a57-5b0f3d3a6c11")
_ITEM_OPTIONS: list[Json] = [
    {"label": "Index", "value": "index", "schema": {"type": "integer"}},
    {"label": "Value", "value": "value"},
    {"label": "Items count", "value": "count", "schema": {"type": "integer"}},
    {"label": "Correlation ID", "value": "correlationId", "schema": {"type": "string"}},
]


class Each(Component):
    """Sends every item to `item`, then how many there were to `done`. What is no list has no items."""

    async def receive(self, context: Context) -> None:
        if context.properties.get("buildOutPortOptions"):
            await context.send_json(_ITEM_OPTIONS, "item")
            return
        items = _items(as_object(context.content).get("list"))
        # Pure: a step that is repeated must send the very same messages.
        correlation_id = str(uuid.uuid5(_NAMESPACE, context.idempotency_key))
        for index, value in enumerate(items):
            item: Json = {"index": index, "value": value, "count": len(items), "correlationId": correlation_id}
            await context.send_json(item, "item")
        await context.send_json({"count": len(items), "correlationId": correlation_id}, "done")


def _items(given: Json) -> list[Json]:
    try:
        found = parse_json(given, "The list")
    except CancelError as error:
        fix = "Write it like [1, 2], or make a list of text with commas by the modifier Split."
        raise CancelError(f"{error.message} {fix}") from None
    return found if isinstance(found, list) else []
