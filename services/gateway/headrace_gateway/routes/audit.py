"""The audit trail: what administrators did, for administrators to read."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import orjson
from headrace_core import Json
from starlette.responses import Response, StreamingResponse

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.routes.files import attachment
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import LIST_PARAMETERS, PROJECTION, TEXT, array_of, ref


async def list_acts(call: Call) -> Response:
    acts, total = await call.clients.audit.page(queries.list_query(call.parameters))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(each) for each in acts], headers={"X-Total-Count": str(total)})


async def count_acts(call: Call) -> Response:
    _, total = await call.clients.audit.page(replace(queries.list_query(call.parameters), limit=1))
    return answer({"count": total})


async def get_act(call: Call) -> Response:
    return answer(await call.clients.audit.get(call.value("id")))


async def export_acts(call: Call) -> Response:
    parts = call.clients.audit.export(queries.list_query(call.parameters))
    nothing: list[dict[str, Json]] = []
    first = await anext(parts, nothing)  # what is wrong with the query is heard before anything is answered

    async def lines() -> AsyncGenerator[bytes, None]:
        async with aclosing(parts):
            yield _lines(first)
            async for acts in parts:
                yield _lines(acts)

    headers = {"Content-Disposition": attachment("audit.ndjson")}
    return StreamingResponse(lines(), headers=headers, media_type="application/x-ndjson")


def _lines(acts: list[dict[str, Json]]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in acts)


ROUTES = (
    Route(
        method="GET",
        path="/system/audit",
        handler=list_acts,
        policy=Policy.ADMIN,
        tag="Audit",
        summary="List what administrators did",
        description=(
            "Each act is on record before it is done; `status` is null where nobody knows how it ended. Nothing is "
            "ever changed or taken away. Secrets are hidden: `***`, and `*** (changed)` where a new one was set."
        ),
        parameters=(*LIST_PARAMETERS, PROJECTION),
        answers=(Answer(200, "A page, newest first; X-Total-Count says how many there are.", array_of(ref("Act"))),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/system/audit/count",
        handler=count_acts,
        policy=Policy.ADMIN,
        tag="Audit",
        summary="Count what administrators did",
        parameters=LIST_PARAMETERS[:2],
        answers=(Answer(200, "How many.", ref("Count")),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/system/audit/export",
        handler=export_acts,
        policy=Policy.ADMIN,
        tag="Audit",
        summary="Download the audit trail",
        description="JSON, one act a line, newest first, filtered as the list is; it comes as it is read.",
        parameters=LIST_PARAMETERS[:2],
        answers=(Answer(200, "The acts.", TEXT, "application/x-ndjson"),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/system/audit/{id}",
        handler=get_act,
        policy=Policy.ADMIN,
        tag="Audit",
        summary="Read an act",
        answers=(Answer(200, "The act.", ref("Act")),),
        errors=(404,),
    ),
)
