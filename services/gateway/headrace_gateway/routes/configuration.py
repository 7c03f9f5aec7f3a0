"""What administrators set for services and for the installation: sealed at rest, shown to administrators only."""

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway import redacting
from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import ANYTHING, FREE_OBJECT, TEXT, YES_NO, an_object, array_of

_MASKED = Parameter("masked", "true answers with *** in place of what is called as a secret.", YES_NO)
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
_SERVICE = an_object({"serviceId": TEXT}, required=("serviceId",))
_GIVEN = an_object({"serviceId": _NAME}, required=("serviceId",))
_ITEM = an_object({"key": _NAME, "value": ANYTHING}, required=("key", "value"))


async def list_services(call: Call) -> Response:
    found: list[Json] = [_masked(call, each) for each in await call.clients.settings.services(call.scope)]
    return answer(found)


async def add_service(call: Call) -> Response:
    given = await call.object()
    saved, tag = await call.clients.settings.put_service(call.scope, str(given["serviceId"]), given)
    return answer(saved, headers=tagged(tag))


async def get_service(call: Call) -> Response:
    found, tag = await call.clients.settings.service(call.scope, call.value("serviceId"))
    return answer(_masked(call, found), headers=tagged(tag))


async def put_service(call: Call) -> Response:
    service_id, given = call.value("serviceId"), await call.object()
    if redacting.HIDDEN in given.values():
        given = await _with_kept(call, service_id, given)
    saved, tag = await call.clients.settings.put_service(call.scope, service_id, given, expected_tag(call))
    return answer(_masked(call, saved), headers=tagged(tag))


def _masked(call: Call, found: dict[str, Json]) -> dict[str, Json]:
    """The configuration, without the values of what is called as a secret where the caller wants none."""
    shown = redacting.hidden(found) if call.flag("masked") else found
    return shown if isinstance(shown, dict) else found


async def _with_kept(call: Call, service_id: str, given: dict[str, Json]) -> dict[str, Json]:
    """What is given, with the values that are there in place of `***`. Raises ValidationFailed where none is."""
    try:
        kept, _ = await call.clients.settings.service(call.scope, service_id)
    except errors.NotFound:
        kept = {}
    unknown = [name for name, value in given.items() if value == redacting.HIDDEN and name not in kept]
    if unknown:
        raise one_problem(unknown[0], "There is no value yet that could stay as it is.", "Give one.")
    return {name: kept[name] if value == redacting.HIDDEN else value for name, value in given.items()}


async def delete_service(call: Call) -> Response:
    await call.clients.settings.delete_service(call.scope, call.value("serviceId"), expected_tag(call))
    return answer({})


async def list_config(call: Call) -> Response:
    found: list[Json] = list(await call.clients.settings.config(call.scope))
    return answer(found)


async def put_config(call: Call) -> Response:
    given = await call.object()
    await call.clients.settings.put_config(call.scope, str(given["key"]), given["value"])
    return answer({"key": given["key"], "value": given["value"]})


async def delete_config(call: Call) -> Response:
    await call.clients.settings.delete_config(call.scope, call.value("key"))
    return answer({})


ROUTES = (
    Route(
        method="GET",
        path="/service-config",
        handler=list_services,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="List the configurations of services",
        parameters=(_MASKED,),
        answers=(Answer(200, "All of them, by service.", array_of(_SERVICE)),),
        errors=(400, 409),
    ),
    Route(
        method="POST",
        path="/service-config",
        handler=add_service,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="Configure a service",
        description="Any keys beside `serviceId`, for instance clientId and clientSecret. Values are sealed at rest.",
        request=_GIVEN,
        answers=(Answer(200, "As it is now.", _SERVICE),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/service-config/{serviceId}",
        handler=get_service,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="Read the configuration of a service",
        parameters=(_MASKED,),
        answers=(Answer(200, "The configuration, with its ETag.", _SERVICE),),
        errors=(400, 404, 409),
    ),
    Route(
        method="PUT",
        path="/service-config/{serviceId}",
        handler=put_service,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="Replace the configuration of a service",
        description="A value of `***` leaves what is there as it is.",
        parameters=(IF_MATCH, _MASKED),
        request=FREE_OBJECT,
        answers=(Answer(200, "As it is now.", _SERVICE),),
        errors=(400, 409),
    ),
    Route(
        method="DELETE",
        path="/service-config/{serviceId}",
        handler=delete_service,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="Forget the configuration of a service",
        parameters=(IF_MATCH,),
        answers=(Answer(200, "Forgotten.", FREE_OBJECT),),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/config",
        handler=list_config,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="List the configuration of the installation",
        answers=(Answer(200, "All keys, by name.", array_of(_ITEM)),),
        errors=(400, 409),
    ),
    Route(
        method="POST",
        path="/config",
        handler=put_config,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="Set one key of the configuration",
        description="The value is sealed at rest.",
        request=_ITEM,
        answers=(Answer(200, "As it is now.", _ITEM),),
        errors=(400,),
    ),
    Route(
        method="DELETE",
        path="/config/{key}",
        handler=delete_config,
        policy=Policy.ADMIN,
        tag="Configuration",
        summary="Forget one key of the configuration",
        answers=(Answer(200, "Forgotten.", FREE_OBJECT),),
        errors=(404,),
    ),
)
