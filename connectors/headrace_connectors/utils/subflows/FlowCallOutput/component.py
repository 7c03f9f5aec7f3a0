"""Answer the flow that called."""

from headrace_sdk import Component, Context, JsonObject
from headrace_sdk.reading import as_object, rows

from headrace_connectors.utils.subflows import definitions


class FlowCallOutput(Component):
    """Answers the caller with its fields and sends them on as `output`. Without a caller it only sends."""

    async def start(self, context: Context) -> None:
        await definitions.leave(context, definitions.output_key(context.flow_id), _designed_fields(context))

    async def receive(self, context: Context) -> None:
        fields = rows(as_object(context.content).get("output"))
        if context.properties.get("generateOutputPortOptions"):
            await context.send_json(definitions.options("output", fields))
        elif context.properties.get("triggerUpdate"):
            await definitions.leave(context, definitions.output_key(context.flow_id), fields)
            await context.send_json({})
        else:
            output = definitions.named_values(fields)
            await context.answer_call(output)
            await context.send_json({"output": output})


def _designed_fields(context: Context) -> list[JsonObject]:
    """The fields as they stand in the flow: at its start there is no message to read them from."""
    node = as_object(context.flow_descriptor.get(context.node_id))
    transforms = as_object(as_object(as_object(node.get("config")).get("transform")).get("in"))
    found: list[JsonObject] = []
    for by_port in transforms.values():
        for transform in as_object(by_port).values():
            found += rows(as_object(as_object(transform).get("lambda")).get("output"))
    return found
