"""headrace.people.v1: decode, call, encode."""

from collections.abc import Mapping
from datetime import UTC
from typing import Protocol

from headrace.people.v1 import people_pb2
from headrace.people.v1 import people_service_pb2 as pb
from headrace.people.v1 import people_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.people.departure import Departure, Status
from headrace_flow_manager.people.model import Token, User, UserChange
from headrace_flow_manager.people.recovery import Recovery
from headrace_flow_manager.people.service import Authenticator, PeopleService
from headrace_flow_manager.servicer import json_bytes, query_of, timestamp

_STATUSES: Mapping[Status, people_pb2.DepartureStatus.ValueType] = {
    Status.IN_PROGRESS: people_pb2.DEPARTURE_STATUS_IN_PROGRESS,
    Status.COMPLETED: people_pb2.DEPARTURE_STATUS_COMPLETED,
    Status.FAILED: people_pb2.DEPARTURE_STATUS_FAILED,
}


class Departures(Protocol):
    """Removes users."""

    async def begin(self, user_id: str) -> Departure:
        """Begin to remove the user. Raises NotFound and Conflict."""
        ...

    async def get(self, user_id: str, ticket: str) -> Departure:
        """How far it is. Raises NotFound."""
        ...


class Memberships(Protocol):
    """Knows who is in which group."""

    async def of_user(self, user_id: str) -> frozenset[str]:
        """The ids of the groups that the user is in."""
        ...


