"""Users, signing in and out, passwords."""

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.people import UserChanges
from headrace_gateway.errors import one_problem
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Policy, Route, Schema
from headrace_gateway.schemas import (
    FREE_OBJECT,
    LIST_PARAMETERS,
    MOMENT,
    NAME_LIST,
    NEW_PASSWORD,
    PASSWORD,
    PROJECTION,
    TEXT,
    YES_NO,
    an_object,
    array_of,
    ref,
)

_LOGIN: Schema = {"type": "string", "minLength": 1, "maxLength": 320}


async def sign_in(call: Call) -> Response:
    given = await call.object()
    login = _login(given)
    try:
        user, token = await call.clients.people.sign_in(login, str(given["password"]), call.address)
    except errors.Unauthenticated:
        # 403 and not 401, and the same for an unknown name and a wrong password: hosts sign up on 403.
        raise errors.Forbidden("The name and the password do not fit.") from None
    await call.gateway.admit_origin(call.request.scope, _vendors(user.get("vendor")) or ())
    return answer({"user": user, "token": token})


async def sign_up(call: Call) -> Response:
    given = await call.object()
    username, email = str(given.get("username") or ""), str(given.get("email") or "")
    if not username and not email:
        raise one_problem("email", "A user needs a mail address or a username.")
    metadata = given.get("metadata")
    user, token = await call.clients.people.sign_up(
        username=username,
        email=email,
        password=str(given["password"]),
        metadata=metadata if isinstance(metadata, dict) else {},
    )
    return answer({"token": token, "user": user}, 201)


async def sign_in_as(call: Call) -> Response:
    user, token, expires = await call.clients.people.sign_in_as(call.value("id"), call.caller.user_id)
    return answer({"user": user, "token": token, "expires": expires})


async def current_user(call: Call) -> Response:
    user = await call.clients.people.get(call.caller.user_id)
    impersonator = call.caller.impersonator_id
    return answer({**user, "impersonator": impersonator} if impersonator else user)


async def change_password(call: Call) -> Response:
    given = await call.object()
    try:
        await call.clients.people.change_password(call.caller, str(given["oldPassword"]), str(given["newPassword"]))
    except errors.Unauthenticated:
        raise errors.Forbidden("The old password does not fit.") from None
    call.gateway.authenticator.forget_user(call.caller.user_id)
    return answer({})


async def reset_password(call: Call) -> Response:
    given = await call.object()
    await call.clients.people.reset_password(_login(given), str(given["password"]))
    call.gateway.authenticator.forget_all()
    return answer({})


async def forgot_password(call: Call) -> Response:
    await call.clients.people.forget_password(str((await call.object())["email"]), call.address)
    return answer({})


async def redeem_code(call: Call) -> Response:
    given = await call.object()
    try:
        user_id = await call.clients.people.redeem_code(str(given["code"]), str(given["password"]), call.address)
    except errors.Unauthenticated as error:
        raise errors.Forbidden(error.message) from None
    call.gateway.authenticator.forget_user(user_id)
    return answer({})


async def sign_out(call: Call) -> Response:
    await call.clients.people.sign_out(call.caller.token)
    call.gateway.authenticator.forget(call.caller.token)
    return answer({})


async def sign_out_everywhere(call: Call) -> Response:
    ended = await call.clients.people.sign_out_everywhere(call.caller.user_id)
    call.gateway.authenticator.forget_user(call.caller.user_id)
    return answer({"ended": ended})


async def list_users(call: Call) -> Response:
    users, total = await call.clients.people.page(queries.list_query(call.parameters))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(user) for user in users], headers={"X-Total-Count": str(total)})


async def count_users(call: Call) -> Response:
    _, total = await call.clients.people.page(queries.list_query(call.parameters))
    return answer({"count": total})


async def get_user(call: Call) -> Response:
    user, tag = await call.clients.people.tagged(call.value("id"))
    return answer(user, headers=tagged(tag))


