"""A run for everybody who fills in the form."""

from headrace_sdk import CancelError, Component, Context, JsonObject

from headrace_connectors.utils import showing
from headrace_connectors.utils.forms import questionnaire


class FormTrigger(Component):
    """Shows its form at its address, and sends what people fill in."""

    answers_caller = True

    async def start(self, context: Context) -> None:
        questionnaire.form(context.properties)

    async def receive(self, context: Context) -> None:
        properties = context.properties
        if properties.get("generateInspector"):
            await context.send_json({"inputs": {"url": _address(context)}}, "entry")
        elif properties.get("generateEntryOutPortOptions"):
            await context.send_json(questionnaire.options(properties.get("fields")), "entry")
        elif context.port == "webhook":
            await _answer(context)


async def _answer(context: Context) -> None:
    form, asked = questionnaire.form(context.properties), showing.asked(context.content)
    if asked.is_read:
        await questionnaire.show(context, form)
        return
    try:
        entry = questionnaire.read(form, asked.data)
    except CancelError as error:
        await questionnaire.show(context, form, problem=error.message)
        return
    await context.send_json(entry, "entry")
    await questionnaire.thank(context, form)


def _address(context: Context) -> JsonObject:
    return {
        "type": "text",
        "label": "Form URL",
        "tooltip": "Where the form is.",
        "readonly": True,
        "index": 1,
        "group": "configuration",
        "defaultValue": context.webhook_url(),
    }
