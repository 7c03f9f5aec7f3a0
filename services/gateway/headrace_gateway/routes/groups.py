"""Groups of users, for rules and shares to name."""

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import IF_MATCH, etag_of, expected_revision
from headrace_gateway.routing import Answer, Policy, Route, Schema
from headrace_gateway.schemas import LIST_PARAMETERS, PROJECTION, TEXT, an_object, array_of, ref


async def list_groups(call: Call) -> Response:
    groups = await call.clients.groups.page(queries.list_query(call.parameters))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(group) for group in groups])


async def create_group(call: Call) -> Response:
    given = await call.object()
    group = await call.clients.groups.create(
        str(given.get("groupId", "")), str(given["name"]), str(given.get("description", "")), _members(given) or []
    )
    _ask_again(call)
    return answer(group, headers=etag_of(group))


async def get_group(call: Call) -> Response:
    group = await call.clients.groups.get(call.value("id"))
    return answer(group, headers=etag_of(group))


async def update_group(call: Call) -> Response:
    given = await call.object()
    name, description = given.get("name"), given.get("description")
    group = await call.clients.groups.update(
        call.value("id"),
        name=name if isinstance(name, str) else None,
        description=description if isinstance(description, str) else None,
        members=_members(given),
        expected_revision=expected_revision(call),
    )
    _ask_again(call)
    return answer(group, headers=etag_of(group))


async def delete_group(call: Call) -> Response:
    await call.clients.groups.delete(call.value("id"))
    _ask_again(call)
    return answer({"groupId": call.value("id")})


async def join_group(call: Call) -> Response:
    group = await call.clients.groups.join(call.value("id"), call.value("userId"))
    _ask_again(call)
    return answer(group, headers=etag_of(group))


async def leave_group(call: Call) -> Response:
    group = await call.clients.groups.leave(call.value("id"), call.value("userId"))
    _ask_again(call)
    return answer(group, headers=etag_of(group))


def _members(given: dict[str, Json]) -> list[str] | None:
    members = given.get("members")
    return [str(each) for each in members] if isinstance(members, list) else None


def _ask_again(call: Call) -> None:
    """Who is in which group comes with who calls: at this gateway the change holds at once."""
    call.gateway.authenticator.forget_all()


_FIELDS: dict[str, Schema] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": {"type": "string", "maxLength": 2000},
    "members": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 256}, "maxItems": 1000},
}
_ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}

ROUTES = (
    Route(
        method="GET",
        path="/groups",
        handler=list_groups,
        policy=Policy.ADMIN,
        tag="Groups",
        summary="List groups",
        description="filter=members:{userId} finds the groups of a user.",
        parameters=(*LIST_PARAMETERS, PROJECTION),
        answers=(Answer(200, "A page, by name.", array_of(ref("Group"))),),
        errors=(400,),
    ),
    Route(
        method="POST",
        path="/groups",
        handler=create_group,
        policy=Policy.ADMIN,
        tag="Groups",
        summary="Make a group",
        description="Rules name it as the role `group:{groupId}`, flows are shared with it by {group: groupId}.",
        request=an_object({"groupId": _ID, **_FIELDS}, required=("name",)),
        answers=(Answer(200, "Made.", ref("Group")),),
        errors=(400, 409),
    ),
    Route(
        method="GET",
        path="/groups/{id}",
        handler=get_group,
        policy=Policy.ADMIN,
        tag="Groups",
        summary="Read a group",
        answers=(Answer(200, "The group; its ETag is its revision.", ref("Group")),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/groups/{id}",
        handler=update_group,
        policy=Policy.ADMIN,
        tag="Groups",
        summary="Change a group",
        description="Only the fields that are given change; `members` are replaced as a whole.",
        parameters=(IF_MATCH,),
        request=an_object(_FIELDS),
        answers=(Answer(200, "Changed.", ref("Group")),),
        errors=(400, 404, 409),
    ),
    Route(
        method="DELETE",
        path="/groups/{id}",
        handler=delete_group,
        policy=Policy.ADMIN,
        tag="Groups",
        summary="Delete a group",
        description="Its members stay users; rules and shares that name it are about nobody then.",
        answers=(Answer(200, "Deleted.", an_object({"groupId": TEXT}, required=("groupId",))),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/groups/{id}/members/{userId}",
        handler=join_group,
        policy=Policy.ADMIN,
        tag="Groups",
        summary="Make a user a member",
        description="Doing it again changes nothing.",
        answers=(Answer(200, "The group.", ref("Group")),),
        errors=(400, 404),
    ),
    Route(
        method="DELETE",
        path="/groups/{id}/members/{userId}",
        handler=leave_group,
        policy=Policy.ADMIN,
        tag="Groups",
        summary="Make a user no member",
        description="Doing it again changes nothing.",
        answers=(Answer(200, "The group.", ref("Group")),),
        errors=(404,),
    ),
)