async def update_user(call: Call) -> Response:
    given = await call.object()
    user, tag = await call.clients.people.update(call.value("id"), _changes(given), expected_tag(call))
    call.gateway.authenticator.forget_user(call.value("id"))
    return answer(user, headers=tagged(tag))


async def delete_user(call: Call) -> Response:
    ticket = await call.clients.people.delete(call.value("id"))
    call.gateway.authenticator.forget_user(call.value("id"))
    return answer({"ticket": ticket})


async def delete_status(call: Call) -> Response:
    return answer(await call.clients.people.departure(call.value("id"), call.value("ticket")))


def _login(given: dict[str, Json]) -> str:
    login = given.get("email") or given.get("username")
    if not isinstance(login, str):
        raise one_problem("email", "Give a mail address or a username.")
    return login


def _changes(given: dict[str, Json]) -> UserChanges:
    scope, email = given.get("scope"), given.get("email")
    metadata, active = given.get("metadata"), given.get("isActive")
    return UserChanges(
        email=email if isinstance(email, str) else None,
        scopes=[str(each) for each in scope] if isinstance(scope, list) else None,
        vendors=_vendors(given.get("vendor")),
        metadata=metadata if isinstance(metadata, dict) else None,
        active=active if isinstance(active, bool) else None,
    )


def _vendors(given: Json) -> list[str] | None:
    """One vendor is a word and several are a list; None where nothing is said of them."""
    if isinstance(given, str):
        return [given]
    return [str(each) for each in given] if isinstance(given, list) else None


_SIGNED_IN = an_object({"user": ref("User"), "token": TEXT}, required=("token",))

