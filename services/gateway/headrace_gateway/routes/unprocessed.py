"""Messages that could not be processed: look, retry, drop."""

from headrace_core import errors
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import ALL_TENANTS, PAGE_PARAMETERS, TEXT, an_object, array_of, ref


async def list_messages(call: Call) -> Response:
    messages, total = await call.clients.executions.unprocessed(
        call.reading_scope,
        flow_id=call.text("flowId"),
        correlation_id=call.text("correlationId"),
        offset=call.number("offset", 0),
        limit=call.number("limit", 100, minimum=1, maximum=1000),
    )
    return answer([*messages], headers={"X-Total-Count": str(total)})


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


_EDITED: Schema = {
    "type": "object",
    "additionalProperties": array_of({"type": "object", "properties": {"content": {}}}),
    "description": "Messages by in-port, in the order in which they are read.",
}
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
            Parameter("flowId", "Only this flow's messages."),
            Parameter("correlationId", "Only messages with this id of the outside world."),
            *PAGE_PARAMETERS,
            ALL_TENANTS,
        ),
        answers=(Answer(200, "A page, newest first.", array_of(ref("Unprocessed"))),),
        errors=(400, 403),
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
            request=an_object({"messages": _EDITED}),
            answers=(Answer(200, "Given back.", _MESSAGE_ID),),
            errors=(400, 404),
        )
        for path in ("/unprocessed-messages/{id}", "/unprocessed-messages/{id}/retry")
    ),
)
