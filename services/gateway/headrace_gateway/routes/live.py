"""A flow's happenings and log, live."""

from starlette.responses import Response

from headrace_gateway.call import Call
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import TEXT


async def watch_flow(call: Call) -> Response:
    flow_id, clients = call.value("id"), call.clients
    await clients.flows.get(call.scope, flow_id)
    if call.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    sources = {
        "happening": clients.executions.watch(call.scope, flow_id),
        "log": clients.logs.tail(call.scope, flow_id),
    }
    return call.gateway.live.open(call.caller.user_id, sources)


ROUTES = (
    Route(
        method="GET",
        path="/flows/{id}/live",
        handler=watch_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Follow a flow live",
        description=(
            "Server-sent events until the caller leaves: `happening` (run, step and wait changes), `log` (records), "
            "`dropped` ({count} that a slow reader missed), `error`. A comment comes every 15 seconds."
        ),
        answers=(Answer(200, "The stream.", TEXT, "text/event-stream"),),
        errors=(404, 429),
    ),
)
