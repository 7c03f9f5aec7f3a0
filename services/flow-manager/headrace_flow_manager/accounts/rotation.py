"""Keys change while everything runs: what is sealed with older ones is sealed again, a little at a time.

Two kinds of keys change apart. Keys from outside seal data keys and stored settings; an operator puts a new one first,
and what older ones sealed is sealed with it. Data keys seal accounts; each is replaced when it has served its time.
A data key goes when nothing is sealed with it and no process can still be sealing with it.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound

from headrace_flow_manager.accounts.book import AccountBook
from headrace_flow_manager.accounts.keys import LOOK_AGAIN, DataKeys
from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.entries import Entry, EntryStore
from headrace_flow_manager.scope import EVERY_TENANT

log = logging.getLogger(__name__)

OVERLAP: Final = 5 * LOOK_AGAIN
"""How long after a newer data key an older one is kept at least: until then others may seal with it."""

Reload = Callable[[], Awaitable[None]]
"""Reads the keys from outside again."""


class Rotation:
    """Seals again what older keys sealed."""

    def __init__(
        self,
        store: EntryStore,
        keys: DataKeys,
        book: AccountBook,
        reseal_settings: Callable[[], Awaitable[int]],
        reload: Reload,
        clock: Clock,
        lifetime: timedelta,
    ) -> None:
        self._store = store
        self._keys = keys
        self._book = book
        self._reseal_settings = reseal_settings
        self._reload = reload
        self._clock = clock
        self._lifetime = lifetime

    async def round(self) -> bool:
        """Do what there is to do now."""
        await self._reload()
        changed = await self._reseal_settings()
        by_tenant: dict[str, list[Entry]] = {}
        for entry in await self._store.all("data_key", EVERY_TENANT):
            by_tenant.setdefault(entry.owner, []).append(entry)
            try:
                changed += await self._keys.rewrap(entry)
            except Conflict as error:
                log.error("data key %s cannot be sealed again: %s", entry.entry_id, error)
        if changed:
            log.info("sealed %d secrets again with the key that seals now", changed)
        for tenant, keys in by_tenant.items():
            if len(keys) > 1 or self._has_served(keys[0]):
                await self._renew(tenant)
        return False

    async def _renew(self, tenant: str) -> None:
        """Give the tenant a new data key when its newest has served its time; finish what that began."""
        keys = await self._keys.all(tenant)
        if self._has_served(keys[0]):
            await self._keys.renew(tenant)
            keys = await self._keys.all(tenant)
        if len(keys) == 1:
            return
        used = {await self._sealed_again(each, keys[0].entry_id) for each in await self._book.all(tenant)}
        used |= await self._ticket_keys(tenant)
        if self._clock.now() - self._keys.made_at(keys[0]) < OVERLAP:
            return
        for old in keys[1:]:
            if old.entry_id not in used:
                await self._keys.retire(old)

    def _has_served(self, key: Entry) -> bool:
        return self._clock.now() - self._keys.made_at(key) >= self._lifetime

    async def _sealed_again(self, account: Account, newest: str) -> str:
        """The key that the account is sealed with after this."""
        key_id = self._keys.key_of(account.sealed)
        if key_id == newest:
            return key_id
        try:
            sealed = await self._book.seal(account.tenant_id, account.account_id, await self._book.open(account))

            def change(kept: Account) -> Account:
                return replace(kept, sealed=sealed) if kept.sealed == account.sealed else kept

            after = await self._book.change(account.tenant_id, account.account_id, change)
        except (NotFound, Conflict) as error:
            log.warning("account %s was not sealed again: %s", account.account_id, error)
            return key_id
        return self._keys.key_of(after.sealed)

    async def _ticket_keys(self, tenant: str) -> set[str]:
        tickets = await self._store.all("ticket", tenant)
        return {self._keys.key_of(str(each.value["sealed"])) for each in tickets if each.value.get("sealed")}
