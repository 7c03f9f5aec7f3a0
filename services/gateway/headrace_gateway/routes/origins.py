"""Origins of web pages that may call the API as users of a vendor."""

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Policy, Route, Schema
from headrace_gateway.schemas import FREE_OBJECT, TEXT, an_object, array_of


async def list_origins(call: Call) -> Response:
    found = await call.clients.settings.origins()
    return answer([_shown(vendor, origins) for vendor, origins in found.items()])


async def get_origins(call: Call) -> Response:
    vendor = call.value("vendor")
    found = await call.clients.settings.origins_of(vendor)
    if found is None:
        raise errors.NotFound("list of origins of vendor", vendor[:100])
    origins, tag = found
    return answer(_shown(vendor, origins), headers=tagged(tag))


async def put_origins(call: Call) -> Response:
    vendor, given = call.value("vendor"), (await call.object())["origins"]
    origins = [str(each) for each in given] if isinstance(given, list) else []
    tag = await call.clients.settings.put_origins(call.scope, vendor, origins, expected_tag(call))
    call.gateway.origins.forget()
    return answer(_shown(vendor, origins), headers=tagged(tag))


async def delete_origins(call: Call) -> Response:
    await call.clients.settings.delete_origins(call.scope, call.value("vendor"), expected_tag(call))
    call.gateway.origins.forget()
    return answer({})


def _shown(vendor: str, origins: list[str]) -> dict[str, Json]:
    return {"vendor": vendor, "origins": [*origins]}


_LIST: Schema = {"type": "array", "items": {"type": "string", "maxLength": 255}, "maxItems": 100}
_ORIGINS = an_object({"vendor": TEXT, "origins": array_of(TEXT)}, required=("vendor", "origins"))

ROUTES = (
    Route(
        method="GET",
        path="/origins",
        handler=list_origins,
        policy=Policy.ADMIN,
        tag="Origins",
        summary="List the origins of all vendors",
        answers=(Answer(200, "By vendor.", array_of(_ORIGINS)),),
    ),
    Route(
        method="GET",
        path="/origins/{vendor}",
        handler=get_origins,
        policy=Policy.ADMIN,
        tag="Origins",
        summary="Read the origins of a vendor",
        answers=(Answer(200, "In the order they were put, with their ETag.", _ORIGINS),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/origins/{vendor}",
        handler=put_origins,
        policy=Policy.ADMIN,
        tag="Origins",
        summary="Replace the origins of a vendor",
        description=(
            "Pages of these origins may read what the API answers to users of the vendor, besides those that the "
            "installation lists for everybody. Each is exact: scheme, host, and port where it is not the usual one; "
            "there is no wildcard. It holds at every gateway within five seconds."
        ),
        parameters=(IF_MATCH,),
        request=an_object({"origins": _LIST}, required=("origins",)),
        answers=(Answer(200, "As they are now.", _ORIGINS),),
        errors=(400, 409),
    ),
    Route(
        method="DELETE",
        path="/origins/{vendor}",
        handler=delete_origins,
        policy=Policy.ADMIN,
        tag="Origins",
        summary="Forget the origins of a vendor",
        parameters=(IF_MATCH,),
        answers=(Answer(200, "Forgotten.", FREE_OBJECT),),
        errors=(400, 404, 409),
    ),
)
