"""Messages that could not be processed: look, retry, drop."""

from headrace_core import errors
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.executions import Unprocessed
from headrace_gateway.errors import one_problem
from headrace_gateway.identity import Scope
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import (
    ALL_TENANTS,
    ON_BEHALF_OF,
    PAGE_PARAMETERS,
    TEXT,
    WHOLE,
    YES_NO,
    an_object,
    array_of,
    ref,
)


async def list_messages(call: Call) -> Response:
    messages, total = await call.clients.executions.unprocessed(
        call.reading_scope,
        _which(call.parameters),
        correlation_id=call.text("correlationId"),
        offset=call.number("offset", 0),
        limit=call.number("limit", 100, minimum=1, maximum=1000),
    )
    return answer([*messages], headers={"X-Total-Count": str(total)})


async def settle_messages(call: Call) -> Response:
    given = await call.object()
    owner, me = str(given.get("userId") or ""), call.caller.user_id
    scope = Scope(owner, me) if owner else Scope(me, me, all_tenants=True)
    names = given.get("messageIds")
    message_ids = [str(each) for each in names] if isinstance(names, list) else []
    fields = {name: [str(given[name])] for name in _NARROWING if given.get(name)}
    if not message_ids and not fields and not owner and given.get("all") is not True:
        raise one_problem("body", "It names no message and no filter.", 'Name some, or write "all": true.')
    settled = await call.clients.executions.settle_unprocessed(
        scope,
        _which(fields),
        message_ids=message_ids,
        drop=given["command"] == "delete",
        in_doubt_too=given.get("inDoubtToo") is True,
        limit=MOST_SETTLED,
    )
    return answer(settled)


def _which(given: queries.Parameters) -> Unprocessed:
    return Unprocessed(
        queries.last(given, "flowId"),
        queries.last(given, "componentId"),
        queries.last(given, "cause")[:200],
        queries.moment(given, "before"),
        queries.moment(given, "after"),
    )


async def get_message(call: Call) -> Response:
    return answer(await call.clients.executions.unprocessed_message(call.reading_scope, call.value("id")))


async def delete_message(call: Call) -> Response:
    message_id = call.value("id")
    if not await call.clients.executions.delete_unprocessed(call.scope, [message_id]):
        raise errors.NotFound("unprocessed message", message_id[:100])
    return answer({"messageId": message_id})


async def retry_message(call: Call) -> Response:
    message_id = call.value("id")
    edited = (await call.object_or_empty()).get("messages")
    executions = call.clients.executions
    if edited is None:
        retried = await executions.retry_unprocessed(call.scope, [message_id])
    else:
        retried = await executions.retry_edited(call.scope, message_id, edited)
    if not retried:
        raise errors.NotFound("unprocessed message", message_id[:100])
    return answer({"messageId": message_id})


MOST_SETTLED = 200
"""A call takes a moment with so many; whoever has more asks again, and sees how far it is."""
_NARROWING = ("flowId", "componentId", "cause", "before", "after")
_FILTERS = (
    Parameter("flowId", "Only this flow's messages."),
    Parameter("componentId", "Only what this component could not process."),
    Parameter("cause", "Text that the error's code or first words hold, whatever the case."),
    Parameter("before", "Only what was put aside before: a date, a time or milliseconds since 1970."),
    Parameter("after", "Only what was put aside after."),
)
_EDITED: Schema = {
    "type": "object",
    "additionalProperties": array_of({"type": "object", "properties": {"content": {}}}),
    "description": "Messages by in-port, in the order in which they are read.",
}
_SETTLED = an_object({"settled": WHOLE, "left": WHOLE, "inDoubt": WHOLE}, required=("settled", "left", "inDoubt"))
_MESSAGE_ID = an_object({"messageId": TEXT}, required=("messageId",))

ROUTES = (
    Route(
        method="GET",
        path="/unprocessed-messages",
        handler=list_messages,
        policy=Policy.USER,
        tag="Unprocessed messages",
        summary="List unprocessed messages",
        parameters=(
            *_FILTERS,
            Parameter("correlationId", "Only messages with this id of the outside world."),
            *PAGE_PARAMETERS,
            ON_BEHALF_OF,
            ALL_TENANTS,
        ),
        answers=(Answer(200, "A page, newest first.", array_of(ref("Unprocessed"))),),
        errors=(400, 403),
    ),
    Route(
        method="POST",
        path="/system/unprocessed-messages",
        handler=settle_messages,
        policy=Policy.ADMIN,
        tag="Unprocessed messages",
        summary="Retry or drop many unprocessed messages",
        description=(
            f"Of one user or of all: those that are named, or that match. At most {MOST_SETTLED} at once, oldest "
            "first; `left` says how many match beyond, for the next call. `all` must be true where nothing narrows it. "
            "Steps in doubt, of which nobody knows whether they happened, are not retried but with `inDoubtToo`: "
            "`inDoubt` says how many wait for a decision on each."
        ),
        request=an_object(
            {
                "command": {"type": "string", "enum": ["retry", "delete"]},
                "messageIds": {"type": "array", "items": TEXT, "maxItems": MOST_SETTLED},
                "userId": TEXT,
                **{each.name: TEXT for each in _FILTERS},
                "all": YES_NO,
                "inDoubtToo": YES_NO,
            },
            required=("command",),
        ),
        answers=(Answer(200, "So far.", _SETTLED),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/unprocessed-messages/{id}",
        handler=get_message,
        policy=Policy.USER,
        tag="Unprocessed messages",
        summary="Read an unprocessed message",
        parameters=(ALL_TENANTS,),
        answers=(Answer(200, "The message.", ref("Unprocessed")),),
        errors=(403, 404),
    ),
    Route(
        method="DELETE",
        path="/unprocessed-messages/{id}",
        handler=delete_message,
        policy=Policy.USER,
        tag="Unprocessed messages",
        summary="Drop an unprocessed message",
        parameters=(ON_BEHALF_OF,),
        answers=(Answer(200, "Dropped.", _MESSAGE_ID),),
        errors=(404,),
    ),
    *(
        Route(
            method="POST",
            path=path,
            handler=retry_message,
            policy=Policy.USER,
            tag="Unprocessed messages",
            summary="Retry an unprocessed message",
            description=(
                "It goes back to its run. With `messages`, in the shape in which they are read, the component gets the "
                "contents that are given there; what is left as it was shown, `***` in place of secrets included, "
                "stays as it was. Only `content` is looked at. Nothing before the component is changed."
            ),
            parameters=(ON_BEHALF_OF,),
            request=an_object({"messages": _EDITED}),
            answers=(Answer(200, "Given back.", _MESSAGE_ID),),
            errors=(400, 404),
        )
        for path in ("/unprocessed-messages/{id}", "/unprocessed-messages/{id}/retry")
    ),
)
