"""Flows: what users draw, and whether it runs."""

import re
from urllib.parse import quote

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer, json_text
from headrace_gateway.clients.executions import RESERVED, TRIAL, Event
from headrace_gateway.clients.flows import CloneOptions
from headrace_gateway.errors import one_problem
from headrace_gateway.queries import Condition, ListQuery
from headrace_gateway.revisions import IF_MATCH, etag_of, expected_revision
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route
from headrace_gateway.schemas import (
    ALL_TENANTS,
    ANYTHING,
    FREE_OBJECT,
    LIST_PARAMETERS,
    ON_BEHALF_OF,
    PROJECTION,
    TEXT,
    WHOLE,
    YES_NO,
    an_object,
    array_of,
    ref,
)


async def list_flows(call: Call) -> Response:
    query = queries.list_query(call.parameters)
    flows, total = await call.clients.flows.page_and_total(call.reading_scope, query, _shared_for(call))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(flow) for flow in flows], headers={"X-Total-Count": str(total)})


async def count_flows(call: Call) -> Response:
    query = queries.list_query(call.parameters)
    total = await call.clients.flows.count(call.reading_scope, query, _shared_for(call))
    return answer({"count": total})


async def get_flow(call: Call) -> Response:
    flow = await call.clients.flows.get(call.reading_scope, call.value("id"))
    return answer(queries.projection(call.parameters).apply(flow), headers=etag_of(flow))


async def create_flow(call: Call) -> Response:
    record = await call.object()
    await call.gateway.guard.check_flow(call.caller, record.get("flow"))
    flow_id = record.pop("flowId", "")
    flow = await call.clients.flows.create(call.scope, flow_id if isinstance(flow_id, str) else "", record)
    return answer({"flowId": flow["flowId"]}, headers=etag_of(flow))


async def update_flow(call: Call) -> Response:
    flow_id = call.value("id")
    changes = await call.object()
    await call.gateway.guard.check_flow(call.caller, changes.get("flow"))
    if changes.pop("flowId", flow_id) != flow_id:
        raise one_problem("flowId", "The flow in the body is not the one in the path.", "Leave it out.")
    flow, created = await call.clients.flows.update(
        call.scope,
        flow_id,
        changes,
        force=call.flag("forceUpdate"),
        expected_revision=expected_revision(call),
    )
    said: dict[str, Json] = {"flowId": flow_id, "result": "created" if created else "updated"}
    return answer(said, headers=etag_of(flow))


async def delete_flow(call: Call) -> Response:
    flow_id = call.value("id")
    await call.clients.flows.delete(call.scope, flow_id, expected_revision(call))
    return answer({"flowId": flow_id})


async def clone_flow(call: Call) -> Response:
    given = await call.object_or_empty()
    copy = await call.clients.flows.clone(call.scope, call.value("id"), _clone_options(given))
    return answer({"cloneId": copy["flowId"]})


async def coordinate_flow(call: Call) -> Response:
    given = await call.object()
    flows = call.clients.flows
    if given["command"] == "start" and not call.caller.is_admin:
        await call.gateway.guard.check_flow(call.caller, (await flows.get(call.scope, call.value("id"))).get("flow"))
    order = flows.start if given["command"] == "start" else flows.stop
    background = call.flag("background")
    made = await order(call.scope, call.value("id"), background=background)
    said: dict[str, Json] = {"flowId": made.flow_id, "stage": made.stage}
    return answer(said | ({"ticket": made.ticket} if background else {}))


async def coordinator_status(call: Call) -> Response:
    found = await call.clients.flows.transition(call.reading_scope, call.value("id"))
    wanted = call.text("ticket", found.ticket)
    if wanted != found.ticket:
        raise errors.NotFound("ticket", wanted[:100])
    said: dict[str, Json] = {
        "status": found.stage,
        "stepsTotal": 1,
        "stepsDone": int(found.is_over),
        "ticket": found.ticket or None,
    }
    return answer(said | ({"error": found.error} if found.error else {}))


async def validate_flow(call: Call) -> Response:
    found = await call.clients.flows.problems(call.reading_scope, call.value("id"))
    serious: list[Json] = [problem for problem, only_warns in found if not only_warns]
    warnings: list[Json] = [problem for problem, only_warns in found if only_warns]
    told = {_place(each) for each in serious}
    warnings += [each for each in await _without_accounts(call) if _place(each) not in told]
    return answer({"errors": serious, "warnings": warnings})


