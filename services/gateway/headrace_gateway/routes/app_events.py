"""Events of the host application: whoever embeds the platform tells the flows of a user what happened."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

from headrace_core import Json, errors
from headrace_core.flow import normalize_type
from starlette.responses import Response

from headrace_gateway.call import Call, answer, json_text
from headrace_gateway.clients.executions import RESERVED, TRIAL, Event
from headrace_gateway.errors import one_problem
from headrace_gateway.queries import Condition, ListQuery
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route
from headrace_gateway.schemas import ANYTHING, TEXT, WHOLE, an_object

LISTENER: Final = "headrace.utils.appevents.OnAppEvent"
PREFIXES: Final = ("/plugins/appmixer/utils/appevents", "/plugins/headrace/utils/appevents")
MAX_EVENT_ID: Final = 255
_PAGE: Final = 100
_MAX_FLOWS: Final = 10_000
_RUNNING: Final = (Condition("stage", "equal", "running"),)


async def tell(call: Call) -> Response:
    name, data = call.value("event"), await call.json()
    event_id = call.header("idempotency-key")
    if len(event_id) > MAX_EVENT_ID:
        raise one_problem("Idempotency-Key", f"An event id takes at most {MAX_EVENT_ID} characters.")
    if event_id.startswith(TRIAL):
        raise one_problem("Idempotency-Key", *RESERVED)
    content: dict[str, Json] = {"method": "POST", "data": data, "query": {}, "headers": {}, "appEvent": name}
    events = [
        Event(
            flow_id=flow_id,
            node_id=node_id,
            port="webhook",
            content=json_text(content),
            event_id=f"app-event:{event_id}" if event_id else "",
        )
        async for flow_id, node_id in _listeners(call, name)
    ]
    outcomes = await asyncio.gather(*map(call.gateway.coalescer.submit, events), return_exceptions=True)
    for outcome in outcomes:
        # A flow that was stopped meanwhile hears nothing; any other refusal is the caller's, who asks again.
        if isinstance(outcome, BaseException) and not isinstance(outcome, errors.NotFound):
            raise outcome
    heard = [each for each in outcomes if not isinstance(each, BaseException)]
    return answer({"event": name, "count": len(heard), "runs": [each.run_id for each in heard]})


async def _listeners(call: Call, name: str) -> AsyncIterator[tuple[str, str]]:
    """The components of the caller's running flows that wait for an event of this name: flow and component."""
    for offset in range(0, _MAX_FLOWS, _PAGE):
        flows = await call.clients.flows.page(call.scope, ListQuery(filter=_RUNNING, offset=offset, limit=_PAGE))
        for flow in flows:
            for node_id in _waiting(flow.get("flow"), name):
                yield str(flow["flowId"]), node_id
        if len(flows) < _PAGE:
            return


def _waiting(nodes: Json, name: str) -> Iterator[str]:
    for node_id, node in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node, dict) and normalize_type(str(node.get("type"))) == LISTENER:
            config = node.get("config")
            properties = config.get("properties") if isinstance(config, dict) else None
            if isinstance(properties, dict) and str(properties.get("event")).strip() == name:
                yield node_id


ROUTES = tuple(
    Route(
        method="POST",
        path=f"{prefix}/events/{{event}}",
        handler=tell,
        policy=Policy.USER,
        tag="App events",
        summary="Tell one's running flows of an event of the application",
        description=(
            "Each OnAppEvent of that name begins a run with the body as its data. Answered when all of them are on "
            "record; with Idempotency-Key the same event begins each run once."
        ),
        parameters=(Parameter("Idempotency-Key", "The application's own id of the event.", place="header"),),
        request=ANYTHING,
        limit=Limit.WEBHOOK,
        answers=(
            Answer(
                200,
                "Who heard it.",
                an_object(
                    {"event": TEXT, "count": WHOLE, "runs": {"type": "array", "items": TEXT}},
                    required=("event", "count", "runs"),
                ),
            ),
        ),
        errors=(400,),
    )
    for prefix in PREFIXES
)
