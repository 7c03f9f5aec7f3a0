"""Static calls: a component is called once, by itself; forms ask by them what they offer."""

import re

from headrace_core import Json, errors
from headrace_core.sources import by_port
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.clients.executions import StaticCall
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import ANYTHING, an_object

_TYPE = re.compile(r"\w{1,60}(\.\w{1,60}){2,3}", re.ASCII)


async def call_component(call: Call) -> Response:
    given = await call.object_or_empty()
    component_type = ".".join(call.value(name) for name in call.route.names)
    if not _TYPE.fullmatch(component_type):
        raise errors.NotFound("component")
    asked = StaticCall(
        component_type,
        call.text("outPort", "out"),
        by_port(_object(given.get("messages"))),
        _object(given.get("properties")),
        str(given.get("transform") or ""),
        str(given.get("flowId") or ""),
        str(given.get("componentId") or ""),
    )
    await call.gateway.guard.check_flow(call.caller, {"": {"type": asked.type}})
    if asked.flow_id:
        flow = await call.clients.flows.get(call.scope, asked.flow_id)
        nodes = flow.get("flow")
        if not isinstance(nodes, dict) or asked.node_id not in nodes:
            raise errors.NotFound("component", asked.node_id[:100])
    within = call.settings.call_timeout.total_seconds()
    return answer(await call.clients.executions.call_component(call.scope, asked, within))


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


_DESCRIPTION = (
    "The component gets `messages` (by in-port, or as `port/field`) and `properties` and has no state, no run and no "
    "timeouts. The first message that it sends to the out-port is the answer, passed through `transform` where that "
    "names one of its transforms (`./file#name`). `componentId` is the node that is configured, `flowId` its flow. "
    "Private components of a vendor are called by its developers, and by everybody for whom a component of that "
    "vendor names them as a source. A call counts against the component's quota."
)
_TEXT: Schema = {"type": "string", "maxLength": 1024}
_OPTIONAL_TEXT: Schema = {"type": ["string", "null"], "maxLength": 1024}
_REQUEST = an_object(
    {
        "messages": {"type": ["object", "null"]},
        "properties": {"type": ["object", "null"]},
        "transform": _OPTIONAL_TEXT,
        "componentId": _OPTIONAL_TEXT,
        "flowId": _OPTIONAL_TEXT,
    }
)


def _route(path: str) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=call_component,
        policy=Policy.USER,
        tag="Catalog",
        summary="Call a component once",
        description=_DESCRIPTION,
        parameters=(Parameter("outPort", "The out-port whose first message is the answer; out by default.", _TEXT),),
        request=_REQUEST,
        answers=(Answer(200, "What the component answers.", ANYTHING),),
        errors=(400, 403, 404, 413, 429),
        limit=Limit.UPLOAD,
    )


ROUTES = (
    _route("/component/{vendor}/{service}/{module}/{component}"),
    _route("/component/{vendor}/{service}/{component}"),
)