def _place(problem: Json) -> tuple[Json, Json]:
    return (problem.get("node"), problem.get("field")) if isinstance(problem, dict) else (None, None)


async def _without_accounts(call: Call) -> list[Json]:
    """Components without an account that is accepted. A flow that does not wait for one starts all the same."""
    try:
        components, accounts = await call.clients.accounts.of_flow(call.scope, call.value("id"))
    except errors.NotFound:
        return []  # it is somebody else's, and so are its accounts
    known = {str(each["accountId"]): each for each in accounts}
    found: list[Json] = []
    for each in components:
        account = known.get(each.account_id)
        if account is not None and account["accessTokenValid"]:
            continue
        wrong = "No account is assigned" if account is None else "Its account is not accepted any more"
        node_id = each.node[1]
        found.append(
            {
                "where": f"flow.{node_id}",
                "message": f"{wrong}, and {each.node[2]} acts with one of {each.service}.",
                "fix": "Assign an account." if account is None else "Connect the account anew.",
                "node": node_id,
                "field": "config.auth.accountId",
            }
        )
    return found


async def inject_message(call: Call) -> Response:
    given = await call.object()
    flow_id = call.value("id")
    # Events carry no tenant, so that the flow is the caller's own is settled here.
    flow = await call.clients.flows.get(call.scope, flow_id)
    node_id, nodes = str(given["componentId"]), flow.get("flow")
    if not isinstance(nodes, dict) or node_id not in nodes:
        raise errors.NotFound("component", node_id[:100])
    event_id = given.get("eventId")
    if str(event_id or "").startswith(TRIAL):
        raise one_problem("eventId", *RESERVED)
    event = Event(
        flow_id=flow_id,
        node_id=node_id,
        port=str(given.get("port", "in")),
        content=json_text(given.get("content")),
        event_id=f"inject:{event_id}" if event_id else "",
        correlation_id=str(given.get("correlationId", "")),
    )
    outcome = await call.gateway.coalescer.submit(event)
    return answer({"runId": outcome.run_id, "flowId": flow_id, "duplicate": outcome.duplicate}, 202)


async def set_logger(call: Call) -> Response:
    level = str((await call.object())["level"])
    changes: dict[str, Json] = {"logger": {"level": level}}
    flow = await call.clients.flows.change(call.scope, call.value("id"), changes)
    return answer({"flowId": flow["flowId"], "level": level}, headers=etag_of(flow))


async def webhook_url(call: Call) -> Response:
    node_id = call.value("componentId")
    if not re.fullmatch(r"[\w \-]{1,200}", node_id):
        raise errors.NotFound("component", node_id[:100])
    holds_node = ListQuery(filter=(Condition(f"flow.{node_id}.type", "match", "."),), limit=1)
    flows = await call.clients.flows.page(call.scope, holds_node)
    if not flows:
        raise errors.NotFound("component", node_id)
    base = call.settings.public_url.rstrip("/") or f"{call.request.url.scheme}://{call.request.url.netloc}"
    place = f"/flows/{quote(str(flows[0]['flowId']), safe='')}/components/{quote(node_id, safe='')}"
    return answer({"url": base + place, "flowId": flows[0]["flowId"]})


def _shared_for(call: Call) -> list[str]:
    """The permissions that flows of others are asked for by; none where one's own are. Raises ValidationFailed."""
    named = [each.strip() for text in call.parameters.get(SHARED, ()) for each in text.split(",")]
    permissions = list(dict.fromkeys(each for each in named if each))
    if unknown := next((each for each in permissions if each not in PERMISSIONS), ""):
        raise one_problem(SHARED, f"{unknown[:100]!r} is no permission.", f"Name some of {','.join(PERMISSIONS)}.")
    if permissions and call.flag("allTenants"):
        raise one_problem(SHARED, "What is shared with you and what everybody has are two lists.", "Leave one out.")
    return permissions


