"""headrace.account.v1: decode, call, encode."""

from dataclasses import replace

from headrace.account.v1 import account_service_pb2 as pb
from headrace.account.v1 import account_service_pb2_grpc as grpc_pb
from headrace_core.errors import BadRequest
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.accounts import service
from headrace_flow_manager.accounts.connecting import Connecting
from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.accounts.service import AccountService, ComponentAccount, NewAccount
from headrace_flow_manager.servicer import json_bytes, query_of, scope_of, tenant_of, timestamp

MAX_STANDINGS = 1_000
_STATES = {"valid": pb.ACCOUNT_STATE_VALID, "invalid": pb.ACCOUNT_STATE_INVALID}


class AccountServicer(grpc_pb.AccountServiceServicer):
    """Answers headrace.account.v1.AccountService."""

    def __init__(self, accounts: AccountService, connecting: Connecting) -> None:
        self._accounts = accounts
        self._connecting = connecting

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_AccountServiceServicer_to_server(self, server)

    async def CreateAccount(self, request: pb.CreateAccountRequest, context: object) -> pb.CreateAccountResponse:
        new = NewAccount(
            request.service,
            json_text.decode_object(request.token, "token"),
            request.name,
            request.display_name,
            json_text.decode_object(request.profile_info, "profileInfo") if request.profile_info else None,
            request.validates_scope,
            request.requests_profile_info,
        )
        made = await self._accounts.create(tenant_of(request.scope), new)
        return pb.CreateAccountResponse(account=_shown(made))

    async def GetAccount(self, request: pb.GetAccountRequest, context: object) -> pb.GetAccountResponse:
        found = await self._accounts.get(scope_of(request.scope).readable, request.account_id)
        return pb.GetAccountResponse(account=_shown(found))

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: object) -> pb.ListAccountsResponse:
        page = await self._accounts.page(scope_of(request.scope).readable, query_of(request.query))
        accounts = [_shown(account) for account, _ in page.items]
        icons = [icon if isinstance(icon, str) else "" for _, icon in page.items]
        return pb.ListAccountsResponse(accounts=accounts, total=page.total, icons=icons)

    async def RenameAccount(self, request: pb.RenameAccountRequest, context: object) -> pb.RenameAccountResponse:
        renamed = await self._accounts.rename(tenant_of(request.scope), request.account_id, request.display_name)
        return pb.RenameAccountResponse(account=_shown(renamed))

    async def ShareAccount(self, request: pb.ShareAccountRequest, context: object) -> pb.ShareAccountResponse:
        shared_with = json_text.decode(request.shared_with or b"[]", "sharedWith")
        shared = await self._accounts.share(tenant_of(request.scope), request.account_id, shared_with)
        return pb.ShareAccountResponse(account=_shown(shared))

    async def DeleteAccount(self, request: pb.DeleteAccountRequest, context: object) -> pb.DeleteAccountResponse:
        await self._accounts.delete(tenant_of(request.scope), request.account_id)
        return pb.DeleteAccountResponse()

    async def TestAccount(self, request: pb.TestAccountRequest, context: object) -> pb.TestAccountResponse:
        found = await self._accounts.test(tenant_of(request.scope), request.account_id)
        return pb.TestAccountResponse(account=_shown(found))

    async def ListAccountUses(self, request: pb.ListAccountUsesRequest, context: object) -> pb.ListAccountUsesResponse:
        found = await self._accounts.uses(tenant_of(request.scope), request.account_id)
        return pb.ListAccountUsesResponse(components=map(_component, found))

    async def ListFlowAccounts(
        self, request: pb.ListFlowAccountsRequest, context: object
    ) -> pb.ListFlowAccountsResponse:
        tenant = tenant_of(request.scope)
        components = await self._accounts.of_flow(tenant, request.flow_id)
        accounts = await self._accounts.those(tenant, [each.account_id for each in components])
        shown = [_lent(each, tenant_of(request.scope)) for each in accounts]
        return pb.ListFlowAccountsResponse(components=map(_component, components), accounts=shown)

    async def GetComponentAccount(
        self, request: pb.GetComponentAccountRequest, context: object
    ) -> pb.GetComponentAccountResponse:
        found = await self._accounts.of_component(tenant_of(request.scope), request.flow_id, request.node_id)
        return pb.GetComponentAccountResponse(component=_component(found))

    async def AssignAccount(self, request: pb.AssignAccountRequest, context: object) -> pb.AssignAccountResponse:
        made = await self._accounts.assign(
            tenant_of(request.scope), request.flow_id, request.node_id, request.account_id
        )
        return pb.AssignAccountResponse(component=_component(made))

    async def UnassignAccount(self, request: pb.UnassignAccountRequest, context: object) -> pb.UnassignAccountResponse:
        left = await self._accounts.unassign(tenant_of(request.scope), request.flow_id, request.node_id)
        return pb.UnassignAccountResponse(component=_component(left))

    async def DescribeAuth(self, request: pb.DescribeAuthRequest, context: object) -> pb.DescribeAuthResponse:
        choice = await self._accounts.choice(
            tenant_of(request.scope), request.subject, request.flow_id, request.node_id
        )
        return pb.DescribeAuthResponse(
            service=choice.service,
            auth=json_bytes(choice.described),
            scope=choice.scope,
            accounts=[_lent(each, tenant_of(request.scope)) for each in choice.accounts],
            assigned_account_id=choice.assigned,
        )

    # Connections.

    async def OpenTicket(self, request: pb.OpenTicketRequest, context: object) -> pb.OpenTicketResponse:
        return pb.OpenTicketResponse(ticket=(await self._connecting.open(tenant_of(request.scope))).ticket)

    async def GetTicket(self, request: pb.GetTicketRequest, context: object) -> pb.GetTicketResponse:
        found = await self._connecting.get(tenant_of(request.scope), request.ticket)
        is_done = found.stage == "done"
        return pb.GetTicketResponse(
            finished=found.stage in ("done", "failed"),
            account_id=found.account_id if is_done else "",
            token_id=found.token_id,
            error=found.error,
            updated_at=timestamp(found.updated_at),
        )

    async def BeginConnection(self, request: pb.BeginConnectionRequest, context: object) -> pb.BeginConnectionResponse:
        url = await self._connecting.begin(
            tenant_of(request.scope),
            request.ticket,
            request.subject,
            base_url=request.base_url,
            flow_id=request.flow_id,
            node_id=request.node_id,
            account_id=request.account_id,
        )
        return pb.BeginConnectionResponse(url=url)

    async def EnterConnection(self, request: pb.EnterConnectionRequest, context: object) -> pb.EnterConnectionResponse:
        entered = await self._connecting.enter(request.key, request.segment)
        return pb.EnterConnectionResponse(
            fields=json_bytes(entered.fields),
            browser_key=entered.browser_key,
            service=entered.ticket.service,
            ticket=entered.ticket.ticket,
            owner=entered.owner,
        )

    async def FillConnection(self, request: pb.FillConnectionRequest, context: object) -> pb.FillConnectionResponse:
        fields = json_text.decode_object(request.fields, "fields")
        url, error = await self._connecting.fill(request.ticket, request.browser_key, fields)
        return pb.FillConnectionResponse(redirect_url=url, error=error)

    async def FinishConnection(
        self, request: pb.FinishConnectionRequest, context: object
    ) -> pb.FinishConnectionResponse:
        parameters = json_text.decode_object(request.parameters, "parameters")
        ticket, error = await self._connecting.finish(request.segment, parameters, request.browser_key)
        return pb.FinishConnectionResponse(ticket=ticket, error=error)

    # For the executor.

    async def GetCredentials(self, request: pb.GetCredentialsRequest, context: object) -> pb.GetCredentialsResponse:
        found = await self._accounts.credentials(
            tenant_of(request.scope), request.flow_id, request.node_id, request.service, request.chosen_account_id
        )
        return pb.GetCredentialsResponse(
            account_id=found.account_id,
            token_id=found.token_id,
            auth=b"" if found.auth is None else json_bytes(found.auth),
            config=json_bytes(found.config),
            secrets=found.secrets,
            reason=found.reason,
        )

    async def ReportRejected(self, request: pb.ReportRejectedRequest, context: object) -> pb.ReportRejectedResponse:
        try_again = await self._accounts.rejected(
            tenant_of(request.scope), request.account_id, request.token_id, request.reason
        )
        return pb.ReportRejectedResponse(try_again=try_again)

    async def ListStandings(self, request: pb.ListStandingsRequest, context: object) -> pb.ListStandingsResponse:
        if len(request.account_ids) > MAX_STANDINGS:
            raise BadRequest(f"Ask about {MAX_STANDINGS} accounts at once at most.")
        return pb.ListStandingsResponse(usable=await self._accounts.usable(list(request.account_ids)))


def _shown(account: Account) -> pb.Account:
    return pb.Account(
        account_id=account.account_id,
        tenant_id=account.tenant_id,
        service=account.service,
        auth_type=account.auth_type,
        name=account.name,
        display_name=account.display_name,
        profile_info=json_bytes(account.profile_info),
        scope=account.scope,
        state=_STATES[account.state],
        reason=account.reason,
        token_id=account.token_id,
        expires_at=timestamp(account.expires_at),
        created_at=timestamp(account.created_at),
        updated_at=timestamp(account.updated_at),
        shared_with=json_bytes([dict(each) for each in account.shared_with]),
    )


def _lent(account: Account, tenant: str) -> pb.Account:
    """As somebody sees it who may use it: what is said of its holder, and who else may, is its owner's to know."""
    return _shown(account if account.tenant_id == tenant else replace(account, profile_info={}, shared_with=()))


def _component(found: ComponentAccount) -> pb.ComponentAccount:
    return pb.ComponentAccount(
        flow_id=found.flow.flow_id,
        flow_name=found.flow.name,
        node_id=found.node_id,
        component_type=found.component_type,
        service=found.service,
        account_id=found.account_id,
        is_running=service.is_running(found.flow),
    )
