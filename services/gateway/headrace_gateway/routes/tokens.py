"""Personal access tokens: what a person gives to programs instead of the password."""

from datetime import UTC, datetime

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import FREE_OBJECT, NAME_LIST, TEXT, an_object, array_of, ref


async def create_token(call: Call) -> Response:
    given = await call.object()
    scope = given.get("scope")
    scopes = [str(each) for each in scope] if isinstance(scope, list) else []
    expires_at = _moment("expiresAt", given.get("expiresAt"))
    return answer(
        await call.clients.people.create_personal_token(call.caller, str(given["name"]), scopes, expires_at), status=201
    )


async def list_tokens(call: Call) -> Response:
    tokens: list[Json] = list(await call.clients.people.personal_tokens(call.caller.user_id))
    return answer(tokens)


async def revoke_token(call: Call) -> Response:
    await call.clients.people.revoke_personal_token(call.caller.user_id, call.value("id"))
    call.gateway.authenticator.forget_user(call.caller.user_id)
    return answer({})


def _moment(field: str, value: Json) -> datetime | None:
    """The instant that a text names; without a time zone it is UTC. Raises ValidationFailed."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(str(value))
        instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise one_problem(field, "It is no time.", "Write 2027-01-31T08:30:00Z.") from None


_GIVEN = an_object(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "expiresAt": {"type": ["string", "null"], "format": "date-time", "maxLength": 64},
        "scope": NAME_LIST,
    },
    required=("name",),
)

ROUTES = (
    Route(
        method="POST",
        path="/user/tokens",
        handler=create_token,
        policy=Policy.USER,
        tag="Personal tokens",
        summary="Make a personal access token",
        description=(
            "The answer shows the secret, once. It ends at `expiresAt`, or in a year. `scope` names the roles it "
            "carries; without it the token carries all of the caller's, never more."
        ),
        request=_GIVEN,
        answers=(
            Answer(201, "Made.", {"allOf": [ref("PersonalToken"), an_object({"token": TEXT}, required=("token",))]}),
        ),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/user/tokens",
        handler=list_tokens,
        policy=Policy.USER,
        tag="Personal tokens",
        summary="List one's personal access tokens",
        answers=(Answer(200, "All of them, without secrets.", array_of(ref("PersonalToken"))),),
    ),
    Route(
        method="DELETE",
        path="/user/tokens/{id}",
        handler=revoke_token,
        policy=Policy.USER,
        tag="Personal tokens",
        summary="End a personal access token",
        answers=(Answer(200, "Ended.", FREE_OBJECT),),
        errors=(404,),
    ),
)