def _clone_options(given: dict[str, Json]) -> CloneOptions:
    projection = queries.projection({"projection": [str(given.get("projection", ""))]})
    if any("." in name for name in projection.names):
        raise one_problem("projection", "A copy takes fields whole.", "Write name,flow or -sharedWith, without dots.")
    additional = given.get("additional")
    return CloneOptions(
        prefix=str(given.get("prefix", "")),
        without=projection.names if projection.without else (),
        only=() if projection.without else projection.names,
        additional=additional if isinstance(additional, dict) else {},
        set_origin_flow_id=given.get("setOriginFlowId") is True,
        set_component_id_map=given.get("setComponentIdMap", True) is True,
        is_template_instance=given.get("isTemplateInstance") is True,
        connect_accounts=given.get("connectAccounts") is True,
    )


SHARED = "sharedWithPermissions"
PERMISSIONS = ("read", "start", "stop")
_SHARED_PARAMETER = Parameter(
    SHARED,
    "Some of read, start, stop, by commas: the flows of others that are shared with you for one of them, in place of "
    "your own. What is not shared to be read comes with its name and stage alone.",
)
_FLOW_ID = an_object({"flowId": TEXT}, required=("flowId",))
_MESSAGE = an_object(
    {
        "componentId": {"type": "string", "minLength": 1, "maxLength": 200},
        "port": {"type": "string", "minLength": 1, "maxLength": 200},
        "content": ANYTHING,
        "correlationId": {"type": "string", "maxLength": 255},
        "eventId": {"type": "string", "maxLength": 255},
    },
    required=("componentId",),
)

