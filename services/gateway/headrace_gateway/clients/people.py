"""Users and their tokens."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from headrace.people.v1 import people_pb2, people_service_pb2
from headrace.people.v1.people_service_pb2_grpc import PeopleServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, moment, query_to_proto
from headrace_gateway.identity import Caller
from headrace_gateway.queries import ListQuery

_STATUSES = {
    people_pb2.DEPARTURE_STATUS_IN_PROGRESS: "in-progress",
    people_pb2.DEPARTURE_STATUS_COMPLETED: "completed",
    people_pb2.DEPARTURE_STATUS_FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What to change of a user; None leaves as it is."""

    email: str | None = None
    scopes: list[str] | None = None
    vendors: list[str] | None = None
    metadata: dict[str, Json] | None = None
    active: bool | None = None


class PeopleClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = PeopleServiceStub(channel)
        self._timeout = timeout_seconds

    async def authenticate(self, token: str) -> Caller:
        """Whose token this is. Raises Unauthenticated."""
        request = people_service_pb2.AuthenticateRequest(token=token)
        answer = await self._stub.Authenticate(request, timeout=self._timeout)
        user = answer.user
        return Caller(
            user.user_id,
            frozenset(user.scopes),
            token,
            frozenset(user.vendors),
            groups=frozenset(answer.groups),
            impersonator_id=answer.impersonator_id,
        )

    async def sign_up(
        self, *, username: str, email: str, password: str, metadata: dict[str, Json]
    ) -> tuple[dict[str, Json], str]:
        """Make a user; their record and token. Raises AlreadyExists."""
        request = people_service_pb2.SignUpRequest(
            username=username, email=email, password=password, metadata=orjson.dumps(metadata)
        )
        answer = await self._stub.SignUp(request, timeout=self._timeout)
        return user_to_json(answer.user), answer.token

    async def sign_in(self, login: str, password: str, address: str) -> tuple[dict[str, Json], str]:
        """The user's record and a fresh token. Raises Unauthenticated or RateLimited."""
        request = people_service_pb2.SignInRequest(login=login, password=password, address=address)
        answer = await self._stub.SignIn(request, timeout=self._timeout)
        return user_to_json(answer.user), answer.token

    async def sign_in_as(self, user_id: str, actor_id: str) -> tuple[dict[str, Json], str, str | None]:
        """The user's record, a token that speaks for them, and when it ends. Raises NotFound, Forbidden."""
        request = people_service_pb2.SignInAsRequest(user_id=user_id, actor_id=actor_id)
        answer = await self._stub.SignInAs(request, timeout=self._timeout)
        return user_to_json(answer.user), answer.token, moment(answer, "expires_at")

    async def sign_out(self, token: str) -> None:
        await self._stub.SignOut(people_service_pb2.SignOutRequest(token=token), timeout=self._timeout)

    async def sign_out_everywhere(self, user_id: str) -> int:
        """End all tokens of a user; how many there were."""
        request = people_service_pb2.SignOutEverywhereRequest(user_id=user_id)
        return (await self._stub.SignOutEverywhere(request, timeout=self._timeout)).ended

    async def get(self, user_id: str) -> dict[str, Json]:
        """One user. Raises NotFound."""
        user, _ = await self.tagged(user_id)
        return user

    async def tagged(self, user_id: str) -> tuple[dict[str, Json], str]:
        """One user and their tag. Raises NotFound."""
        request = people_service_pb2.GetUserRequest(user_id=user_id)
        user = (await self._stub.GetUser(request, timeout=self._timeout)).user
        return user_to_json(user), user.tag

    async def page(self, query: ListQuery) -> tuple[list[dict[str, Json]], int]:
        """A page of users, and how many match in all."""
        request = people_service_pb2.ListUsersRequest(query=query_to_proto(query))
        answer = await self._stub.ListUsers(request, timeout=self._timeout)
        return [user_to_json(user) for user in answer.users], answer.total

    async def update(self, user_id: str, changes: UserChanges, expected_tag: str = "") -> tuple[dict[str, Json], str]:
        """The user with the changes made, and their tag. Raises NotFound, RevisionConflict."""
        request = people_service_pb2.UpdateUserRequest(
            user_id=user_id,
            email=changes.email,
            scopes=changes.scopes or [],
            replace_scopes=changes.scopes is not None,
            vendors=changes.vendors or [],
            replace_vendors=changes.vendors is not None,
            metadata=None if changes.metadata is None else orjson.dumps(changes.metadata),
            active=changes.active,
            expected_tag=expected_tag,
        )
        user = (await self._stub.UpdateUser(request, timeout=self._timeout)).user
        return user_to_json(user), user.tag

    async def delete(self, user_id: str) -> str:
        """Begin to remove the user with everything of theirs; the ticket. Raises NotFound or Conflict."""
        request = people_service_pb2.DeleteUserRequest(user_id=user_id)
        return (await self._stub.DeleteUser(request, timeout=self._timeout)).departure.ticket

    async def departure(self, user_id: str, ticket: str) -> dict[str, Json]:
        """How far the removal is. Raises NotFound."""
        request = people_service_pb2.GetDepartureRequest(user_id=user_id, ticket=ticket)
        departure = (await self._stub.GetDeparture(request, timeout=self._timeout)).departure
        shown: dict[str, Json] = {
            "status": _STATUSES.get(departure.status, "in-progress"),
            "stepsDone": departure.steps_done,
            "stepsTotal": departure.steps_total,
        }
        # Clients of the public API take a filled `error` for a failed call: it is there when this is one.
        return {**shown, "error": departure.error} if departure.error else shown

    async def change_password(self, caller: Caller, old_password: str, new_password: str) -> None:
        """Replace one's own password; other tokens end. Raises Unauthenticated when the old one is wrong."""
        request = people_service_pb2.ChangePasswordRequest(
            user_id=caller.user_id,
            old_password=old_password,
            new_password=new_password,
            keep_token=caller.token,
        )
        await self._stub.ChangePassword(request, timeout=self._timeout)

    async def create_personal_token(
        self, caller: Caller, name: str, scopes: list[str], expires_at: datetime | None
    ) -> dict[str, Json]:
        """Make a token of the caller's; its record with the secret. Raises ValidationFailed or Conflict."""
        request = people_service_pb2.CreatePersonalTokenRequest(
            user_id=caller.user_id, name=name, scopes=scopes, caller_scopes=sorted(caller.scopes)
        )
        if expires_at is not None:
            request.expires_at.FromDatetime(expires_at)
        answer = await self._stub.CreatePersonalToken(request, timeout=self._timeout)
        return {**_personal_token(answer.token), "token": answer.secret}

    async def personal_tokens(self, user_id: str) -> list[dict[str, Json]]:
        """The user's personal tokens, without secrets."""
        request = people_service_pb2.ListPersonalTokensRequest(user_id=user_id)
        answer = await self._stub.ListPersonalTokens(request, timeout=self._timeout)
        return [_personal_token(each) for each in answer.tokens]

    async def revoke_personal_token(self, user_id: str, token_id: str) -> None:
        """End a personal token. Raises NotFound."""
        request = people_service_pb2.RevokePersonalTokenRequest(user_id=user_id, token_id=token_id)
        await self._stub.RevokePersonalToken(request, timeout=self._timeout)

    async def forget_password(self, email: str, address: str) -> None:
        """Have a code mailed. Raises Unsupported where no mail goes out, RateLimited."""
        request = people_service_pb2.ForgetPasswordRequest(email=email, address=address)
        await self._stub.ForgetPassword(request, timeout=self._timeout)

    async def redeem_code(self, code: str, password: str, address: str) -> str:
        """Set a new password by a mailed code; whose it is. Raises Unauthenticated, RateLimited, ValidationFailed."""
        request = people_service_pb2.RedeemCodeRequest(code=code, password=password, address=address)
        return (await self._stub.RedeemCode(request, timeout=self._timeout)).user_id

    async def reset_password(self, login: str, password: str) -> None:
        """Set anybody's password; all their tokens end. Raises NotFound."""
        request = people_service_pb2.ResetPasswordRequest(login=login, password=password)
        await self._stub.ResetPassword(request, timeout=self._timeout)


def user_to_json(user: people_pb2.User) -> dict[str, Json]:
    vendors: list[Json] = list(user.vendors)
    return {
        "id": user.user_id,
        "username": user.username,
        "email": user.email,
        "isActive": user.active,
        "scope": list(user.scopes),
        "plan": user.plan,
        # One vendor is a word and several are a list, as clients of the public API expect.
        "vendor": vendors[0] if len(vendors) == 1 else vendors,
        "metadata": json_object(user.metadata),
        "created": moment(user, "created_at"),
    }


def _personal_token(token: people_pb2.PersonalToken) -> dict[str, Json]:
    return {
        "id": token.token_id,
        "name": token.name,
        "scope": list(token.scopes),
        "created": moment(token, "created_at"),
        "expiresAt": moment(token, "expires_at"),
    }
