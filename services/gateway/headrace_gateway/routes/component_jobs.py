"""What components have the scheduler do for them, for administrators to look at."""

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import FREE_OBJECT, MOMENT, TEXT, an_object, array_of

_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}


async def list_jobs(call: Call) -> Response:
    limit = call.number("limit", 100, minimum=1, maximum=1000)
    jobs: list[Json] = list(await call.clients.schedules.jobs(call.text("after"), limit))
    return answer(jobs)


ROUTES = (
    Route(
        method="GET",
        path="/system/component-jobs",
        handler=list_jobs,
        policy=Policy.ADMIN,
        tag="System",
        summary="List what is scheduled",
        description="Timers of all tenants: polls (`port` tick) and schedules of components in flows that run, and "
        "runs to be woken. The page after the last job that was seen is asked for with `after`.",
        parameters=(
            Parameter("after", "jobId after which the page begins."),
            Parameter("limit", "Jobs to return at most.", {"type": "integer", "maximum": 1000, "default": 100}),
        ),
        answers=(
            Answer(
                200,
                "A page, by jobId.",
                array_of(
                    an_object(
                        {
                            "jobId": TEXT,
                            "userId": TEXT,
                            "flowId": _TEXT_OR_NULL,
                            "componentId": _TEXT_OR_NULL,
                            "port": _TEXT_OR_NULL,
                            "runId": _TEXT_OR_NULL,
                            "schedule": FREE_OBJECT,
                            "nextAt": MOMENT,
                        },
                        required=("jobId",),
                    )
                ),
            ),
        ),
        errors=(400,),
    ),
)
