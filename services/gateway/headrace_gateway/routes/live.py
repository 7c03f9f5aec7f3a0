"""What happens in flows and what their log says, live."""

import asyncio

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway.call import Call
from headrace_gateway.errors import one_problem
from headrace_gateway.identity import Scope
from headrace_gateway.live import Named, Source, about
from headrace_gateway.routing import Answer, Parameter, Policy, Route
from headrace_gateway.schemas import ALL_TENANTS, TEXT

MOST_TOPICS = 50
_FLOW = "flow:"


async def watch_flow(call: Call) -> Response:
    flow_id = call.value("id")
    await call.clients.flows.get(call.reading_scope, flow_id)
    if call.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    return call.gateway.live.open(call.caller.user_id, _sources(call, flow_id))


async def watch_topics(call: Call) -> Response:
    topics = list(dict.fromkeys(call.parameters.get("topic", [])))
    if not 1 <= len(topics) <= MOST_TOPICS:
        raise one_problem("topic", f"Name 1 to {MOST_TOPICS} topics, each as flow:ID; these are {len(topics)}.")
    for topic in topics:
        if not topic.startswith(_FLOW) or topic == _FLOW:
            raise one_problem("topic", f"{topic[:100]!r} is no topic. Name flows, each as flow:ID.")
    scope = call.reading_scope
    refusals = await asyncio.gather(*(_refusal(call, scope, topic) for topic in topics))
    if call.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    sources: list[tuple[str, Source]] = [
        (name, about(topic, source))
        for topic, refusal in zip(topics, refusals, strict=True)
        if refusal is None
        for name, source in _sources(call, topic.removeprefix(_FLOW))
    ]
    first = [("refused", refusal) for refusal in refusals if refusal is not None]
    return call.gateway.live.open(call.caller.user_id, sources, first)


async def _refusal(call: Call, scope: Scope, topic: str) -> dict[str, Json] | None:
    """Why the caller may not follow it; None where they may."""
    try:
        await call.clients.flows.get(scope, topic.removeprefix(_FLOW))
    except (errors.NotFound, errors.Forbidden) as error:
        return {"topic": topic, "code": error.code, "message": error.message}
    return None


def _sources(call: Call, flow_id: str) -> Named:
    return [
        ("happening", call.clients.executions.watch(call.reading_scope, flow_id)),
        ("log", call.clients.logs.tail(call.reading_scope, flow_id)),
    ]


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
        parameters=(ALL_TENANTS,),
        answers=(Answer(200, "The stream.", TEXT, "text/event-stream"),),
        errors=(403, 404, 429),
    ),
    Route(
        method="GET",
        path="/live",
        handler=watch_topics,
        policy=Policy.USER,
        tag="Flows",
        summary="Follow several flows in one stream",
        description=(
            "As `GET /flows/{id}/live`, for several flows over one connection: browsers keep few of them to a host. "
            "Each event of a flow has its `topic`. A topic that the caller may not follow, or that is not there, is "
            "named in an event `refused` ({topic, code, message}) at the beginning; the others go on."
        ),
        parameters=(
            Parameter(
                "topic",
                f"flow:ID; 1 to {MOST_TOPICS} of them.",
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_TOPICS},
                required=True,
            ),
            ALL_TENANTS,
        ),
        answers=(Answer(200, "The stream.", TEXT, "text/event-stream"),),
        errors=(400, 403, 429),
    ),
)
