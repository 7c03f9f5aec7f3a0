"""A webhook that tells another service where it is."""

from collections.abc import Callable

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject

from headrace_connectors.utils.http import answers, expressions, fields, hooks

ALREADY_GONE = (404, 410)
REGISTRATION = "response"


class DynamicWebhook(Component):
    """Registers its URL on start, passes requests on to `request`, and unregisters on stop.

    The answer to the registration is kept, because unregistering mostly needs an id out of it.
    """

    answers_caller = True

    async def receive(self, context: Context) -> None:
        if context.port == "webhook":
            await hooks.pass_on(context, "request")

    async def start(self, context: Context) -> None:
        url = context.webhook_url()
        answer = await self._call(context, "onStart", lambda text: text.replace("{{webhookUrl}}", url))
        if answer is not None:
            await context.state.set(REGISTRATION, answer)

    async def stop(self, context: Context) -> None:
        registration = await context.state.get(REGISTRATION)
        if not isinstance(registration, dict):
            return
        await self._call(context, "onStop", lambda text: expressions.fill(text, registration))
        await context.state.unset(REGISTRATION)

    async def _call(self, context: Context, moment: str, fill: Callable[[str], str]) -> JsonObject | None:
        url = _text(context, f"{moment}RequestUrl")
        if not url:
            return None
        method = (_text(context, f"{moment}RequestMethod") or ("POST" if moment == "onStart" else "DELETE")).upper()
        headers = fields.read_headers(
            _filled(_value(context, f"{moment}RequestHeaders"), fill), f"{moment}RequestHeaders"
        )
        if fields.header(headers, "idempotency-key") is None:
            headers["Idempotency-Key"] = context.idempotency_key
        body = _filled(_value(context, f"{moment}RequestBody"), fill)
        target = fields.checked_url(fill(url))
        answer = await context.http.request(method, target, headers=headers, json=body)
        is_gone = moment == "onStop" and answer.status in ALREADY_GONE
        if not 200 <= answer.status < 300 and not is_gone:
            raise answers.failure(answer)
        return {
            "data": answers.body_of(answer, "utf8"),
            "headers": {name.lower(): text for name, text in answer.headers},
        }


def _text(context: Context, name: str) -> str:
    value = context.properties.get(name)
    if value is not None and not isinstance(value, str):
        raise CancelError(f"The setting {name} must be a text.")
    return (value or "").strip()


def _value(context: Context, name: str) -> Json:
    value = context.properties.get(name)
    if isinstance(value, str):
        return fields.parsed(value, name) if value.strip() else None
    return value


def _filled(value: Json, fill: Callable[[str], str]) -> Json:
    # The JSON is read before it is filled, so that nothing a server answered can change its structure.
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [_filled(each, fill) for each in value]
    if isinstance(value, dict):
        return {name: _filled(each, fill) for name, each in value.items()}
    return value
