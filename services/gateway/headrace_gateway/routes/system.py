"""The gateway itself: what it is, how it is, and what it can do."""

from importlib.metadata import PackageNotFoundError, version

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway import reference
from headrace_gateway.call import Call, answer
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import FREE_OBJECT, TEXT, an_object, array_of
from headrace_gateway.ui import prefers_html


async def root(call: Call) -> Response:
    if prefers_html(call.header("accept")):
        return call.gateway.ui.page() if call.gateway.ui.is_built else _page(reference.landing_page(running_version()))
    return answer({"name": "Headrace", "version": running_version(), "api": "/openapi.json", "docs": "/docs/api"})


async def live(call: Call) -> Response:
    return answer({"status": "live"})


async def ready(call: Call) -> Response:
    report = await call.gateway.health.report()
    said: dict[str, Json] = {
        "status": "ready" if report.is_ready else "not ready",
        "passed": list(report.passed),
        "failed": dict(report.failed),
    }
    return answer(said, 200 if report.is_ready else 503, {} if report.is_ready else {"Retry-After": "1"})


async def metrics(call: Call) -> Response:
    return Response(await call.gateway.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def openapi(call: Call) -> Response:
    return answer(call.gateway.openapi)


async def api_reference(call: Call) -> Response:
    return _page(reference.reference_page(list(call.gateway.table)))


def running_version() -> str:
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "0"


def _page(html: str) -> Response:
    return Response(
        html,
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": reference.CONTENT_SECURITY_POLICY},
    )


_STATUS = an_object({"status": TEXT}, required=("status",))
_READINESS = an_object({"status": TEXT, "passed": array_of(TEXT), "failed": FREE_OBJECT}, required=("status",))
_ABOUT = an_object({"name": TEXT, "version": TEXT, "api": TEXT, "docs": TEXT})

ROUTES = (
    Route(
        method="GET",
        path="/",
        handler=root,
        policy=Policy.PUBLIC,
        tag="System",
        summary="What this is",
        description="A page for people where Accept prefers text/html.",
        answers=(Answer(200, "Name and version.", _ABOUT),),
    ),
    Route(
        method="GET",
        path="/health/live",
        handler=live,
        policy=Policy.PUBLIC,
        tag="System",
        summary="Whether the process is alive",
        answers=(Answer(200, "It is.", _STATUS),),
    ),
    Route(
        method="GET",
        path="/health/ready",
        handler=ready,
        policy=Policy.PUBLIC,
        tag="System",
        summary="Whether the process should get work",
        description="Asks every service behind the gateway. `failed` says which is away and why; without the scheduler "
        "or the log service events are still taken.",
        answers=(Answer(200, "It should.", _READINESS), Answer(503, "It should not.", _READINESS)),
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=metrics,
        policy=Policy.METRICS,
        tag="System",
        summary="Numbers for Prometheus",
        answers=(Answer(200, "The numbers.", TEXT, "text/plain"),),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=openapi,
        policy=Policy.PUBLIC,
        tag="System",
        summary="This API as OpenAPI 3.1",
        answers=(Answer(200, "The document.", FREE_OBJECT),),
    ),
    Route(
        method="GET",
        path="/docs/api",
        handler=api_reference,
        policy=Policy.PUBLIC,
        tag="System",
        summary="This API as a page",
        answers=(Answer(200, "The page.", TEXT, "text/html"),),
    ),
)
