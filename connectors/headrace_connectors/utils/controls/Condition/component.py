"""One question, two ways."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object

from headrace_connectors.utils.controls import conditions


class Condition(Component):
    """Sends an empty message to `true` or `false`. Without conditions it is `false`."""

    async def receive(self, context: Context) -> None:
        expression = as_object(context.content).get("expression")
        holds = bool(expression) and conditions.hold(expression)
        await context.send_json({}, "true" if holds else "false")
