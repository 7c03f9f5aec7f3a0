"""Envelope encryption: what a tenant keeps is sealed with data keys of its own, those with keys from outside.

A sealed value is `hd1:`, the id of the data key, and Base64 of a nonce and the value under AES-256-GCM, bound to the
tenant and its place. A data key is an entry whose value the vault sealed. A new one takes its place after a while;
the old one opens as long as anything is sealed with it.
"""

import asyncio
import base64
import binascii
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound, Unsupported
from headrace_core.ids import new_id

from headrace_flow_manager.entries import Entry, EntryStore

KEY_BYTES: Final = 32
REMEMBERED: Final = 2_000
LOOK_AGAIN: Final = timedelta(seconds=60)
"""How long a process seals with a key before it looks whether there is a newer one."""

_MARK: Final = "hd1"
_NONCE: Final = 12


class KeyVault(Protocol):
    """Seals data keys with keys from outside the database."""

    def seal(self, value: bytes, place: Sequence[str]) -> str: ...

    def open(self, sealed: str, place: Sequence[str]) -> bytes: ...

    def is_current(self, sealed: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Current:
    key_id: str
    until: float


class DataKeys:
    """Seals and opens for tenants."""

    def __init__(self, store: EntryStore, vault: KeyVault | None, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._opened: OrderedDict[tuple[str, str], AESGCM] = OrderedDict()
        self._current: OrderedDict[str, _Current] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}

    async def seal(self, tenant: str, value: bytes, place: Sequence[str]) -> str:
        """The value as it may be kept at this place of the tenant. Raises Unsupported without keys from outside."""
        key_id = await self._sealing(tenant)
        cipher, nonce = await self._cipher(tenant, key_id), secrets.token_bytes(_NONCE)
        sealed = cipher.encrypt(nonce, value, _bound(tenant, place))
        return f"{_MARK}:{key_id}:{base64.b64encode(nonce + sealed).decode()}"

    async def open(self, tenant: str, sealed: str, place: Sequence[str]) -> bytes:
        """The value that was sealed for this place of the tenant. Raises Conflict when it was not."""
        try:
            mark, key_id, text = sealed.split(":")
            data = base64.b64decode(text, validate=True)
            if mark != _MARK:
                raise ValueError(mark)
            cipher = await self._cipher(tenant, key_id)
            return cipher.decrypt(data[:_NONCE], data[_NONCE:], _bound(tenant, place))
        except (InvalidTag, binascii.Error, ValueError, NotFound):
            raise Conflict(f"No key opens the secret {'/'.join(place)}. It was damaged or moved.") from None

    @staticmethod
    def key_of(sealed: str) -> str:
        """The id of the data key that a value is sealed with."""
        return sealed.split(":")[1]

    # Rotation.

    async def all(self, tenant: str) -> Sequence[Entry]:
        """The data keys of a tenant, the newest first."""
        return _newest_first(await self._store.all("data_key", tenant))

    async def rewrap(self, entry: Entry) -> bool:
        """Seal a data key with the key from outside that seals now; whether it was sealed with another."""
        vault, sealed = self._needed(), str(entry.value["sealed"])
        if vault.is_current(sealed):
            return False
        place = _place(entry.owner, entry.entry_id)
        again = vault.seal(vault.open(sealed, place), place)
        return await self._store.replace(entry, replace(entry, value={**entry.value, "sealed": again}))

    async def renew(self, tenant: str) -> str:
        """Make a new data key, with which everything is sealed from now on."""
        made = await self._make(tenant)
        self._current.pop(tenant, None)
        return made

    async def retire(self, entry: Entry) -> None:
        """Take away a data key with which nothing is sealed any more."""
        await self._store.delete("data_key", entry.owner, entry.entry_id)
        self._opened.pop((entry.owner, entry.entry_id), None)

    @staticmethod
    def made_at(entry: Entry) -> datetime:
        """When a data key was made."""
        return entry.changed_at

    # The pieces.

    async def _sealing(self, tenant: str) -> str:
        current = self._current.get(tenant)
        if current is not None and current.until > self._clock.monotonic():
            return current.key_id
        async with self._making.setdefault(tenant, asyncio.Lock()):
            keys = await self.all(tenant)
            key_id = keys[0].entry_id if keys else await self._make(tenant)
        self._making.pop(tenant, None)
        self._current[tenant] = _Current(key_id, self._clock.monotonic() + LOOK_AGAIN.total_seconds())
        while len(self._current) > REMEMBERED:
            self._current.popitem(last=False)
        return key_id

    async def _make(self, tenant: str) -> str:
        key_id = new_id()
        sealed = self._needed().seal(secrets.token_bytes(KEY_BYTES), _place(tenant, key_id))
        await self._store.add(Entry("data_key", key_id, key_id, tenant, {"sealed": sealed}, tenant, self._clock.now()))
        return key_id

    async def _cipher(self, tenant: str, key_id: str) -> AESGCM:
        known = self._opened.get((tenant, key_id))
        if known is not None:
            self._opened.move_to_end((tenant, key_id))
            return known
        entry = await self._store.get("data_key", tenant, key_id)
        cipher = AESGCM(self._needed().open(str(entry.value["sealed"]), _place(tenant, key_id)))
        self._opened[tenant, key_id] = cipher
        while len(self._opened) > REMEMBERED:
            self._opened.popitem(last=False)
        return cipher

    def _needed(self) -> KeyVault:
        if self._vault is None:
            raise Unsupported("Accounts cannot be kept here: HEADRACE_VAULT_KEYS is not set. An operator sets it.")
        return self._vault


def _newest_first(entries: Sequence[Entry]) -> Sequence[Entry]:
    return sorted(entries, key=lambda entry: (entry.changed_at, entry.entry_id), reverse=True)


def _place(tenant: str, key_id: str) -> Sequence[str]:
    return (tenant, "data key", key_id)


def _bound(tenant: str, place: Sequence[str]) -> bytes:
    return "".join(f"{len(part)}:{part}" for part in (tenant, *place)).encode("utf-8", "surrogatepass")
