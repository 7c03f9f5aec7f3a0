"""System webhooks: what happens on the platform, told to addresses that administrators set."""

from headrace_core import Json
from headrace_core.system_events import EVENTS
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.hooks import WantedHook, WhichDeliveries
from headrace_gateway.errors import one_problem
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import FREE_OBJECT, PAGE_PARAMETERS, TEXT, WHOLE, YES_NO, an_object, array_of, ref

_STATES = ("pending", "delivered", "failed")
_EVENT: Schema = {"type": "string", "enum": [*EVENTS]}
_SECRET: Schema = {"type": "string", "description": "`whsec_…`: keep it, nobody can read it again."}


async def list_hooks(call: Call) -> Response:
    return answer(list[Json](await call.clients.hooks.all()))


async def list_events(call: Call) -> Response:
    return answer([{"event": event, "description": words} for event, words in EVENTS.items()])


async def get_hook(call: Call) -> Response:
    hook, tag = await call.clients.hooks.get(call.value("id"))
    return answer(hook, headers=tagged(tag))


async def create_hook(call: Call) -> Response:
    hook, tag = await call.clients.hooks.create(call.scope, _wanted(await call.object()))
    return answer(hook, headers=tagged(tag))


async def update_hook(call: Call) -> Response:
    wanted = _wanted(await call.object())
    hook, tag = await call.clients.hooks.update(call.scope, call.value("id"), wanted, expected_tag(call))
    return answer(hook, headers=tagged(tag))


async def delete_hook(call: Call) -> Response:
    await call.clients.hooks.delete(call.scope, call.value("id"), expected_tag(call))
    return answer({})


async def renew_secret(call: Call) -> Response:
    return answer(await call.clients.hooks.renew_secret(call.scope, call.value("id")))


async def test_hook(call: Call) -> Response:
    given = await call.object()
    return answer(await call.clients.hooks.test(call.value("id"), str(given["event"])))


async def list_deliveries(call: Call) -> Response:
    state = call.text("state")
    if state and state not in _STATES:
        raise one_problem("state", f"{state[:40]!r} is no state of a delivery.", f"Give one of {', '.join(_STATES)}.")
    which = WhichDeliveries(
        hook_id=call.text("webhookId"),
        event=call.text("event"),
        state=state,
        tenant_id=call.text("userId"),
        before=queries.moment(call.parameters, "createdBefore"),
        after=queries.moment(call.parameters, "createdAfter"),
    )
    offset, limit = call.number("offset", 0), call.number("limit", 100, minimum=1, maximum=1000)
    found, total = await call.clients.hooks.deliveries(which, offset, limit)
    return answer({"items": list[Json](found), "totalCount": total})


async def get_delivery(call: Call) -> Response:
    return answer(await call.clients.hooks.delivery(call.value("id")))


async def deliver_again(call: Call) -> Response:
    return answer(await call.clients.hooks.deliver_again(call.value("id")))


def _wanted(given: dict[str, Json]) -> WantedHook:
    return WantedHook(
        url=str(given["url"]),
        events=_texts(given["events"]),
        description=str(given.get("description") or ""),
        tenants=_texts(given.get("users")),
        active=given.get("active") is not False,
    )


def _texts(value: Json) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


_HOOK = an_object(
    {
        "url": {"type": "string", "maxLength": 2048},
        "events": {**array_of(_EVENT), "minItems": 1, "description": "What it is told."},
        "description": {"type": "string", "maxLength": 500},
        "users": {
            "type": "array",
            "items": {"type": "string", "maxLength": 64},
            "maxItems": 1000,
            "description": "Ids of users: only what is theirs is told. Empty for everybody.",
        },
        "active": YES_NO,
    },
    required=("url", "events"),
)
_WITH_SECRET: Schema = {"allOf": [ref("SystemWebhook"), an_object({"secret": _SECRET})]}

