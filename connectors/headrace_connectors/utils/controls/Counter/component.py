"""A number that grows with every message."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_number, as_object


class Counter(Component):
    """Adds its step to a number that all runs of the flow share, and sends the sum. Port `reset` sets the number."""

    async def start(self, context: Context) -> None:
        await context.state.set("count", _number(context.properties.get("count"), 0))

    async def receive(self, context: Context) -> None:
        first = _number(context.properties.get("count"), 0)
        if context.port == "reset":
            await context.state.set("count", _number(as_object(context.content).get("count"), first))
            return
        step = _number(context.properties.get("increment"), 1)
        await context.send_json({"count": await context.state.inc("count", step)}, "count")


def _number(value: Json, default: int | float) -> int | float:
    if value is None:
        return default
    found = as_number(value)
    if found is None:
        raise CancelError(f"{value!r} is no number: write one like 1.")
    return found