class PeopleServicer(grpc_pb.PeopleServiceServicer):
    """Answers headrace.people.v1.PeopleService."""

    def __init__(
        self,
        people: PeopleService,
        authenticator: Authenticator,
        recovery: Recovery,
        departures: Departures,
        memberships: Memberships,
    ) -> None:
        self._people = people
        self._authenticator = authenticator
        self._recovery = recovery
        self._departures = departures
        self._memberships = memberships

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_PeopleServiceServicer_to_server(self, server)

    async def SignUp(self, request: pb.SignUpRequest, context: object) -> pb.SignUpResponse:
        metadata = json_text.decode_object(request.metadata, "metadata")
        user, token = await self._people.sign_up(request.username, request.email, request.password, metadata)
        return pb.SignUpResponse(user=_user(user), token=token)

    async def SignIn(self, request: pb.SignInRequest, context: object) -> pb.SignInResponse:
        user, token, expires_at = await self._people.sign_in(request.login, request.password, request.address)
        return pb.SignInResponse(user=_user(user), token=token, expires_at=timestamp(expires_at))

    async def SignInAs(self, request: pb.SignInAsRequest, context: object) -> pb.SignInAsResponse:
        user, token, expires_at = await self._people.sign_in_as(request.user_id, request.actor_id)
        return pb.SignInAsResponse(user=_user(user), token=token, expires_at=timestamp(expires_at))

    async def SignOut(self, request: pb.SignOutRequest, context: object) -> pb.SignOutResponse:
        await self._people.sign_out(request.token)
        return pb.SignOutResponse()

    async def SignOutEverywhere(
        self, request: pb.SignOutEverywhereRequest, context: object
    ) -> pb.SignOutEverywhereResponse:
        return pb.SignOutEverywhereResponse(ended=await self._people.sign_out_everywhere(request.user_id))

    async def Authenticate(self, request: pb.AuthenticateRequest, context: object) -> pb.AuthenticateResponse:
        user, expires_at, impersonator_id = await self._authenticator.authenticate(request.token)
        groups = sorted(await self._memberships.of_user(user.user_id))
        return pb.AuthenticateResponse(
            user=_user(user), expires_at=timestamp(expires_at), groups=groups, impersonator_id=impersonator_id
        )

    async def GetUser(self, request: pb.GetUserRequest, context: object) -> pb.GetUserResponse:
        return pb.GetUserResponse(user=_user(await self._people.get(request.user_id)))

    async def ListUsers(self, request: pb.ListUsersRequest, context: object) -> pb.ListUsersResponse:
        page = await self._people.page(query_of(request.query))
        return pb.ListUsersResponse(users=map(_user, page.items), total=page.total)

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: object) -> pb.UpdateUserResponse:
        change = UserChange(
            email=request.email if request.HasField("email") else None,
            scopes=tuple(request.scopes) if request.replace_scopes else None,
            vendors=tuple(request.vendors) if request.replace_vendors else None,
            metadata=json_text.decode_object(request.metadata, "metadata") if request.HasField("metadata") else None,
            active=request.active if request.HasField("active") else None,
            expected=request.expected_tag,
        )
        return pb.UpdateUserResponse(user=_user(await self._people.update(request.user_id, change)))

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: object) -> pb.DeleteUserResponse:
        return pb.DeleteUserResponse(departure=_departure(await self._departures.begin(request.user_id)))

    async def GetDeparture(self, request: pb.GetDepartureRequest, context: object) -> pb.GetDepartureResponse:
        found = await self._departures.get(request.user_id, request.ticket)
        return pb.GetDepartureResponse(departure=_departure(found))

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: object) -> pb.ChangePasswordResponse:
        await self._people.change_password(
            request.user_id, request.old_password, request.new_password, request.keep_token
        )
        return pb.ChangePasswordResponse()

    async def CreatePersonalToken(
        self, request: pb.CreatePersonalTokenRequest, context: object
    ) -> pb.CreatePersonalTokenResponse:
        token, secret = await self._people.create_personal(
            request.user_id,
            request.name,
            tuple(request.scopes),
            request.expires_at.ToDatetime(tzinfo=UTC) if request.HasField("expires_at") else None,
            frozenset(request.caller_scopes),
        )
        return pb.CreatePersonalTokenResponse(token=_personal(token), secret=secret)

    async def ListPersonalTokens(
        self, request: pb.ListPersonalTokensRequest, context: object
    ) -> pb.ListPersonalTokensResponse:
        tokens = await self._people.personal_tokens(request.user_id)
        return pb.ListPersonalTokensResponse(tokens=map(_personal, tokens))

    async def RevokePersonalToken(
        self, request: pb.RevokePersonalTokenRequest, context: object
    ) -> pb.RevokePersonalTokenResponse:
        await self._people.revoke_personal(request.user_id, request.token_id)
        return pb.RevokePersonalTokenResponse()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: object) -> pb.ResetPasswordResponse:
        await self._people.reset_password(request.login, request.password)
        return pb.ResetPasswordResponse()

    async def ForgetPassword(self, request: pb.ForgetPasswordRequest, context: object) -> pb.ForgetPasswordResponse:
        await self._recovery.ask(request.email, request.address)
        return pb.ForgetPasswordResponse()

    async def RedeemCode(self, request: pb.RedeemCodeRequest, context: object) -> pb.RedeemCodeResponse:
        user = await self._recovery.redeem(request.code, request.password, request.address)
        return pb.RedeemCodeResponse(user_id=user.user_id)

    async def EnsureAdministrator(
        self, request: pb.EnsureAdministratorRequest, context: object
    ) -> pb.EnsureAdministratorResponse:
        user = await self._people.ensure_administrator(request.email, request.password)
        return pb.EnsureAdministratorResponse(created=user is not None, user=None if user is None else _user(user))


def _user(user: User) -> people_pb2.User:
    return people_pb2.User(
        user_id=user.user_id,
        username=user.username,
        email=user.email,
        active=user.active,
        scopes=user.scopes,
        vendors=user.vendors,
        plan=user.plan,
        metadata=json_bytes(user.metadata or {}),
        created_at=timestamp(user.created_at),
        tag=user.tag,
    )


def _personal(token: Token) -> people_pb2.PersonalToken:
    assert token.personal is not None, "only personal tokens are shown"
    return people_pb2.PersonalToken(
        token_id=token.personal.token_id,
        name=token.personal.name,
        scopes=token.personal.scopes,
        created_at=timestamp(token.created_at),
        expires_at=timestamp(token.expires_at),
    )


def _departure(departure: Departure) -> people_pb2.Departure:
    return people_pb2.Departure(
        ticket=departure.ticket,
        user_id=departure.user_id,
        status=_STATUSES[departure.status],
        steps_done=departure.steps_done,
        steps_total=departure.steps_total,
        error=departure.error,
    )
