"""Charts of the log, drawn by the UI from aggregations."""

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import IF_MATCH, etag_of, expected_revision
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import (
    ALL_TENANTS,
    CHART_FIELDS,
    LIST_PARAMETERS,
    PROJECTION,
    TEXT,
    an_object,
    array_of,
    ref,
)

# What only reading adds: a chart may be saved as it was read.
_ADDED_ON_READ = ("chartId", "userId", "revision", "created", "mtime")


async def list_charts(call: Call) -> Response:
    charts = await call.clients.charts.page(call.reading_scope, queries.list_query(call.parameters))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(chart) for chart in charts])


async def create_chart(call: Call) -> Response:
    chart = await call.clients.charts.create(call.scope, _document(await call.object()))
    return answer({"chartId": chart["chartId"]}, headers=etag_of(chart))


async def get_chart(call: Call) -> Response:
    chart = await call.clients.charts.get(call.reading_scope, call.value("id"))
    return answer(chart, headers=etag_of(chart))


async def update_chart(call: Call) -> Response:
    changes = _document(await call.object())
    chart = await call.clients.charts.update(call.scope, call.value("id"), changes, expected_revision(call))
    return answer({"chartId": chart["chartId"]}, headers=etag_of(chart))


async def delete_chart(call: Call) -> Response:
    await call.clients.charts.delete(call.scope, call.value("id"))
    return answer({"chartId": call.value("id")})


def _document(given: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in given.items() if name not in _ADDED_ON_READ}


_CHART_ID = an_object({"chartId": TEXT}, required=("chartId",))

ROUTES = (
    Route(
        method="GET",
        path="/charts",
        handler=list_charts,
        policy=Policy.USER,
        tag="Charts",
        summary="List charts",
        parameters=(*LIST_PARAMETERS, PROJECTION, ALL_TENANTS),
        answers=(Answer(200, "A page, by index.", array_of(ref("Chart"))),),
        errors=(400, 403),
    ),
    Route(
        method="POST",
        path="/charts",
        handler=create_chart,
        policy=Policy.USER,
        tag="Charts",
        summary="Make a chart",
        request=an_object(CHART_FIELDS, required=("name", "type")),
        answers=(Answer(200, "Made.", _CHART_ID),),
        errors=(400, 409),
    ),
    Route(
        method="GET",
        path="/charts/{id}",
        handler=get_chart,
        policy=Policy.USER,
        tag="Charts",
        summary="Read a chart",
        parameters=(ALL_TENANTS,),
        answers=(Answer(200, "The chart.", ref("Chart")),),
        errors=(403, 404),
    ),
    Route(
        method="PUT",
        path="/charts/{id}",
        handler=update_chart,
        policy=Policy.USER,
        tag="Charts",
        summary="Change a chart",
        description="Only the fields that are given change.",
        parameters=(IF_MATCH,),
        request=an_object(CHART_FIELDS),
        answers=(Answer(200, "Changed.", _CHART_ID),),
        errors=(400, 404, 409),
    ),
    Route(
        method="DELETE",
        path="/charts/{id}",
        handler=delete_chart,
        policy=Policy.USER,
        tag="Charts",
        summary="Delete a chart",
        answers=(Answer(200, "Deleted.", _CHART_ID),),
        errors=(404,),
    ),
)
