"""The rhythm of the engine."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import iso


class Tick(Component):
    """Sends the time whenever it is polled."""

    async def tick(self, context: Context) -> None:
        await context.send_json({"time": iso(context.now)})
