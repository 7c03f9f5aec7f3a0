"""GET request."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.http import exchange


class Get(Component):
    """Sends one GET request and passes the answer on."""

    async def receive(self, context: Context) -> None:
        await exchange.perform(context, "GET")
