"""What can be done with accounts that are there, and how one is made of fields that the caller has."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, HeadraceError, NotFound, Problem, ValidationFailed
from headrace_core.flow import normalize_type
from headrace_core.ids import new_id

from headrace_flow_manager.accounts import model, sharing
from headrace_flow_manager.accounts.book import AccountBook, Use
from headrace_flow_manager.accounts.model import Account, Tokens
from headrace_flow_manager.accounts.modules import AuthModules, Opening, client_of, refused
from headrace_flow_manager.accounts.store import ABSENT, AccountNews, Broken, Rejected
from headrace_flow_manager.accounts.tokens import TokenKeeper, tokens_of
from headrace_flow_manager.flows.arrivals import Arrivals
from headrace_flow_manager.flows.model import Flow, Stage
from headrace_flow_manager.flows.needs import Need
from headrace_flow_manager.flows.store import FlowStore, Guests
from headrace_flow_manager.query import Condition, ListQuery, Page, Selection, SortKey
from headrace_flow_manager.scope import Tenants

AT_ONCE: Final = 100
Stop = Callable[[str, str], Awaitable[object]]
"""Stops a tenant's flow, by tenant and flow."""


@dataclass(frozen=True, slots=True)
class ComponentAccount:
    """A component that needs an account, and the one it uses."""

    flow: Flow
    node_id: str
    component_type: str
    service: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Choice:
    """How accounts of a service are opened, and which there are."""

    service: str
    described: Mapping[str, Json]
    scope: tuple[str, ...]
    accounts: Sequence[Account]
    assigned: str


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account as a caller gives it."""

    service: str
    token: Mapping[str, Json]
    name: str = ""
    display_name: str = ""
    profile_info: Mapping[str, Json] | None = None
    validates_scope: bool = False
    requests_profile_info: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a component's account is opened with. Without `auth` there is none, for that reason."""

    account_id: str
    token_id: str
    auth: Mapping[str, Json] | None
    config: Mapping[str, Json]
    secrets: Sequence[str]
    reason: str


