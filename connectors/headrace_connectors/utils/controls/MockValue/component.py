"""A value out of nothing."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object


class MockValue(Component):
    """Sends the value that its form holds."""

    async def receive(self, context: Context) -> None:
        await context.send_json({"outvalue": as_object(context.content).get("value")})
