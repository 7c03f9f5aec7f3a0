"""A form for each message, and a run that waits for it to be filled in."""

import secrets
from datetime import timedelta
from urllib.parse import quote

from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_list, as_object, as_text

from headrace_connectors.utils import showing
from headrace_connectors.utils.forms import questionnaire
from headrace_connectors.utils.showing import Asked

OPEN_FOR = timedelta(days=30)
GONE = "This form was filled in already, or is not open any more."


class FormAction(Component):
    """Sends the address of a new form at once, and what is filled in when it is.

    A form is filled in once, within 30 days.
    """

    answers_caller = True

    async def receive(self, context: Context) -> None:
        content = as_object(context.content)
        if context.properties.get("generateEntryOutPortOptions"):
            await context.send_json(questionnaire.options(content.get("fields")), "entry")
        elif context.port == "webhook":
            await _answer(context, showing.asked(context.content))
        elif context.port == "answer":
            await context.send_json(content.get("entry"), "entry")
            await _close(context, as_text(content.get("form")))
        elif context.port == "timeout":
            await _close(context, as_text(content.get("form")))
        else:
            await _open(context, content)


async def _open(context: Context, content: JsonObject) -> None:
    questionnaire.form(content)
    # Kept at once: a repeated step finds the name of its first try.
    [name, *_] = await context.run_state.add_to_set(context.step_id, secrets.token_urlsafe(24))
    timeout_id = await context.set_timeout({"form": name}, OPEN_FOR)
    await context.state.set(_key(as_text(name)), {"content": content, "timeoutId": timeout_id})
    await context.send_json({"weblink": f"{context.webhook_url()}?form={quote(as_text(name))}"}, "form")


async def _close(context: Context, name: str) -> None:
    await context.state.unset(_key(name))
    await context.state.unset(_sent(name))


async def _answer(context: Context, asked: Asked) -> None:
    name = as_text((asked.query if asked.is_read else asked.data).get("form"))
    kept = as_object(await context.state.get(_key(name)))
    if not name or not kept:
        await showing.say(context, "Form", GONE, status=404)
        return
    form = questionnaire.form(as_object(kept.get("content")))
    if asked.is_read:
        await questionnaire.show(context, form, hidden=name)
        return
    try:
        entry = questionnaire.read(form, asked.data)
    except CancelError as error:
        await questionnaire.show(context, form, problem=error.message, hidden=name)
        return
    # Of two who send it at once the first one counts; a repeated step is itself again.
    [first, *_] = as_list(await context.state.add_to_set(_sent(name), context.step_id))
    if first != context.step_id:
        await showing.say(context, form.title, GONE, status=409)
        return
    await context.wake(as_text(kept["timeoutId"]), {"form": name, "entry": entry})
    await questionnaire.thank(context, form)


def _key(name: str) -> str:
    return f"form {name}"


def _sent(name: str) -> str:
    return f"sent {name}"
