"""Accounts, and connections on their way to one."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from headrace.account.v1 import account_service_pb2 as pb
from headrace.account.v1.account_service_pb2_grpc import AccountServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import moment, query_to_proto, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery

SLOW_SECONDS = 90.0
"""For calls that ask a service of somebody else, which may be slow."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How accounts of a service are opened, and which there are."""

    service: str
    auth: dict[str, Json]
    scope: list[str]
    accounts: list[dict[str, Json]]
    assigned: str


@dataclass(frozen=True, slots=True)
class Component:
    """A node that needs an account, and where it is."""

    node: tuple[str, str, str]  # flow, node, component type
    service: str
    account_id: str
    flow: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Entered:
    """A page of a connection: whose account it becomes, and the fields to ask for."""

    fields: dict[str, Json]
    browser_key: str
    service: str
    ticket: str
    owner: str


class AccountClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = AccountServiceStub(channel)
        self._timeout = timeout_seconds
        self._patience = max(timeout_seconds, SLOW_SECONDS)

    async def create(
        self, scope: Scope, document: Mapping[str, Json], *, validates_scope: bool, requests_profile_info: bool
    ) -> dict[str, Json]:
        """Keep an account that its service accepts. Raises ValidationFailed, NotFound, Conflict and Unavailable."""
        profile = document.get("profileInfo")
        request = pb.CreateAccountRequest(
            scope=scope_to_proto(scope),
            service=str(document["service"]),
            token=orjson.dumps(document["token"]),
            name=str(document.get("name") or ""),
            display_name=str(document.get("displayName") or ""),
            profile_info=b"" if profile is None else orjson.dumps(profile),
            validates_scope=validates_scope,
            requests_profile_info=requests_profile_info,
        )
        return _account((await self._stub.CreateAccount(request, timeout=self._patience)).account)

    async def get(self, scope: Scope, account_id: str) -> dict[str, Json]:
        """The account. Raises NotFound."""
        request = pb.GetAccountRequest(scope=scope_to_proto(scope), account_id=account_id)
        return _account((await self._stub.GetAccount(request, timeout=self._timeout)).account)

    async def page(self, scope: Scope, query: ListQuery) -> tuple[list[dict[str, Json]], int]:
        """A page of accounts with the icons of their services, and how many match."""
        request = pb.ListAccountsRequest(scope=scope_to_proto(scope), query=query_to_proto(query))
        answer = await self._stub.ListAccounts(request, timeout=self._timeout)
        shown = zip(answer.accounts, answer.icons, strict=True)
        return [{**_account(each), "icon": icon or None} for each, icon in shown], answer.total

    async def rename(self, scope: Scope, account_id: str, display_name: str) -> dict[str, Json]:
        """Change what people read. Raises NotFound and ValidationFailed."""
        request = pb.RenameAccountRequest(scope=scope_to_proto(scope), account_id=account_id, display_name=display_name)
        return _account((await self._stub.RenameAccount(request, timeout=self._timeout)).account)

    async def share(self, scope: Scope, account_id: str, shared_with: Json) -> dict[str, Json]:
        """Say whose flows may use it, too. Raises NotFound and ValidationFailed."""
        request = pb.ShareAccountRequest(
            scope=scope_to_proto(scope), account_id=account_id, shared_with=orjson.dumps(shared_with)
        )
        return _account((await self._stub.ShareAccount(request, timeout=self._timeout)).account)

    async def delete(self, scope: Scope, account_id: str) -> None:
        """Stop what uses it, and forget it. Raises NotFound."""
        request = pb.DeleteAccountRequest(scope=scope_to_proto(scope), account_id=account_id)
        await self._stub.DeleteAccount(request, timeout=self._patience)

    async def test(self, scope: Scope, account_id: str) -> dict[str, Json]:
        """The account as its service sees it. Raises NotFound, Conflict and Unavailable."""
        request = pb.TestAccountRequest(scope=scope_to_proto(scope), account_id=account_id)
        return _account((await self._stub.TestAccount(request, timeout=self._patience)).account)

    async def uses(self, scope: Scope, account_id: str) -> list[Component]:
        """The components that it is assigned to. Raises NotFound."""
        request = pb.ListAccountUsesRequest(scope=scope_to_proto(scope), account_id=account_id)
        answer = await self._stub.ListAccountUses(request, timeout=self._timeout)
        return [_component(each) for each in answer.components]

    async def of_flow(self, scope: Scope, flow_id: str) -> tuple[list[Component], list[dict[str, Json]]]:
        """The components of a flow that need accounts, and the accounts that they have. Raises NotFound."""
        request = pb.ListFlowAccountsRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        answer = await self._stub.ListFlowAccounts(request, timeout=self._timeout)
        return [_component(each) for each in answer.components], [_account(each) for each in answer.accounts]

    async def assigned(self, scope: Scope, flow_id: str, node_id: str) -> str:
        """The account that a component uses. Raises NotFound."""
        request = pb.GetComponentAccountRequest(scope=scope_to_proto(scope), flow_id=flow_id, node_id=node_id)
        return (await self._stub.GetComponentAccount(request, timeout=self._timeout)).component.account_id

    async def assign(self, scope: Scope, flow_id: str, node_id: str, account_id: str) -> Component:
        """Let a component use an account. Raises NotFound and Conflict."""
        request = pb.AssignAccountRequest(
            scope=scope_to_proto(scope), flow_id=flow_id, node_id=node_id, account_id=account_id
        )
        return _component((await self._stub.AssignAccount(request, timeout=self._timeout)).component)

    async def unassign(self, scope: Scope, flow_id: str, node_id: str) -> Component:
        """Let a component use none. Raises NotFound."""
        request = pb.UnassignAccountRequest(scope=scope_to_proto(scope), flow_id=flow_id, node_id=node_id)
        return _component((await self._stub.UnassignAccount(request, timeout=self._timeout)).component)

    async def choice(self, scope: Scope, subject: str, flow_id: str, node_id: str) -> Choice:
        """How accounts of a component or service are opened, and which there are. Raises NotFound."""
        request = pb.DescribeAuthRequest(scope=scope_to_proto(scope), subject=subject, flow_id=flow_id, node_id=node_id)
        answer = await self._stub.DescribeAuth(request, timeout=self._patience)
        return Choice(
            answer.service,
            orjson.loads(answer.auth),
            list(answer.scope),
            [_account(each) for each in answer.accounts],
            answer.assigned_account_id,
        )

    # Connections.

    async def open_ticket(self, scope: Scope) -> str:
        """A new ticket. Raises RateLimited."""
        return (
            await self._stub.OpenTicket(pb.OpenTicketRequest(scope=scope_to_proto(scope)), timeout=self._timeout)
        ).ticket

    async def ticket(self, scope: Scope, ticket: str) -> dict[str, Json]:
        """How far a connection is. Raises NotFound."""
        answer = await self._stub.GetTicket(
            pb.GetTicketRequest(scope=scope_to_proto(scope), ticket=ticket), timeout=self._timeout
        )
        return {
            "accountId": answer.account_id or None,
            "tokenId": answer.token_id or None,
            "finished": answer.finished,
            "updatedAt": moment(answer, "updated_at"),
            **({"error": answer.error} if answer.error else {}),
        }

    async def begin(
        self,
        scope: Scope,
        ticket: str,
        subject: str,
        *,
        base_url: str,
        flow_id: str,
        node_id: str,
        account_id: str,
    ) -> str:
        """The address of the page that goes on. Raises NotFound, Conflict and Unavailable."""
        request = pb.BeginConnectionRequest(
            scope=scope_to_proto(scope),
            ticket=ticket,
            subject=subject,
            flow_id=flow_id,
            node_id=node_id,
            account_id=account_id,
            base_url=base_url,
        )
        return (await self._stub.BeginConnection(request, timeout=self._patience)).url

    async def enter(self, key: str, segment: str) -> Entered:
        """Open that page, once. Raises Unauthenticated."""
        request = pb.EnterConnectionRequest(key=key, segment=segment)
        answer = await self._stub.EnterConnection(request, timeout=self._patience)
        fields = orjson.loads(answer.fields)
        return Entered(fields, answer.browser_key, answer.service, answer.ticket, answer.owner)

    async def fill(self, ticket: str, browser_key: str, fields: Mapping[str, Json]) -> tuple[str, str]:
        """What a form was filled with: where to go on, or why there is no account. Raises Unauthenticated."""
        request = pb.FillConnectionRequest(ticket=ticket, browser_key=browser_key, fields=orjson.dumps(dict(fields)))
        answer = await self._stub.FillConnection(request, timeout=self._patience)
        return answer.redirect_url, answer.error

    async def finish(self, segment: str, parameters: Mapping[str, Json], browser_key: str) -> tuple[str, str]:
        """What a service sent the browser back with: the ticket, and why there is no account.

        Raises Unauthenticated when it belongs to no connection of this browser.
        """
        request = pb.FinishConnectionRequest(
            segment=segment, parameters=orjson.dumps(dict(parameters)), browser_key=browser_key
        )
        answer = await self._stub.FinishConnection(request, timeout=self._patience)
        return answer.ticket, answer.error


def _account(account: pb.Account) -> dict[str, Json]:
    is_valid = account.state == pb.ACCOUNT_STATE_VALID
    return {
        "accountId": account.account_id,
        "tokenId": account.token_id,
        "userId": account.tenant_id,
        "service": account.service,
        "type": account.auth_type,
        "name": account.name,
        "displayName": account.display_name or None,
        "label": account.display_name or account.name,
        "profileInfo": orjson.loads(account.profile_info),
        "scope": list(account.scope),
        "state": "valid" if is_valid else "invalid",
        "accessTokenValid": is_valid,
        "reason": account.reason or None,
        "expires": moment(account, "expires_at"),
        "created": moment(account, "created_at"),
        "mtime": moment(account, "updated_at"),
        "sharedWith": orjson.loads(account.shared_with or b"[]"),
    }


def _component(found: pb.ComponentAccount) -> Component:
    flow: dict[str, Json] = {
        "flowId": found.flow_id,
        "name": found.flow_name,
        "stage": "running" if found.is_running else "stopped",
    }
    return Component((found.flow_id, found.node_id, found.component_type), found.service, found.account_id, flow)