class AccountService:
    """Accounts of tenants."""

    def __init__(
        self,
        book: AccountBook,
        modules: AuthModules,
        tokens: TokenKeeper,
        flows: FlowStore,
        guests: Guests,
        stop: Stop,
        arrivals: Arrivals,
        news: AccountNews,
        clock: Clock,
    ) -> None:
        self._book = book
        self._modules = modules
        self._tokens = tokens
        self._flows = flows
        self._guests = guests
        self._stop = stop
        self._arrivals = arrivals
        self._news = news
        self._clock = clock

    # Accounts.

    async def create(self, tenant: str, new: NewAccount) -> Account:
        """Keep an account of fields that the caller has, once its service accepts them.

        Raises NotFound for a service without accounts, ValidationFailed, Conflict, TooLarge, Unavailable.
        """
        model.check_name(new.name, "name")
        opening = await self._modules.opening(tenant, new.service)
        tokens, scope = await self._opened(tenant, opening, new)
        if new.validates_scope:
            await self._check_scope(tenant, new.service, scope)
        profile = new.profile_info or {}
        if new.profile_info is None or new.requests_profile_info:
            profile = await self.profile(tenant, opening, tokens.secrets)
        name = new.name or await self.name(tenant, opening, tokens.secrets, profile)
        return await self.keep(tenant, opening, tokens, scope, name, profile, new.display_name)

    async def keep(
        self,
        tenant: str,
        opening: Opening,
        tokens: Tokens,
        scope: tuple[str, ...],
        name: str,
        profile: Mapping[str, Json],
        display_name: str = "",
        account_id: str = "",
    ) -> Account:
        """Keep what a service accepted: as the account of that id, else the one of that name, else as a new one.

        Raises NotFound when there is none of that id, Conflict when it is somebody else's at the service.
        """
        name = name[: model.MAX_NAME]
        model.check_name(display_name, "displayName")
        known = await self._known(tenant, opening.service, name, account_id)
        if known is not None:
            return await self._reconnect(known, tokens, scope, name, profile, display_name)
        fresh = new_id()
        now = self._clock.now()
        account = Account(
            account_id=fresh,
            tenant_id=tenant,
            service=opening.service,
            auth_type=opening.auth_type,
            name=name,
            display_name=display_name,
            profile_info=profile,
            scope=scope,
            state="valid",
            reason="",
            token_id=new_id(),
            expires_at=tokens.expires_at,
            refresh_before=_refresh_before(opening),
            can_refresh=tokens.can_refresh,
            token_at=now,
            was_rejected=False,
            created_at=now,
            updated_at=now,
            sealed=await self._book.seal(tenant, fresh, tokens.secrets),
        )
        await self._news.connecting(account)
        await self._book.add(account)
        return account

    async def get(self, tenants: Tenants, account_id: str) -> Account:
        """The account. Raises NotFound."""
        return await self._book.get(tenants, account_id)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[tuple[Account, Json]]:
        """A page with the icons of the services, by service and name where the query names no order.

        Fields are those of `model.public`, and `icon`.
        """
        selection = Selection(query, names=("label", "name", "service"))
        accounts = await self._book.all(tenants)
        icons = {owner: await self._modules.icons(owner) for owner in {each.tenant_id for each in accounts}}
        shown = ((each, icons[each.tenant_id].get(each.service)) for each in accounts)
        return selection.page((found, {**model.public(found[0]), "icon": found[1]}) for found in shown)

    async def those(self, tenant: str, account_ids: Sequence[str]) -> Sequence[Account]:
        """Those of these accounts that the tenant may use."""
        found = []
        for account_id in dict.fromkeys(account_ids):
            try:
                found.append(await self._for_use(tenant, account_id))
            except NotFound:
                continue
        return found

    async def share(self, tenant: str, account_id: str, shared_with: Json) -> Account:
        """Say whose flows may use the account, too. Raises NotFound, ValidationFailed."""
        return await self._book.share(tenant, account_id, sharing.checked(shared_with))

    async def rename(self, tenant: str, account_id: str, display_name: str) -> Account:
        """Change what people read. Raises NotFound, ValidationFailed."""
        name = model.check_name(display_name.strip(), "displayName")
        now = self._clock.now()
        return await self._book.change(
            tenant,
            account_id,
            lambda kept: kept if kept.display_name == name else replace(kept, display_name=name, updated_at=now),
        )

    async def delete(self, tenant: str, account_id: str) -> None:
        """Stop the flows that use the account, and forget it. Raises NotFound."""
        account = await self._book.get(tenant, account_id)
        for owner, flow_id in dict.fromkeys((owner, use.flow_id) for owner, use in await self._book.all_uses(account)):
            try:
                await self._stop(owner, flow_id)
            except NotFound:
                continue
        await self._book.delete(account)
        await self._news.accepted(account)  # nobody waits for it any more

    async def test(self, tenant: str, account_id: str) -> Account:
        """Ask the service whether it accepts the account, and note what it says. Raises NotFound, Unavailable."""
        account = await self._tokens.fresh(await self._book.get(tenant, account_id))
        if account.state == "invalid":
            return account
        opening = await self._modules.opening(tenant, account.service)
        step = "validateAccessToken" if account.auth_type in ("oauth", "oauth2") else "validate"
        try:
            found = await self._modules.call(tenant, opening, step, await self._given(account))
        except Rejected as error:
            found, said = False, str(error)
        except Broken as error:
            if step == "validateAccessToken":
                raise Conflict(f"{account.service} could not be asked about the account: {error}") from None
            found, said = False, str(error)
        else:
            said = ""
        if found is False:
            await self._tokens.rejected(tenant, account_id, account.token_id, said)
        return await self._book.get(tenant, account_id)

    # What uses them.

    async def uses(self, tenant: str, account_id: str) -> Sequence[ComponentAccount]:
        """The components that an account is assigned to. Raises NotFound."""
        account = await self._book.get(tenant, account_id)
        found = []
        for use in await self._book.uses(tenant, account_id):
            try:
                flow = await self._flows.get(tenant, use.flow_id)
            except NotFound:
                continue
            kind = _type_of(flow.descriptor.get(use.node_id))
            if kind:
                found.append(ComponentAccount(flow, use.node_id, kind, account.service, account_id))
        return found

    async def of_flow(self, tenant: str, flow_id: str) -> Sequence[ComponentAccount]:
        """The components of a flow that need accounts. Raises NotFound."""
        return await self._of(await self._flows.get(tenant, flow_id))

    async def needs(self, flow: Flow) -> Sequence[Need]:
        """The steps of the flow, as its descriptor says here, that act with accounts."""
        return [Need(each.node_id, each.service, each.account_id) for each in await self._of(flow)]

    async def hand_over(self, tenant: str, flow_id: str, node_id: str, account_id: str) -> None:
        """Let the step use the account, which another step of the flow uses already."""
        await self._book.assign(tenant, Use(flow_id, node_id, account_id))

    async def of_component(self, tenant: str, flow_id: str, node_id: str) -> ComponentAccount:
        """A component and the account it uses. Raises NotFound."""
        flow = await self.flow_of(tenant, flow_id, node_id)
        kind = _type_of(flow.descriptor[node_id])
        service, assigned = await self._service_of(tenant, kind), await self._assigned(tenant, flow, node_id)
        return ComponentAccount(flow, node_id, kind, service, assigned)

    async def assign(self, tenant: str, flow_id: str, node_id: str, account_id: str) -> ComponentAccount:
        """Let a component use an account; a flow that waited for this one alone goes on with its newest version.

        Raises NotFound, Conflict for an account of another service.
        """
        account = await self._for_use(tenant, account_id)
        flow = await self.flow_of(tenant, flow_id, node_id)
        kind = _type_of(flow.descriptor[node_id])
        service = await self._service_of(tenant, kind)
        if service != account.service:
            needs = f"needs one of {service}" if service else "needs no account"
            raise Conflict(f"The account is one of {account.service}, and {kind} {needs}.")
        expected = await self._arrivals.expect(flow)
        await self._book.assign(tenant, Use(flow.flow_id, node_id, account_id))
        await self._arrivals.came(flow, expected)
        return ComponentAccount(flow, node_id, kind, service, account_id)

    async def unassign(self, tenant: str, flow_id: str, node_id: str) -> ComponentAccount:
        """Let a component use none. Raises NotFound for the component."""
        flow = await self.flow_of(tenant, flow_id, node_id)
        kind = _type_of(flow.descriptor[node_id])
        await self._book.unassign(tenant, flow.flow_id, node_id)
        return ComponentAccount(flow, node_id, kind, await self._service_of(tenant, kind), "")

    async def flow_of(self, tenant: str, flow_id: str, node_id: str) -> Flow:
        """The flow that has the component; of several, the one that was made last. Raises NotFound."""
        if flow_id:
            flow = await self._flows.get(tenant, flow_id)
            if node_id in flow.descriptor:
                return flow
            raise NotFound("component", node_id[:256])
        found: Flow | None = None
        after = ""
        while flows := (await self._flows.page(tenant, _after(after))).items:
            found = next((each for each in reversed(flows) if node_id in each.descriptor), found)
            after = flows[-1].flow_id
        if found is None:
            raise NotFound("component", node_id[:256])
        return found

    async def choice(self, tenant: str, subject: str, flow_id: str, node_id: str) -> Choice:
        """How accounts for a component or service are opened, and which there are. Raises NotFound."""
        service, needed = await self._modules.service_of(tenant, subject)
        opening = await self._modules.opening(tenant, service)
        assigned = ""
        if node_id:
            try:
                assigned = await self._assigned(tenant, await self.flow_of(tenant, flow_id, node_id), node_id)
            except NotFound:
                assigned = ""  # it is not saved yet
        scope = tuple(dict.fromkeys((*opening.scope, *needed)))
        described = {**opening.described, "auth": dict(opening.fields)}
        accounts = [*await self._book.all(tenant, service), *await self._shared_with(tenant, service)]
        return Choice(service, described, scope, accounts, assigned)

    # For the executor.

    async def credentials(self, tenant: str, flow_id: str, node_id: str, service: str, chosen: str) -> Credentials:
        """What a component's account is opened with, fresh. Raises Unavailable, Conflict."""
        config = await self._modules.config(service)
        hidden = model.hidden_values({"config": dict(config)})
        if node_id and not flow_id:  # a form asks, which names the component alone
            flow_id, chosen = await self._found(tenant, node_id)
        account_id = await self._book.assigned(tenant, flow_id, node_id) or chosen
        if not account_id:
            return Credentials("", "", None, config, hidden, f"No account of {service} is assigned to it.")
        try:
            account = await self._for_use(tenant, account_id)
        except NotFound:
            said = f"The account of {service} it used is gone, or no longer shared with the flow's owner."
            return Credentials("", "", None, config, hidden, said)
        if account.service != service:
            return Credentials("", "", None, config, hidden, f"Its account is one of {account.service}.")
        account = await self._tokens.fresh(account)
        if account.state == "invalid":
            return Credentials(account_id, account.token_id, None, config, hidden, account.reason)
        secrets = await self._book.open(account)
        auth = {**config, **_as_component_sees(account, secrets, config)}
        hidden = sorted({*hidden, *model.hidden_values(secrets)})
        return Credentials(account_id, account.token_id, auth, config, hidden, "")

    async def _found(self, tenant: str, node_id: str) -> tuple[str, str]:
        """The flow of a component, and the account that its descriptor names."""
        try:
            flow = await self.flow_of(tenant, "", node_id)
        except NotFound:
            return "", ""
        return flow.flow_id, chosen_in(flow.descriptor.get(node_id))

    async def rejected(self, tenant: str, account_id: str, token_id: str, reason: str) -> bool:
        """A service did not accept what was handed over. Whether there is something else to try with."""
        try:
            account = await self._for_use(tenant, account_id)
            return await self._tokens.rejected(account.tenant_id, account_id, token_id, reason)
        except NotFound:
            return False

    async def _for_use(self, tenant: str, account_id: str) -> Account:
        """An account that flows of the tenant may act with: its own, or one that is shared with it. Raises NotFound."""
        account = await self._book.standing(account_id)
        if account is not None and account.tenant_id == tenant:
            return account
        if account is None or not sharing.names(account.shared_with, await self._guests.guest(tenant)):
            raise NotFound("account", account_id[:100])
        return account

    async def _shared_with(self, tenant: str, service: str) -> Sequence[Account]:
        shared = [each for each in await self._book.shared(service) if each.tenant_id != tenant]
        guest = await self._guests.guest(tenant) if shared else None
        return [each for each in shared if sharing.names(each.shared_with, guest)]

    async def usable(self, account_ids: Sequence[str]) -> Sequence[str]:
        """Those that nobody need wait for: accepted, or no more there."""
        found = []
        for account_id in account_ids[: model.MAX_ACCOUNTS]:
            account = await self._book.standing(account_id)
            if account is None or account.state == "valid":
                found.append(account_id)
        return found

    # What auth modules say of accounts.

    async def profile(self, tenant: str, opening: Opening, secrets: Mapping[str, Json]) -> Mapping[str, Json]:
        """What the service says of the account's holder; nothing where the module does not ask."""
        try:
            found = await self._modules.call(tenant, opening, "requestProfileInfo", secrets)
        except (Rejected, Broken) as error:
            raise refused(opening.service, str(error)) from None
        return found if isinstance(found, dict) else {}

    async def name(
        self, tenant: str, opening: Opening, secrets: Mapping[str, Json], profile: Mapping[str, Json]
    ) -> str:
        """What the service calls the account. A secret is no name."""
        given = {**secrets, "profileInfo": dict(profile)}
        for step in ("accountNameFromProfileInfo", "emailFromProfileInfo"):
            try:
                found = await self._modules.call(tenant, opening, step, given)
            except (Rejected, Broken, HeadraceError):
                continue
            if found not in (ABSENT, None, "") and isinstance(found, str | int | float):
                return _without_secrets(str(found), secrets)
        return opening.service

    async def _opened(self, tenant: str, opening: Opening, new: NewAccount) -> tuple[Tokens, tuple[str, ...]]:
        """What the account is opened with. Raises ValidationFailed when fields are missing or not accepted."""
        token = new.token
        listed = token.get("scope")
        scope = tuple(str(each) for each in listed) if isinstance(listed, list) else ()
        if opening.auth_type in ("oauth", "oauth2"):
            if not token.get("accessToken"):
                problem = Problem("token.accessToken", "There is none.", "Give it.", field="token.accessToken")
                raise ValidationFailed([problem])
            given = {**token, "accessTokenExpDate": token.get("accessTokenExpDate", token.get("expDate"))}
            await self._modules.checked(tenant, opening, "validateAccessToken", token)
            return tokens_of(opening.auth_type, given, {}, self._clock), scope
        missing = [
            Problem(f"token.{name}", "It is missing.", f"Give {name}.", field=f"token.{name}")
            for name, field in opening.fields.items()
            if token.get(name) in (None, "") and not _is_optional(field)
        ]
        if missing:
            raise ValidationFailed(missing)
        given = {name: value for name, value in token.items() if name != "scope"}
        found = await self._modules.checked(tenant, opening, "validate", given)
        answer = found if opening.auth_type == "pwd" and isinstance(found, dict) else {}
        return (tokens_of("pwd", answer, given, self._clock) if answer else Tokens(given, None, False)), scope

    async def _check_scope(self, tenant: str, service: str, scope: tuple[str, ...]) -> None:
        _, needed = await self._modules.service_of(tenant, service)
        lacking = [each for each in needed if each not in scope]
        if lacking:
            said = f"The components of {service} need more: {', '.join(lacking)[:500]}."
            raise ValidationFailed([Problem("token.scope", said, "Connect it with that scope.", field="token.scope")])

    async def _known(self, tenant: str, service: str, name: str, account_id: str) -> Account | None:
        if account_id:
            account = await self._book.get(tenant, account_id)
            if account.service != service:
                raise Conflict(f"The account is one of {account.service}, not of {service}.")
            if name != account.name and service not in (name, account.name):
                raise Conflict(f"That is {name}, and the account is {account.name}: connect it as a new one.")
            return account
        if not name or name == service:
            return None  # nothing tells it from another
        return next((each for each in await self._book.all(tenant, service) if each.name == name), None)

    async def _reconnect(
        self,
        known: Account,
        tokens: Tokens,
        scope: tuple[str, ...],
        name: str,
        profile: Mapping[str, Json],
        display_name: str,
    ) -> Account:
        sealed = await self._book.seal(known.tenant_id, known.account_id, tokens.secrets)

        def change(kept: Account) -> Account:
            after = model.with_tokens(kept, sealed, tokens, self._clock.now(), was_rejected=False)
            shown = display_name or kept.display_name
            return replace(after, name=name or kept.name, scope=scope, profile_info=profile, display_name=shown)

        await self._news.connecting(known)
        after = await self._book.change(known.tenant_id, known.account_id, change)
        await self._news.accepted(after)
        return after

    async def _given(self, account: Account) -> dict[str, Json]:
        return {
            **await self._book.open(account),
            "scope": list(account.scope),
            "profileInfo": dict(account.profile_info),
            "userId": account.tenant_id,
        }

    async def _service_of(self, tenant: str, kind: str) -> str:
        try:
            return (await self._modules.service_of(tenant, kind))[0] if kind else ""
        except NotFound:
            return ""

    async def _of(self, flow: Flow) -> Sequence[ComponentAccount]:
        found = []
        for node_id, node in flow.descriptor.items():
            service = await self._service_of(flow.tenant_id, _type_of(node))
            if service:
                assigned = await self._assigned(flow.tenant_id, flow, node_id)
                found.append(ComponentAccount(flow, node_id, normalize_type(_type_of(node)), service, assigned))
        return found

    async def _assigned(self, tenant: str, flow: Flow, node_id: str) -> str:
        return await self._book.assigned(tenant, flow.flow_id, node_id) or chosen_in(flow.descriptor.get(node_id))


