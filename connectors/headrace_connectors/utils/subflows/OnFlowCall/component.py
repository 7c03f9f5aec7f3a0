"""Begin when another flow calls."""

from headrace_core import Json
from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object, rows

from headrace_connectors.utils.subflows import definitions


class OnFlowCall(Component):
    """Sends what the caller hands over as `input`."""

    async def start(self, context: Context) -> None:
        await self._leave_form(context)

    async def receive(self, context: Context) -> None:
        if context.properties.get("generateOutputPortOptions"):
            await context.send_json(definitions.options("input", rows(context.properties.get("input"))))
        elif context.properties.get("triggerUpdate"):
            await self._leave_form(context)
            await context.send_json({})
        else:
            await context.send_json({"input": _handed_over(context)})

    async def _leave_form(self, context: Context) -> None:
        key = definitions.input_key(context.flow_id, context.node_id)
        await definitions.leave(context, key, rows(context.properties.get("input")))


def _handed_over(context: Context) -> Json:
    return as_object(context.content).get("data") if context.port == "webhook" else context.content
