"""PATCH request."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.http import exchange


class Patch(Component):
    """Sends one PATCH request and passes the answer on."""

    async def receive(self, context: Context) -> None:
        await exchange.perform(context, "PATCH")
