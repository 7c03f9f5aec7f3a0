"""Paths that people choose for webhooks."""

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Policy, Route, Schema
from headrace_gateway.schemas import ALL_TENANTS, FREE_OBJECT, an_object, array_of, ref


async def list_aliases(call: Call) -> Response:
    found: list[Json] = list(await call.clients.aliases.all(call.reading_scope))
    return answer(found)


async def create_alias(call: Call) -> Response:
    given = await call.object()
    made = await call.clients.aliases.create(
        call.scope, _path(call, given), str(given["flowId"]), str(given["componentId"])
    )
    call.gateway.aliases.forget()
    return answer(made)


async def get_alias(call: Call) -> Response:
    alias, tag = await call.clients.aliases.get(call.reading_scope, call.value("id"))
    return answer(alias, headers=tagged(tag))


async def update_alias(call: Call) -> Response:
    given = await call.object()
    saved, tag = await call.clients.aliases.update(
        call.scope,
        call.value("id"),
        _path(call, given),
        str(given["flowId"]),
        str(given["componentId"]),
        expected_tag(call),
    )
    call.gateway.aliases.forget()
    return answer(saved, headers=tagged(tag))


async def delete_alias(call: Call) -> Response:
    await call.clients.aliases.delete(call.scope, call.value("id"), expected_tag(call))
    call.gateway.aliases.forget()
    return answer({})


def _path(call: Call, given: dict[str, Json]) -> str:
    """The path as it is kept. Raises ValidationFailed for one that begins like something of the platform's own."""
    path = str(given["alias"]).removeprefix("/")
    if not call.gateway.aliases.is_free(path):
        raise one_problem("alias", "This path is the platform's own.", "Begin it with another word.")
    return path


_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_GIVEN = an_object({"alias": _ID, "flowId": _ID, "componentId": _ID}, required=("alias", "flowId", "componentId"))

ROUTES = (
    Route(
        method="GET",
        path="/url-aliases",
        handler=list_aliases,
        policy=Policy.USER,
        tag="URL aliases",
        summary="List one's aliases",
        parameters=(ALL_TENANTS,),
        answers=(Answer(200, "All of them, by path.", array_of(ref("Alias"))),),
    ),
    Route(
        method="POST",
        path="/url-aliases",
        handler=create_alias,
        policy=Policy.USER,
        tag="URL aliases",
        summary="Give a webhook a path of one's own",
        description=(
            "Calls of `/{alias}` are calls of the flow's component from then on. A path is one alias in the whole "
            "installation, and none hides an endpoint."
        ),
        request=_GIVEN,
        answers=(Answer(200, "Made.", ref("Alias")),),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/url-aliases/{id}",
        handler=get_alias,
        policy=Policy.USER,
        tag="URL aliases",
        summary="Read an alias",
        parameters=(ALL_TENANTS,),
        answers=(Answer(200, "The alias, with its ETag.", ref("Alias")),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/url-aliases/{id}",
        handler=update_alias,
        policy=Policy.USER,
        tag="URL aliases",
        summary="Replace an alias",
        parameters=(IF_MATCH,),
        request=_GIVEN,
        answers=(Answer(200, "As it is now.", ref("Alias")),),
        errors=(400, 404, 409),
    ),
    Route(
        method="DELETE",
        path="/url-aliases/{id}",
        handler=delete_alias,
        policy=Policy.USER,
        tag="URL aliases",
        summary="Take an alias away",
        parameters=(IF_MATCH,),
        answers=(Answer(200, "Gone.", FREE_OBJECT),),
        errors=(400, 404, 409),
    ),
)