ROUTES = (
    Route(
        method="GET",
        path="/system/webhooks",
        handler=list_hooks,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="List the system webhooks",
        description=(
            "Addresses that are told what happens on the platform, signed as Standard Webhooks says. Those that "
            "keys of the configuration set (`WEBHOOK_FLOW_COMPONENT_ERROR`, `WEBHOOK_FLOW_STOPPED`, "
            "`WEBHOOK_USER_CREATED`) are told the data alone, unsigned, as Appmixer does; `isConfigured` says so."
        ),
        answers=(Answer(200, "All of them, by address.", array_of(ref("SystemWebhook"))),),
    ),
    Route(
        method="POST",
        path="/system/webhooks",
        handler=create_hook,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Add a system webhook",
        request=_HOOK,
        answers=(Answer(200, "The webhook, with the secret that signs what it is told.", _WITH_SECRET),),
        errors=(400, 409),
    ),
    Route(
        method="GET",
        path="/system/webhook-events",
        handler=list_events,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="List what can be told",
        answers=(
            Answer(200, "Events and what each means.", array_of(an_object({"event": TEXT, "description": TEXT}))),
        ),
    ),
    Route(
        method="GET",
        path="/system/webhooks/{id}",
        handler=get_hook,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Read a system webhook",
        answers=(Answer(200, "The webhook, with its ETag.", ref("SystemWebhook")),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/system/webhooks/{id}",
        handler=update_hook,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Replace a system webhook",
        description="All but its secret. While it is not active, what is to be told to it fails.",
        parameters=(IF_MATCH,),
        request=_HOOK,
        answers=(Answer(200, "As it is now.", ref("SystemWebhook")),),
        errors=(400, 404, 409),
    ),
    Route(
        method="DELETE",
        path="/system/webhooks/{id}",
        handler=delete_hook,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Delete a system webhook",
        description="With the record of what it was told.",
        parameters=(IF_MATCH,),
        answers=(Answer(200, "Deleted.", FREE_OBJECT),),
        errors=(400, 404, 409),
    ),
    Route(
        method="POST",
        path="/system/webhooks/{id}/secret",
        handler=renew_secret,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Make a new secret for a system webhook",
        description="For a day the one before it signs as well, so that the receiver changes when it likes.",
        answers=(Answer(200, "The webhook with its new secret.", _WITH_SECRET),),
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path="/system/webhooks/{id}/test",
        handler=test_hook,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Tell a system webhook an example",
        description="Once and now, whether or not it is active. `isTest` in the data says that it is one.",
        request=an_object({"event": _EVENT}, required=("event",)),
        answers=(Answer(200, "What came of it.", ref("WebhookDelivery")),),
        errors=(400, 404),
    ),
    Route(
        method="GET",
        path="/system/webhook-deliveries",
        handler=list_deliveries,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="List what was told to system webhooks",
        description=(
            "Each is tried 20 times within five and a half hours, then it has failed; what ended is kept for two weeks."
        ),
        parameters=(
            Parameter("webhookId", "Only for this webhook."),
            Parameter("event", "Only of this event.", _EVENT),
            Parameter("state", "Only in this state.", {"type": "string", "enum": [*_STATES]}),
            Parameter("userId", "Only what is this user's."),
            Parameter("createdAfter", "Only what was written down then or later.", {"type": "string"}),
            Parameter("createdBefore", "Only what was written down before.", {"type": "string"}),
            *PAGE_PARAMETERS,
        ),
        answers=(
            Answer(
                200,
                "A page without bodies, newest first.",
                an_object({"items": array_of(ref("WebhookDelivery")), "totalCount": WHOLE}),
            ),
        ),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/system/webhook-deliveries/{id}",
        handler=get_delivery,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Read what was told to a system webhook",
        answers=(Answer(200, "With its body.", ref("WebhookDelivery")),),
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/system/webhook-deliveries/{id}/again",
        handler=deliver_again,
        policy=Policy.ADMIN,
        tag="System webhooks",
        summary="Tell a system webhook again",
        description="From the first try on, under the same `webhook-id`. What is still pending stays so.",
        answers=(Answer(200, "It, pending.", ref("WebhookDelivery")),),
        errors=(404, 409),
    ),
)
