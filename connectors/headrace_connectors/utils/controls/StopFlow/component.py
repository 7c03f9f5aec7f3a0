"""The end of a flow, by its own hand."""

from headrace_sdk import Component, Context


class StopFlow(Component):
    """Stops the flow it is in."""

    async def receive(self, context: Context) -> None:
        await context.stop_flow()