def chosen_in(node: Json) -> str:
    """The account that a descriptor names for a node; "" for none."""
    config = node.get("config") if isinstance(node, dict) else None
    auth = config.get("auth") if isinstance(config, dict) else None
    found = auth.get("accountId") if isinstance(auth, dict) else None
    return found if isinstance(found, str) else ""


def stopper(stop: Callable[..., Awaitable[object]], find: Callable[[str, str], Awaitable[Flow]]) -> Stop:
    """Stops a tenant's flow as long as the tenant has it."""

    async def stopped(tenant: str, flow_id: str) -> None:
        await stop(flow_id, partial(find, tenant, flow_id))

    return stopped


def is_running(flow: Flow) -> bool:
    """Whether a flow takes events."""
    return flow.stage is Stage.RUNNING


def _as_component_sees(account: Account, secrets: Mapping[str, Json], config: Mapping[str, Json]) -> dict[str, Json]:
    """What `context.auth` of the map §3.2 holds."""
    about: dict[str, Json] = {
        "service": account.service,
        "userId": account.tenant_id,
        "accountId": account.account_id,
        "tokenId": account.token_id,
        "profileInfo": dict(account.profile_info),
        "scope": list(account.scope),
    }
    if account.auth_type in ("oauth", "oauth2"):
        names = ("clientId", "clientSecret") if account.auth_type == "oauth2" else ("consumerKey", "consumerSecret")
        about |= {name: value for name, value in zip(names, client_of(config), strict=True) if value is not None}
        about["expDate"] = int(account.expires_at.timestamp() * 1000) if account.expires_at else None
    return {**about, **secrets}


def _refresh_before(opening: Opening) -> timedelta:
    given, unit = opening.described.get("refreshBeforeExp"), opening.described.get("refreshBeforeExpUnits")
    if isinstance(given, bool) or not isinstance(given, int | float) or given <= 0:
        return model.REFRESH_BEFORE
    seconds = {"seconds": 1, "hours": 3600}.get(str(unit), 60) * given
    return timedelta(seconds=min(seconds, 86_400))


def _without_secrets(name: str, secrets: Mapping[str, Json]) -> str:
    """A name in which no secret stands: of one that does, its last characters are left."""
    for each in model.hidden_values(secrets):
        name = name.replace(each, f"…{each[-3:]}" if len(each) > 12 else "…")
    return name


def _is_optional(field: Json) -> bool:
    return isinstance(field, dict) and (field.get("required") is False or field.get("type") in ("select", "hidden"))


def _type_of(node: Json) -> str:
    found = node.get("type") if isinstance(node, dict) else None
    return found if isinstance(found, str) else ""


def _after(flow_id: str) -> ListQuery:
    later = (Condition("flowId", "greater", flow_id),) if flow_id else ()
    return ListQuery(later, sort=(SortKey("flowId"),), limit=AT_ONCE)
