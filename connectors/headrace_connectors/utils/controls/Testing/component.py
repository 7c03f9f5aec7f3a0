"""A form with every kind of field."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import iso


class Testing(Component):
    """Sends the time, whatever its form holds."""

    async def receive(self, context: Context) -> None:
        await context.send_json({"out1value": iso(context.now)})
