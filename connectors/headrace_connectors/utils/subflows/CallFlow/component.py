"""Run another flow and go on with its answer."""

from collections.abc import Mapping
from typing import ClassVar

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject, Transform
from headrace_sdk.reading import as_list, as_object

from headrace_connectors.utils.subflows import definitions

_FORM_FIELDS = ("flowId", "componentId")


def form(answer: Json) -> Json:
    """The form of a call: which flow, and the fields that flow asks for."""
    inputs: JsonObject = {
        "flowId": {
            "type": "text",
            "label": "Flow ID",
            "index": 1,
            "tooltip": "The flow to call. It needs an On Flow Call.",
        },
        "componentId": {
            "type": "text",
            "label": "Component ID",
            "index": 2,
            "tooltip": "The On Flow Call of that flow.",
        },
    }
    for index, field in enumerate(as_list(as_object(answer).get("fields")), start=3):
        described = as_object(field)
        inputs[str(described.get("name"))] = definitions.form_field(described, index)
    return {"inputs": inputs, "groups": {"input": {"label": "Input of the flow", "index": 2, "open": True}}}


class CallFlow(Component):
    """Calls the flow and waits, without holding a worker; what that flow answers goes out as `output`."""

    transforms: ClassVar[Mapping[str, Transform]] = {"generateInspector": form}

    async def receive(self, context: Context) -> None:
        if context.port == "answer":
            await context.send_json({"output": context.content})
            return
        content = as_object(context.content)
        flow_id, node_id = (str(content.get(name) or "") for name in _FORM_FIELDS)
        if context.properties.get("generateOutputPortOptions"):
            fields = await definitions.left(context, definitions.output_key(flow_id))
            await context.send_json(definitions.options("output", fields))
        elif context.properties.get("generateInspector"):
            fields = await definitions.left(context, definitions.input_key(flow_id, node_id))
            await context.send_json({"fields": list[Json](fields)})
        else:
            await _call(context, flow_id, node_id, content)


async def _call(context: Context, flow_id: str, node_id: str, content: JsonObject) -> None:
    if not flow_id or not node_id:
        raise CancelError("It is not said which flow to call: fill in the flow ID and the component ID.")
    handed_over = {name: value for name, value in content.items() if name not in _FORM_FIELDS}
    await context.call_flow(flow_id, node_id, handed_over)
