"""Runs: what came of each event, step by step."""

from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.clients.executions import RUN_STATES
from headrace_gateway.errors import one_problem
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route, Schema
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

WITH_WAITS = 100
"""Runs of a page that says what they wait for."""

_STATES = sorted(RUN_STATES.values())


async def list_runs(call: Call) -> Response:
    state = call.text("state")
    if state and state not in _STATES:
        raise one_problem("state", f"{state[:40]!r} is no state of a run.", f"Give one of {', '.join(_STATES)}.")
    with_waits = call.flag("waits")
    most = WITH_WAITS if with_waits else 1000
    runs, total = await call.clients.executions.runs(
        call.reading_scope,
        flow_id=call.text("flowId"),
        state=state,
        correlation_id=call.text("correlationId"),
        offset=call.number("offset", 0),
        limit=call.number("limit", 100, minimum=1, maximum=most),
        with_waits=with_waits,
    )
    return answer({"items": [*runs], "totalCount": total})


async def get_run(call: Call) -> Response:
    run = await call.clients.executions.run(
        call.reading_scope,
        call.value("id"),
        call.number("stepOffset", 0),
        call.number("stepLimit", 1000, minimum=1, maximum=1000),
    )
    return answer(run)


async def cancel_run(call: Call) -> Response:
    given = await call.object_or_empty()
    reason = str(given.get("reason") or "Cancelled by a person.")
    return answer(await call.clients.executions.cancel_run(call.scope, call.value("id"), reason))


async def replay_run(call: Call) -> Response:
    given = await call.object_or_empty()
    event_id = str(given.get("eventId") or "")
    return answer(await call.clients.executions.replay_run(call.scope, call.value("id"), event_id), 202)


async def decide_step(call: Call) -> Response:
    given = await call.object()
    outputs = given.get("outputs")
    run_id, step_id = call.value("id"), call.value("stepId")
    await call.clients.executions.decide_step(
        call.scope,
        run_id,
        step_id,
        verdict=str(given["verdict"]),
        outputs=outputs if isinstance(outputs, dict) else {},
    )
    return answer({"runId": run_id, "stepId": step_id, "verdict": given["verdict"]})


_VERDICT: Schema = {"type": "string", "enum": ["happened", "retry", "skip"]}
_DECIDED = an_object({"runId": TEXT, "stepId": TEXT, "verdict": _VERDICT}, required=("runId", "stepId", "verdict"))
_OUTPUTS: Schema = {
    "type": "object",
    "additionalProperties": array_of({}),
    "description": "Where it happened: by out-port the list of contents that the step sends now.",
}

ROUTES = (
    Route(
        method="GET",
        path="/runs",
        handler=list_runs,
        policy=Policy.USER,
        tag="Runs",
        summary="List runs",
        parameters=(
            Parameter("flowId", "Only this flow's runs."),
            Parameter("state", "Only runs in this state.", {"type": "string", "enum": [*_STATES]}),
            Parameter("correlationId", "Only runs with this id of the outside world."),
            Parameter("waits", f"Say what each waits for, too (`waits`), of {WITH_WAITS} at most.", YES_NO),
            *PAGE_PARAMETERS,
            ON_BEHALF_OF,
            ALL_TENANTS,
        ),
        answers=(
            Answer(200, "A page, newest first.", an_object({"items": array_of(ref("Run")), "totalCount": WHOLE})),
        ),
        errors=(400, 403),
    ),
    Route(
        method="GET",
        path="/runs/{id}",
        handler=get_run,
        policy=Policy.USER,
        tag="Runs",
        summary="Read a run",
        description=(
            "With its steps, their inputs and outputs, and what it waits for and why. After 8 MiB the other steps "
            "are named without contents (`isCut`): ask for such a step with stepOffset and stepLimit=1."
        ),
        parameters=(
            Parameter("stepOffset", "Steps to pass over.", WHOLE),
            Parameter("stepLimit", "Steps to return at most.", WHOLE),
            ALL_TENANTS,
        ),
        answers=(Answer(200, "The run.", ref("RunWithSteps")),),
        errors=(400, 403, 404),
    ),
    Route(
        method="POST",
        path="/runs/{id}/cancel",
        handler=cancel_run,
        policy=Policy.USER,
        tag="Runs",
        summary="End a run",
        description="Ending an ended run changes nothing.",
        request=an_object({"reason": {**TEXT, "maxLength": 1000}}),
        parameters=(ON_BEHALF_OF,),
        answers=(Answer(200, "The run as it is now.", ref("Run")),),
        errors=(400, 404),
    ),
    Route(
        method="POST",
        path="/runs/{id}/replay",
        handler=replay_run,
        policy=Policy.USER,
        tag="Runs",
        summary="Run a flow again with the event of a run",
        description=(
            "A new run of the flow as it runs now begins with the event as it came, secrets included; what the old run "
            "did is done again. The new run's `eventId` is `replay:`, the old run's id and, if given, `eventId`: asked "
            "again with the same one, it is the same run (`duplicate`)."
        ),
        request=an_object({"eventId": {**TEXT, "maxLength": 100}}),
        parameters=(ON_BEHALF_OF,),
        answers=(Answer(202, "Accepted.", ref("Accepted")),),
        errors=(400, 404),
        limit=Limit.WEBHOOK,
    ),
    Route(
        method="POST",
        path="/runs/{id}/steps/{stepId}/decision",
        handler=decide_step,
        policy=Policy.USER,
        tag="Runs",
        summary="Decide on a step in doubt",
        description=(
            "It began, and nobody knows whether its effect happened; its id is that of its unprocessed message. "
            "`happened`: the run goes on with `outputs`, as if the component had sent them, after what it had sent. "
            "`retry`: it did not happen, and the component is called again. `skip`: nothing after the step is done "
            "for its message. The journal keeps who decided, and when. 409 where somebody else decided first."
        ),
        request=an_object({"verdict": _VERDICT, "outputs": _OUTPUTS}, required=("verdict",)),
        parameters=(ON_BEHALF_OF,),
        answers=(Answer(200, "On record.", _DECIDED),),
        errors=(400, 403, 404, 409),
        is_audited=True,
    ),
)
