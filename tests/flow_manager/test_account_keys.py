"""Keys of accounts: each tenant has its own, they open in no other place, and they change while they are used."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_core.errors import Conflict, RevisionConflict, Unsupported
from headrace_core.ids import new_id
from headrace_flow_manager.accounts import model
from headrace_flow_manager.accounts.book import AccountBook
from headrace_flow_manager.accounts.keys import DataKeys
from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.accounts.rotation import OVERLAP, Rotation
from headrace_flow_manager.entries import EntryStore
from headrace_flow_manager.settings.sealed import SealedSettings
from headrace_runtime.vault import Vault

from tests.contracts.flow_manager import OpenStores

from .house import ANN, BOB

PLACE = ("account", "one")
LIFETIME = timedelta(days=90)


def key() -> bytes:
    return secrets.token_bytes(32)


class Room:
    """Keys, accounts and their rotation over one store, as one process has them."""

    def __init__(self, store: EntryStore, vault: Vault | None, clock: TestClock) -> None:
        self.store = store
        self.vault = vault
        self.clock = clock
        self.keys = DataKeys(store, vault, clock)
        self.book = AccountBook(store, self.keys, clock)
        self.settings = SealedSettings(store, vault, clock)
        self.rotation = Rotation(store, self.keys, self.book, self.settings.reseal, self._nothing, clock, LIFETIME)

    async def _nothing(self) -> None:
        """Keys from outside are changed by the test."""

    def restarted(self, vault: Vault | None) -> Room:
        """Another process over the same store."""
        return Room(self.store, vault, self.clock)

    async def account(self, tenant: str = ANN, secret: str = "canary-secret") -> Account:
        name, now = new_id(), datetime(2026, 1, 1, tzinfo=UTC)
        account = Account(
            account_id=name,
            tenant_id=tenant,
            service="acme:mail",
            auth_type="apiKey",
            name=name,
            display_name="",
            profile_info={},
            scope=(),
            state="valid",
            reason="",
            token_id=new_id(),
            expires_at=None,
            refresh_before=model.REFRESH_BEFORE,
            can_refresh=False,
            token_at=now,
            was_rejected=False,
            created_at=now,
            updated_at=now,
            sealed=await self.book.seal(tenant, name, {"apiKey": secret}),
        )
        await self.book.add(account)
        return account


@pytest.fixture
async def room(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Room]:
    async with open_stores(tmp_path) as stores:
        yield Room(stores.entries, Vault([key()]), TestClock())


async def test_what_is_sealed_opens_in_its_place_and_nowhere_else(room: Room) -> None:
    sealed = await room.keys.seal(ANN, b"canary", PLACE)
    await room.keys.seal(BOB, b"other", PLACE)
    mark, key_id, text = sealed.split(":")
    [bobs] = await room.keys.all(BOB)

    assert "canary" not in sealed
    assert await room.restarted(room.vault).keys.open(ANN, sealed, PLACE) == b"canary"
    for tenant, given, place in (
        (ANN, sealed, ("account", "two")),
        (BOB, sealed, PLACE),
        (ANN, f"{mark}:{bobs.entry_id}:{text}", PLACE),
        (ANN, f"{mark}:{key_id}:{text[:-8]}AAAAAAA=", PLACE),
        (ANN, f"{mark}:{key_id}", PLACE),
        (ANN, f"{mark}:{key_id}:?", PLACE),
    ):
        with pytest.raises(Conflict):
            await room.keys.open(tenant, given, place)


async def test_a_tenant_has_a_key_of_its_own_and_no_seal_is_like_another(room: Room) -> None:
    first, second = await room.keys.seal(ANN, b"same", PLACE), await room.keys.seal(ANN, b"same", PLACE)
    other = await room.keys.seal(BOB, b"same", PLACE)

    assert first != second
    assert room.keys.key_of(first) == room.keys.key_of(second) != room.keys.key_of(other)


async def test_many_who_seal_first_share_one_key(room: Room) -> None:
    await asyncio.gather(*(room.keys.seal(ANN, b"x", PLACE) for _ in range(20)))

    assert len(await room.keys.all(ANN)) == 1


async def test_without_keys_from_outside_nothing_is_kept(room: Room) -> None:
    with pytest.raises(Unsupported, match="HEADRACE_VAULT_KEYS"):
        await room.restarted(None).keys.seal(ANN, b"x", PLACE)


async def test_a_key_from_outside_changes_under_load_and_the_old_one_is_needed_no_more(room: Room) -> None:
    """S12: nothing fails to open meanwhile, and nothing is left that the old key has to open."""
    old, new = key(), key()
    vault = Vault([old])
    room = room.restarted(vault)
    accounts = [await room.account(tenant, f"canary-{number}") for number in range(10) for tenant in (ANN, BOB)]
    await room.settings.put_service(ANN, "acme:mail", {"clientSecret": "canary-client"})
    reading = True

    async def read() -> int:
        opened = 0
        while reading:
            for account in accounts:
                fresh = room.restarted(vault)
                kept = await fresh.book.get(account.tenant_id, account.account_id)
                assert str((await fresh.book.open(kept))["apiKey"]).startswith("canary-")
                assert (await fresh.settings.service("acme:mail"))[0]["clientSecret"] == "canary-client"
                opened += 1
                await asyncio.sleep(0)
        return opened

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.sleep(0)
    assert vault.change_keys([new, old])
    await room.rotation.round()
    await asyncio.sleep(0.05)
    assert vault.change_keys([new])  # the old key is gone for good
    await asyncio.sleep(0.05)
    reading = False
    opened = await asyncio.gather(*readers)

    assert min(opened) > 0
    alone = room.restarted(Vault([new]))
    for account in accounts:
        await alone.book.open(await alone.book.get(account.tenant_id, account.account_id))
    assert all(Vault([new]).is_current(str(each.value["sealed"])) for each in await room.keys.all(ANN))


async def test_sealing_again_is_no_change_to_who_edits(room: Room) -> None:
    old, new = key(), key()
    vault = Vault([old])
    room = room.restarted(vault)
    values: dict[str, Json] = {"clientId": "one", "clientSecret": "canary-client"}
    _, tag = await room.settings.put_service(ANN, "acme:mail", values)

    vault.change_keys([new, old])
    assert await room.settings.reseal() == 1

    assert (await room.settings.service("acme:mail"))[1] == tag
    _, changed = await room.settings.put_service(ANN, "acme:mail", {**values, "clientId": "two"}, expected=tag)
    assert changed != tag
    with pytest.raises(RevisionConflict):
        await room.settings.put_service(ANN, "acme:mail", values, expected=tag)
    with pytest.raises(RevisionConflict):
        await room.settings.delete_service("acme:mail", expected=tag)
    vault.change_keys([key(), new])
    await room.settings.reseal()
    await room.settings.delete_service("acme:mail", expected=changed)


async def test_a_data_key_that_served_its_time_is_replaced_and_retired(room: Room) -> None:
    account = await room.account()
    [old] = await room.keys.all(ANN)
    room.clock.advance(LIFETIME + timedelta(seconds=1))

    await room.rotation.round()
    both = await room.keys.all(ANN)
    again = await room.book.get(ANN, account.account_id)
    room.clock.advance(OVERLAP + timedelta(seconds=1))
    await room.rotation.round()

    assert [each.entry_id for each in both][1:] == [old.entry_id]
    assert room.keys.key_of(again.sealed) == both[0].entry_id != room.keys.key_of(account.sealed)
    assert [each.entry_id for each in await room.keys.all(ANN)] == [both[0].entry_id]
    assert await room.restarted(room.vault).book.open(again) == {"apiKey": "canary-secret"}
    assert (again.token_id, again.state) == (account.token_id, "valid")


async def test_a_change_of_an_account_meets_one_of_somebody_else(room: Room) -> None:
    account = await room.account()

    await asyncio.gather(
        *(
            room.book.change(ANN, account.account_id, lambda kept, n=n: replace(kept, scope=(*kept.scope, str(n))))
            for n in range(8)
        )
    )

    assert sorted((await room.book.get(ANN, account.account_id)).scope) == sorted(map(str, range(8)))
