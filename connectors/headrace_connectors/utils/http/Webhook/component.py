"""A run for every request, answered through an in-port."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.http import hooks


class Webhook(Component):
    """Sends each request to `trigger`; what comes back on `response` is the answer's body."""

    answers_caller = True

    async def receive(self, context: Context) -> None:
        if context.properties.get("generateInspector"):
            await context.send_json(hooks.form(context), "trigger")
        elif context.port == "webhook":
            await hooks.pass_on(context, "trigger")
        elif context.port == "response":
            await context.response(context.content)
