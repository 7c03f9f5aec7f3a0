"""Whether a text is harmful, as a model sees it."""

from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_list, as_object

from headrace_connectors.utils.ai import models


class Moderate(Component):
    """Sends what the model found, by one port where it flags the text and by another where it does not."""

    async def receive(self, context: Context) -> None:
        text = models.text_in(context, "input")
        answer = await models.ask(context, "moderations", {"input": text}, "moderationModel")
        results = as_list(models.content_of(answer).get("results"))
        if not results:
            raise CancelError("The service answered without a result.")
        found = as_object(results[0])
        port = "IsFlagged" if found.get("flagged") is True else "NotFlagged"
        await context.send_json({"moderation": found, "input": text}, port)
