"""A question to a model."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.ai import models


class SendPrompt(Component):
    """Sends the answer of the model, with what it was asked."""

    async def receive(self, context: Context) -> None:
        prompt = models.text_in(context, "prompt")
        await context.send_json({"answer": await models.chat(context, prompt), "prompt": prompt})
