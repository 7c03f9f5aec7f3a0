"""Something that the host application tells."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_object, as_text, parse_json

from headrace_connectors.utils.appevents import examples


class OnAppEvent(Component):
    """Sends the data of each event of its name that the application posts for the tenant of the flow.

    The gateway says under which name an event was posted; what comes to the webhook from elsewhere has no name.
    """

    answers_caller = True

    async def start(self, context: Context) -> None:
        if not _name(context):
            raise CancelError("The field event is empty: write the name that the application sends the event under.")

    async def receive(self, context: Context) -> None:
        if context.properties.get("generateOutputPortOptions"):
            await context.send_json(examples.options(_example(context)))
        elif context.port == "webhook":
            content = as_object(context.content)
            if _name(context) and content.get("appEvent") == _name(context):
                await context.send_json(content.get("data"))
            await context.response({})


def _name(context: Context) -> str:
    return as_text(context.properties.get("event")).strip()


def _example(context: Context) -> Json:
    given = context.properties.get("eventDataExample")
    return parse_json(given, "The example") if given else {}