ROUTES = (
    Route(
        method="GET",
        path="/flows",
        handler=list_flows,
        policy=Policy.USER,
        tag="Flows",
        summary="List flows",
        parameters=(*LIST_PARAMETERS, PROJECTION, _SHARED_PARAMETER, ALL_TENANTS),
        answers=(Answer(200, "A page.", array_of(ref("Flow"))),),
        errors=(400, 403),
    ),
    Route(
        method="POST",
        path="/flows",
        handler=create_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Make a flow",
        request=ref("FlowChanges"),
        answers=(Answer(200, "Made, stopped.", _FLOW_ID),),
        errors=(400, 409),
        limit=Limit.FLOW,
    ),
    Route(
        method="GET",
        path="/flows/count",
        handler=count_flows,
        policy=Policy.USER,
        tag="Flows",
        summary="Count flows",
        parameters=(*LIST_PARAMETERS[:2], _SHARED_PARAMETER, ALL_TENANTS),
        answers=(Answer(200, "How many.", ref("Count")),),
        errors=(400, 403),
    ),
    Route(
        method="GET",
        path="/flows/{id}",
        handler=get_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Read a flow",
        parameters=(ON_BEHALF_OF, PROJECTION, ALL_TENANTS),
        answers=(Answer(200, "The flow; its ETag is its revision.", ref("Flow")),),
        errors=(400, 403, 404),
    ),
    Route(
        method="PUT",
        path="/flows/{id}",
        handler=update_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Change or make a flow",
        description=(
            "Only the fields that are given change; null removes one. An unknown id makes the flow, unless If-Match "
            "is given. A running flow changes only with forceUpdate=true: new runs then take the new version. A change "
            "that says what is there already leaves the revision, and so the ETag, as it was."
        ),
        parameters=(Parameter("forceUpdate", "true changes a running flow.", YES_NO), IF_MATCH),
        request=ref("FlowChanges"),
        answers=(Answer(200, "Saved.", an_object({"flowId": TEXT, "result": TEXT})),),
        errors=(400, 404, 409),
        limit=Limit.FLOW,
    ),
    Route(
        method="DELETE",
        path="/flows/{id}",
        handler=delete_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Stop and remove a flow",
        parameters=(
            ON_BEHALF_OF,
            IF_MATCH,
        ),
        answers=(Answer(200, "Removed.", _FLOW_ID),),
        errors=(400, 404, 409),
    ),
    Route(
        method="POST",
        path="/flows/{id}",
        handler=inject_message,
        policy=Policy.USER,
        tag="Flows",
        summary="Send a message into a flow",
        description="Accepted means durable. Equal eventIds make one run.",
        request=_MESSAGE,
        answers=(Answer(202, "Accepted.", ref("Accepted")),),
        errors=(400, 404, 409),
        limit=Limit.WEBHOOK,
    ),
    Route(
        method="POST",
        path="/flows/{id}/send",
        handler=inject_message,
        policy=Policy.USER,
        tag="Flows",
        summary="Send a message into a flow",
        description="The same as POST /flows/{id}.",
        request=_MESSAGE,
        answers=(Answer(202, "Accepted.", ref("Accepted")),),
        errors=(400, 404, 409),
        limit=Limit.WEBHOOK,
    ),
    Route(
        method="PUT",
        path="/flows/{id}/logger",
        handler=set_logger,
        policy=Policy.USER,
        tag="Flows",
        summary="Choose what of a flow's runs goes to the log",
        description=(
            "Everything, errors only, or nothing; it holds for what runs from now on, without a restart of the flow. "
            "What a run did can be read at the run itself in any case."
        ),
        request=an_object({"level": {"type": "string", "enum": ["all", "errors", "none"]}}, required=("level",)),
        answers=(Answer(200, "Chosen.", an_object({"flowId": TEXT, "level": TEXT}, required=("flowId", "level"))),),
        errors=(400, 404),
    ),
    Route(
        method="POST",
        path="/flows/{id}/clone",
        handler=clone_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Copy a flow",
        description=(
            "The copy has component ids of its own, everywhere in the descriptor and the wizard; its componentIdMap "
            "maps the old to the new ones, unless setComponentIdMap is false. It uses the accounts chosen in the "
            "origin with connectAccounts only, and those of somebody else's flow never. `projection` names the fields "
            "to copy (name,flow) or to leave out (-sharedWith); `additional` fields replace copied ones."
        ),
        request=an_object(
            {
                "prefix": {"type": "string", "maxLength": 1000},
                "projection": TEXT,
                "additional": FREE_OBJECT,
                "setOriginFlowId": YES_NO,
                "setComponentIdMap": YES_NO,
                "isTemplateInstance": YES_NO,
                "connectAccounts": YES_NO,
            }
        ),
        answers=(Answer(200, "Copied.", an_object({"cloneId": TEXT}, required=("cloneId",))),),
        errors=(400, 404),
        limit=Limit.FLOW,
    ),
    Route(
        method="POST",
        path="/flows/{id}/coordinator",
        handler=coordinate_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="Start or stop a flow",
        description=(
            "Starting a running flow changes nothing, nor does stopping a stopped one. In the background the answer "
            "comes as soon as the order is on record; it is carried out whatever dies meanwhile, and the status knows "
            "its ticket."
        ),
        parameters=(
            ON_BEHALF_OF,
            Parameter("background", "true does not wait for the flow to have started or stopped.", YES_NO),
        ),
        request=an_object({"command": {"type": "string", "enum": ["start", "stop"]}}, required=("command",)),
        answers=(
            Answer(
                200,
                "Done, or in the background on its way.",
                an_object({"flowId": TEXT, "stage": TEXT, "ticket": TEXT}, required=("flowId", "stage")),
            ),
        ),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/flows/{id}/coordinator/status",
        handler=coordinator_status,
        policy=Policy.USER,
        tag="Flows",
        summary="How far starting or stopping is",
        description="The newest start or stop is told of; asking for the ticket of an older one finds nothing.",
        parameters=(ON_BEHALF_OF, Parameter("ticket", "Ticket of the start or stop that is meant."), ALL_TENANTS),
        answers=(
            Answer(
                200,
                "The status: the stage, with an error where starting failed.",
                an_object(
                    {
                        "status": TEXT,
                        "stepsTotal": WHOLE,
                        "stepsDone": WHOLE,
                        "ticket": {"type": ["string", "null"]},
                        "error": TEXT,
                    },
                    required=("status", "stepsTotal", "stepsDone"),
                ),
            ),
        ),
        errors=(403, 404),
    ),
    Route(
        method="GET",
        path="/flows/{id}/validate",
        handler=validate_flow,
        policy=Policy.USER,
        tag="Flows",
        summary="What would keep a flow from starting",
        parameters=(ON_BEHALF_OF, ALL_TENANTS),
        answers=(
            Answer(
                200,
                "The findings.",
                an_object({"errors": array_of(ref("Problem")), "warnings": array_of(ref("Problem"))}),
            ),
        ),
        errors=(403, 404),
    ),
    Route(
        method="GET",
        path="/triggers/{componentId}/url",
        handler=webhook_url,
        policy=Policy.USER,
        tag="Webhooks",
        summary="The webhook URL of a component",
        answers=(Answer(200, "The URL.", an_object({"url": TEXT, "flowId": TEXT}, required=("url",))),),
        errors=(404,),
    ),
)