ROUTES = (
    Route(
        method="POST",
        path="/user/auth",
        handler=sign_in,
        policy=Policy.PUBLIC,
        tag="Users",
        summary="Sign in",
        description="Trades a name and password for a bearer token. 403 when they do not fit.",
        request=an_object({"email": _LOGIN, "username": _LOGIN, "password": PASSWORD}, required=("password",)),
        answers=(Answer(200, "Signed in.", _SIGNED_IN),),
        errors=(400, 403, 429),
    ),
    Route(
        method="POST",
        path="/user",
        handler=sign_up,
        policy=Policy.SIGN_UP,
        tag="Users",
        summary="Make a user",
        request=an_object(
            {"username": TEXT, "email": TEXT, "password": NEW_PASSWORD, "metadata": FREE_OBJECT},
            required=("password",),
        ),
        answers=(Answer(201, "Made, and signed in.", _SIGNED_IN),),
        errors=(400, 409),
    ),
    Route(
        method="GET",
        path="/user",
        handler=current_user,
        policy=Policy.USER,
        tag="Users",
        summary="Who am I",
        answers=(Answer(200, "The caller.", ref("User")),),
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/user/change-password",
        handler=change_password,
        policy=Policy.USER,
        tag="Users",
        summary="Change one's own password",
        description="Ends the user's other tokens.",
        request=an_object(
            {"oldPassword": PASSWORD, "newPassword": NEW_PASSWORD}, required=("oldPassword", "newPassword")
        ),
        answers=(Answer(200, "Changed.", FREE_OBJECT),),
        errors=(400, 403),
    ),
    Route(
        method="POST",
        path="/user/reset-password",
        handler=reset_password,
        policy=Policy.ADMIN,
        tag="Users",
        summary="Set somebody's password",
        description="Ends all of the user's tokens.",
        request=an_object({"email": _LOGIN, "username": _LOGIN, "password": NEW_PASSWORD}, required=("password",)),
        answers=(Answer(200, "Set.", FREE_OBJECT),),
        errors=(400, 404),
    ),
    Route(
        method="POST",
        path="/user/forgot-password",
        handler=forgot_password,
        policy=Policy.PUBLIC,
        tag="Users",
        summary="Have a code for a new password mailed",
        description="The answer is the same whether the address is a user's or nobody's. 400 where no mail goes out.",
        request=an_object({"email": _LOGIN}, required=("email",)),
        answers=(Answer(200, "If the address is a user's, a mail is on its way.", FREE_OBJECT),),
        errors=(400, 429),
    ),
    Route(
        method="POST",
        path="/forgot-password/reset",
        handler=redeem_code,
        policy=Policy.PUBLIC,
        tag="Users",
        summary="Set a new password by a mailed code",
        description="A code works once, within an hour. Ends all of the user's tokens.",
        request=an_object({"password": NEW_PASSWORD, "code": PASSWORD}, required=("password", "code")),
        answers=(Answer(200, "Set.", FREE_OBJECT),),
        errors=(400, 403, 429),
    ),
    Route(
        method="POST",
        path="/user/sign-out",
        handler=sign_out,
        policy=Policy.USER,
        tag="Users",
        summary="End this token",
        answers=(Answer(200, "Ended.", FREE_OBJECT),),
    ),
    Route(
        method="POST",
        path="/user/sign-out-everywhere",
        handler=sign_out_everywhere,
        policy=Policy.USER,
        tag="Users",
        summary="End all of one's tokens",
        answers=(Answer(200, "How many ended.", an_object({"ended": {"type": "integer"}})),),
    ),
    Route(
        method="GET",
        path="/users",
        handler=list_users,
        policy=Policy.ADMIN,
        tag="Users",
        summary="List users",
        parameters=(*LIST_PARAMETERS, PROJECTION),
        answers=(Answer(200, "A page.", array_of(ref("User"))),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/users/count",
        handler=count_users,
        policy=Policy.ADMIN,
        tag="Users",
        summary="Count users",
        parameters=LIST_PARAMETERS[:2],
        answers=(Answer(200, "How many.", ref("Count")),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/users/{id}",
        handler=get_user,
        policy=Policy.ADMIN,
        tag="Users",
        summary="Read a user",
        answers=(Answer(200, "The user.", ref("User")),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/users/{id}",
        handler=update_user,
        policy=Policy.ADMIN,
        tag="Users",
        summary="Change a user",
        description="Only the fields that are given change.",
        parameters=(IF_MATCH,),
        request=an_object(
            {
                "email": _LOGIN,
                "scope": NAME_LIST,
                "vendor": {"type": ["string", "array"], "items": TEXT},
                "metadata": FREE_OBJECT,
                "isActive": YES_NO,
            }
        ),
        answers=(Answer(200, "The user as it is now.", ref("User")),),
        errors=(400, 404, 409),
    ),
    Route(
        method="DELETE",
        path="/users/{id}",
        handler=delete_user,
        policy=Policy.ADMIN,
        tag="Users",
        summary="Remove a user",
        description=(
            "Signs the user out for good, stops their flows and removes everything of theirs: flows, runs, states, "
            "timers, data stores, files, logs. It goes on by itself, after a crash too; the ticket tells how far it is."
        ),
        answers=(Answer(200, "Begun.", an_object({"ticket": TEXT}, required=("ticket",))),),
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path="/users/{id}/sign-in-as",
        handler=sign_in_as,
        policy=Policy.ADMIN,
        tag="Users",
        summary="Sign in as a user",
        description=(
            "A token that speaks for the user for an hour, to see what they see. What is changed by it stands in the "
            "audit trail under the administrator; it makes no tokens and changes no password. Never for administrators."
        ),
        answers=(
            Answer(
                200,
                "Signed in.",
                an_object({"user": ref("User"), "token": TEXT, "expires": MOMENT}, required=("user", "token")),
            ),
        ),
        errors=(403, 404),
    ),
    Route(
        method="GET",
        path="/users/{id}/delete-status/{ticket}",
        handler=delete_status,
        policy=Policy.ADMIN,
        tag="Users",
        summary="How far the removal of a user is",
        answers=(Answer(200, "How far it is.", ref("Departure")),),
        errors=(404,),
    ),
)
