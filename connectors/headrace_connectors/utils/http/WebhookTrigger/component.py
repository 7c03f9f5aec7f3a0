"""A run for every request."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.http import hooks


class WebhookTrigger(Component):
    """Sends each request to `request`. A Response component answers when `immediateResponse` is off."""

    answers_caller = True

    async def receive(self, context: Context) -> None:
        if context.properties.get("generateInspector"):
            await context.send_json(hooks.form(context), "request")
        elif context.port == "webhook":
            await hooks.pass_on(context, "request")
