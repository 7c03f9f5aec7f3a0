"""Flow test mode: a flow is tried from one component on, and what happens is streamed."""

from collections.abc import AsyncGenerator, Iterator

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway.call import Call, json_text
from headrace_gateway.live import Source
from headrace_gateway.routing import Answer, Limit, Policy, Route
from headrace_gateway.schemas import ANYTHING, TEXT, an_object

DEFAULT_SECONDS = 60
LONGEST_SECONDS = 300


async def try_flow(call: Call) -> Response:
    given = await call.object()
    flow = await call.clients.flows.pin(call.scope, call.value("id"))  # a flow is tried by its owner
    node_id, nodes = str(given["componentId"]), flow.get("flow")
    if not isinstance(nodes, dict) or node_id not in nodes:
        raise errors.NotFound("component", node_id[:100])
    await call.gateway.guard.check_flow(call.caller, nodes)
    options = given.get("options")
    timeout = options.get("timeout", DEFAULT_SECONDS * 1000) if isinstance(options, dict) else DEFAULT_SECONDS * 1000
    content = given.get("inputData") if "inputData" in given else _event(given.get("payload"))
    version = flow["version"]
    happenings = call.clients.executions.trial(
        call.scope,
        str(flow["flowId"]),
        version if isinstance(version, int) else 0,
        node_id,
        json_text(content),
        (timeout if isinstance(timeout, int | float) else DEFAULT_SECONDS * 1000) / 1000,
    )
    return call.gateway.live.open(call.caller.user_id, [("", _told(happenings))])


def _event(payload: Json) -> dict[str, Json]:
    """What a trigger gets: the payload, as if it had come by a webhook."""
    return {"method": "POST", "data": payload, "query": {}, "headers": {}, "hostname": "", "path": ""}


async def _told(happenings: Source) -> AsyncGenerator[tuple[list[dict[str, Json]], int], None]:
    """The happenings of a trial as the events that clients of test mode know."""
    try:
        async for items, dropped in happenings:
            yield [told for item in items for told in _events(item)], dropped
    finally:
        await happenings.aclose()


def _events(happening: dict[str, Json]) -> Iterator[dict[str, Json]]:
    match happening.get("type"):
        case "begin":
            yield _named("test:start", {"runId": happening["runId"]})
        case "step":
            yield from _step_events(happening)
        case "end":
            yield _named("test:done", {"status": happening["state"], "runId": happening["runId"]})


def _step_events(step: dict[str, Json]) -> Iterator[dict[str, Json]]:
    component: dict[str, Json] = {"componentId": step["componentId"]}
    yield _named("component:start", {**component, "stepId": step.get("stepId"), "attempt": step.get("attempts")})
    outputs = step.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict):
            yield _named("component:output", {**component, "port": output["port"], "data": output["content"]})
    if step.get("error"):
        said: dict[str, Json] = {"message": step["error"], "willRetry": step.get("outcome") == "retry"}
        yield _named("component:error", {**component, **said})


def _named(name: str, data: dict[str, Json]) -> dict[str, Json]:
    return {"event": name, "data": data}


ROUTES = (
    Route(
        method="POST",
        path="/flows/{id}/test",
        handler=try_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Try a flow from one component on",
        description=(
            "Runs the newest version with the components as they are published now, whether the flow runs or not, and "
            "streams server-sent events: `test:start` "
            "{runId}, `component:start` {componentId}, `component:output` {componentId, port, data}, "
            "`component:error` {componentId, message, willRetry}, `test:done` {status}, `test:error` {code, message}. "
            "A component is told of when its step has ended. `inputData` enters the component as its message; "
            "`payload` enters a trigger as if it had come by a webhook. The run is cancelled when its time "
            "(milliseconds) is over or the caller leaves. Components do what they do: a test sends real mail."
        ),
        request=an_object(
            {
                "componentId": {"type": "string", "minLength": 1, "maxLength": 256},
                "inputData": ANYTHING,
                "payload": ANYTHING,
                "options": an_object(
                    {"timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_SECONDS * 1000}}
                ),
            },
            required=("componentId",),
        ),
        answers=(Answer(200, "The stream.", TEXT, "text/event-stream"),),
        errors=(400, 404, 429),
        limit=Limit.WEBHOOK,
    ),
)
