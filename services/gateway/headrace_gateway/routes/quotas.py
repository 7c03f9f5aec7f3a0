"""How often other people's APIs may be called: administrators put rules in place of those that connectors bring."""

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import IF_MATCH, etag_of, expected_revision
from headrace_gateway.routing import Answer, Policy, Route, Schema
from headrace_gateway.schemas import MOMENT, TEXT, WHOLE, YES_NO, an_object, array_of

_QUOTA = an_object(
    {
        "id": TEXT,
        "name": TEXT,
        "source": TEXT,
        "defaultSource": TEXT,
        "isCustom": YES_NO,
        "revision": WHOLE,
        "changedBy": {"type": ["string", "null"]},
        "mtime": MOMENT,
    },
    required=("id", "name", "source", "defaultSource", "isCustom", "revision"),
)
_SOURCE: Schema = {"type": "string", "minLength": 1, "maxLength": 65_536}


async def list_quotas(call: Call) -> Response:
    found: list[Json] = list(await call.clients.settings.quotas(call.scope))
    return answer(found)


async def put_quota(call: Call) -> Response:
    given = await call.object()
    quota = await call.clients.settings.put_quota(
        call.scope, call.value("name"), str(given["source"]), expected_revision(call)
    )
    return answer(quota, headers=etag_of(quota))


async def reset_quota(call: Call) -> Response:
    quota = await call.clients.settings.reset_quota(call.scope, call.value("name"), expected_revision(call))
    return answer(quota, headers=etag_of(quota))


ROUTES = (
    Route(
        method="GET",
        path="/quota",
        handler=list_quotas,
        policy=Policy.ADMIN,
        tag="Quotas",
        summary="List quotas",
        description="Every one that a connector brings, a component names or somebody put.",
        answers=(Answer(200, "All of them, by name.", array_of(_QUOTA)),),
    ),
    Route(
        method="PUT",
        path="/quota/{name}",
        handler=put_quota,
        policy=Policy.ADMIN,
        tag="Quotas",
        summary="Replace the rules of a quota",
        description="The source is one JavaScript literal, `module.exports = { rules: [...] }`. It is read, not run: "
        "names, calls and functions are refused with line and column. It holds from now on.",
        parameters=(IF_MATCH,),
        request=an_object({"source": _SOURCE}, required=("source",)),
        answers=(Answer(200, "As it is now.", _QUOTA),),
        errors=(400, 409),
    ),
    Route(
        method="DELETE",
        path="/quota/{name}",
        handler=reset_quota,
        policy=Policy.ADMIN,
        tag="Quotas",
        summary="Go back to the rules that the connector brings",
        parameters=(IF_MATCH,),
        answers=(Answer(200, "As it is now.", _QUOTA),),
        errors=(400, 404, 409),
    ),
)
