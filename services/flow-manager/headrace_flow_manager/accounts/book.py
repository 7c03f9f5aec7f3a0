"""Where accounts are, and which components use them: over the store of entries, for one tenant at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound, RevisionConflict

from headrace_flow_manager import json_text
from headrace_flow_manager.accounts import model
from headrace_flow_manager.accounts.keys import DataKeys
from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.entries import Entry, EntryStore
from headrace_flow_manager.scope import EVERY_TENANT, Tenants

TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class Use:
    """An account is assigned to a component."""

    flow_id: str
    node_id: str
    account_id: str


class AccountBook:
    """Keeps accounts with their secrets sealed, and their assignments."""

    def __init__(self, store: EntryStore, keys: DataKeys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def add(self, account: Account) -> None:
        """Keep a new account. Raises Conflict when the tenant has too many."""
        if len(await self._store.all("account", account.tenant_id)) >= model.MAX_ACCOUNTS:
            raise Conflict(f"There are {model.MAX_ACCOUNTS} accounts already. Delete one that is not used.")
        await self._store.add(model.entry_of(account))

    async def get(self, tenants: Tenants, account_id: str) -> Account:
        """The account. Raises NotFound."""
        try:
            return model.account_of(await self._store.get("account", tenants, account_id))
        except NotFound:
            raise NotFound("account", account_id[:100]) from None

    async def all(self, tenants: Tenants, service: str = "") -> Sequence[Account]:
        """Accounts, of one service where that is given, by service and name."""
        found = [model.account_of(each) for each in await self._store.all("account", tenants)]
        kept = (each for each in found if service in ("", each.service))
        return sorted(kept, key=lambda each: (each.service, each.label, each.account_id))

    async def standing(self, account_id: str) -> Account | None:
        """The account, whoever owns it; None when it is gone. For the house's own loops."""
        try:
            return await self.get(EVERY_TENANT, account_id)
        except NotFound:
            return None

    async def change(self, tenant: str, account_id: str, change: Callable[[Account], Account]) -> Account:
        """Change the account as it is now; what others change meanwhile stays. Raises NotFound, RevisionConflict."""
        for _ in range(TRIES):
            before = await self._entry(tenant, account_id)
            account = change(model.account_of(before))
            after = model.entry_of(account)
            if after == before or await self._store.replace(before, after):
                return account
            if await self._entry(tenant, account_id) == after:
                return account  # the first answer was lost on the way
        raise RevisionConflict(f"Account {account_id!r} is being changed by many. Try again.")

    async def shared(self, service: str) -> Sequence[Account]:
        """Accounts of the service, of all tenants, that are shared with anybody: who may use one is to be asked."""
        found = []
        for entry in await self._store.all("account_share", EVERY_TENANT):
            account = await self.standing(entry.entry_id) if entry.value["service"] == service else None
            if account is not None and account.shared_with:
                found.append(account)
        return sorted(found, key=lambda each: (each.label, each.account_id))

    async def share(self, tenant: str, account_id: str, shared_with: tuple[Mapping[str, Json], ...]) -> Account:
        """Say who else may use the account. Raises NotFound, RevisionConflict."""
        now = self._clock.now()
        service = (await self.get(tenant, account_id)).service
        value: dict[str, Json] = {"service": service}
        if shared_with:  # an account that is shared is always among those that may be
            await self._store.put(Entry("account_share", account_id, account_id, tenant, value, tenant, now))
        after = await self.change(
            tenant,
            account_id,
            lambda kept: (
                kept if kept.shared_with == shared_with else replace(kept, shared_with=shared_with, updated_at=now)
            ),
        )
        if not after.shared_with:
            await self._store.delete("account_share", tenant, account_id)
        return after

    async def delete(self, account: Account) -> None:
        """Take away the account and its assignments. Raises NotFound."""
        for tenant, use in await self.all_uses(account):
            await self.unassign(tenant, use.flow_id, use.node_id)
        account_id = account.account_id
        await self._store.delete("account_share", account.tenant_id, account_id)
        if not await self._store.delete("account", account.tenant_id, account_id):
            raise NotFound("account", account_id[:100])

    # Secrets.

    async def seal(self, tenant: str, account_id: str, secrets: Mapping[str, Json]) -> str:
        """What an account is opened with, as it may be kept. Raises TooLarge, Unsupported."""
        text = json_text.limited(json_text.encode(dict(secrets)), model.MAX_SECRET_BYTES, "account")
        return await self._keys.seal(tenant, text.encode(), model.place_of(account_id))

    async def open(self, account: Account) -> dict[str, Json]:
        """What the account is opened with. Raises Conflict when no key is left."""
        place = model.place_of(account.account_id)
        data = await self._keys.open(account.tenant_id, account.sealed, place)
        return json_text.decode_object(data, "account")

    # Assignments.

    async def assign(self, tenant: str, use: Use) -> None:
        """Let a component use an account, in place of any other."""
        value: dict[str, Json] = {"flowId": use.flow_id, "nodeId": use.node_id, "accountId": use.account_id}
        key = _use_id(use.flow_id, use.node_id)
        await self._store.put(Entry("account_use", key, key, tenant, value, tenant, self._clock.now()))

    async def unassign(self, tenant: str, flow_id: str, node_id: str) -> None:
        """Let a component use none."""
        await self._store.delete("account_use", tenant, _use_id(flow_id, node_id))

    async def assigned(self, tenant: str, flow_id: str, node_id: str) -> str:
        """The account that a component uses; "" for none."""
        try:
            return _use(await self._store.get("account_use", tenant, _use_id(flow_id, node_id))).account_id
        except NotFound:
            return ""

    async def uses(self, tenant: str, account_id: str = "") -> Sequence[Use]:
        """All assignments of a tenant, or those of one account, by flow and node."""
        found = [_use(each) for each in await self._store.all("account_use", tenant)]
        return [each for each in found if account_id in ("", each.account_id)]

    async def all_uses(self, account: Account) -> Sequence[tuple[str, Use]]:
        """Who uses the account, with their tenants: others than its owner only where it is shared."""
        tenants = EVERY_TENANT if account.shared_with else account.tenant_id
        found = [(each.owner, _use(each)) for each in await self._store.all("account_use", tenants)]
        return [(tenant, use) for tenant, use in found if use.account_id == account.account_id]

    async def _entry(self, tenant: str, account_id: str) -> Entry:
        try:
            return await self._store.get("account", tenant, account_id)
        except NotFound:
            raise NotFound("account", account_id[:100]) from None


def _use_id(flow_id: str, node_id: str) -> str:
    return f"{flow_id}/{node_id}"


def _use(entry: Entry) -> Use:
    value = entry.value
    return Use(str(value["flowId"]), str(value["nodeId"]), str(value["accountId"]))
