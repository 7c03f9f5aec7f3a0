"""Begin when a step of the flow has failed for good."""

from typing import ClassVar

from headrace_core import Json
from headrace_sdk import Component, Context, JsonObject
from headrace_sdk.reading import as_number, as_object, iso

DEFAULT_LIMIT = 1000
_COUNT = "errors in minute "


class OnError(Component):
    """Passes each final failure of its flow on, up to a number per minute."""

    hears_errors: ClassVar[bool] = True

    async def receive(self, context: Context) -> None:
        limit = as_number(context.properties.get("limit")) or DEFAULT_LIMIT
        count = await _count_this_minute(context)
        if count <= limit:
            await context.send_json(_described(context, as_object(context.content)))
        elif count == limit + 1:
            context.log(f"More than {limit} errors in this minute: the rest is left out.", "warning")


async def _count_this_minute(context: Context) -> int | float:
    minute = f"{_COUNT}{context.now:%Y-%m-%dT%H:%M}"
    count = await context.state.inc(minute)
    if count == 1:
        for key in await context.state.all():
            if key.startswith(_COUNT) and key != minute:
                await context.state.unset(key)
    return count


def _described(context: Context, error: JsonObject) -> JsonObject:
    return {
        "gridTimestamp": iso(context.now),
        **error,
        "componentLabel": error.get("componentLabel") or _label_of(context, error),
        "flowName": context.flow_name,
    }


def _label_of(context: Context, error: JsonObject) -> Json:
    node = context.flow_descriptor.get(str(error.get("componentId")))
    label = node.get("label") if isinstance(node, dict) else None
    return label or str(error.get("componentType") or "").rpartition(".")[2]
