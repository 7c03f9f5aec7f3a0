"""Secrets at rest: sealed with a key of their own each, which is sealed with a key from outside the database.

A sealed value is `hr1:` and Base64 of: id of the outer key (8 bytes), nonce and sealed inner key (12 + 48), nonce and
sealed value. Both seals are AES-256-GCM and bound to the value's place, so a value that is moved to another place
does not open. Several outer keys may be valid for opening; the first one seals.
"""

import asyncio
import base64
import binascii
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from headrace_core.errors import Conflict, HeadraceError, Problem, ValidationFailed

from headrace_runtime.kms import WRAPPED, KmsSettings, open_key_service
from headrace_runtime.settings import load, setting

log = logging.getLogger(__name__)

KEY_BYTES: Final = 32
KEY_FILE: Final = "vault.key"
_MARK: Final = "hr1:"
_ID = 8
_NONCE = 12
_WRAPPED = KEY_BYTES + 16


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Which keys seal secrets."""

    keys: tuple[str, ...] = setting(
        (),
        env="HEADRACE_VAULT_KEYS",
        help="Keys for secrets, separated by commas: the first seals, all open. Each is 32 bytes in Base64, or what "
        "the service at HEADRACE_KMS_URL made of them (`vault:v1:…`).",
        secret=True,
    )


class Vault:
    """Seals and opens secrets."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises ValueError when there is no key, or one of another length."""
        self._keys, self._sealing = _by_id(keys)

    def change_keys(self, keys: Sequence[bytes]) -> bool:
        """Seal with the first of these from now on, and open with all of them; whether that is another set.

        Raises ValueError as at the beginning; then nothing changes.
        """
        changed, sealing = _by_id(keys)
        if (changed.keys(), sealing) == (self._keys.keys(), self._sealing):
            return False
        self._keys, self._sealing = changed, sealing
        return True

    def seal(self, value: bytes, place: Sequence[str]) -> str:
        """The value as it may be kept at this place: tenant, thing and field."""
        bound, inner = _bound(place), secrets.token_bytes(KEY_BYTES)
        outer_nonce, nonce = secrets.token_bytes(_NONCE), secrets.token_bytes(_NONCE)
        wrapped = self._keys[self._sealing].encrypt(outer_nonce, inner, bound)
        sealed = AESGCM(inner).encrypt(nonce, value, bound)
        return _MARK + base64.b64encode(self._sealing + outer_nonce + wrapped + nonce + sealed).decode()

    def open(self, sealed: str, place: Sequence[str]) -> bytes:
        """The value that was sealed for this place. Raises Conflict when no key of ours opens it there."""
        bound = _bound(place)
        try:
            data = base64.b64decode(sealed.removeprefix(_MARK), validate=True)
            outer, rest = self._keys[data[:_ID]], data[_ID:]
            inner = outer.decrypt(rest[:_NONCE], rest[_NONCE : _NONCE + _WRAPPED], bound)
            rest = rest[_NONCE + _WRAPPED :]
            return AESGCM(inner).decrypt(rest[:_NONCE], rest[_NONCE:], bound)
        except (KeyError, InvalidTag, binascii.Error, ValueError):
            where = "/".join(place)
            raise Conflict(f"No key opens the secret {where}. Add its key to HEADRACE_VAULT_KEYS.") from None

    def is_current(self, sealed: str) -> bool:
        """Whether the key that seals now sealed it, so that older keys are not needed for it."""
        data = base64.b64decode(sealed.removeprefix(_MARK))
        return data[:_ID] == self._sealing


def read_keys(environ: Mapping[str, str], folder: Path | None) -> Sequence[bytes]:
    """The keys as `open_vault` finds them; none with neither settings nor folder. Raises as it does. Blocks."""
    settings = load(VaultSettings, environ)
    if not settings.keys:
        return [] if folder is None else _keys_in(folder / KEY_FILE)
    wrapped = [key for key in settings.keys if key.startswith(WRAPPED)]
    opened = dict(zip(wrapped, _unwrapped(wrapped, environ), strict=True)) if wrapped else {}
    return [opened.get(key) or _decoded(number, key) for number, key in enumerate(settings.keys)]


async def open_vault(environ: Mapping[str, str], folder: Path | None) -> Vault | None:
    """The vault of the settings, else of the key file in the folder, which is made at first; None with neither.

    Raises ValidationFailed for a key that is none, Conflict for a key file that cannot be used and for a key service
    that does not open its keys.
    """
    keys = await asyncio.to_thread(read_keys, environ, folder)
    return Vault(keys) if keys else None


def key_reader(vault: Vault | None, environ: Mapping[str, str], folder: Path | None) -> Callable[[], Awaitable[None]]:
    """Reads the keys again wherever they come from, so that an operator changes them while everything runs.

    Keys that cannot be read leave those that are there.
    """

    async def read() -> None:
        if vault is None:
            return
        try:
            keys = await asyncio.to_thread(read_keys, environ, folder)
            if vault.change_keys(keys):
                log.info("secrets are sealed with another key from now on; %d keys open them", len(keys))
        except (HeadraceError, ValueError) as error:
            log.error("the keys of secrets cannot be read again, and stay as they are: %s", error)

    return read


def _unwrapped(wrapped: Sequence[str], environ: Mapping[str, str]) -> Sequence[bytes]:
    service = open_key_service(load(KmsSettings, environ))
    if service is None:
        fix = "Set HEADRACE_KMS_URL to the engine that wrapped them."
        raise ValidationFailed([Problem("HEADRACE_VAULT_KEYS", "It has wrapped keys, which nothing here opens.", fix)])
    keys = service.unwrap(wrapped)
    if any(len(key) != KEY_BYTES for key in keys):
        fix = "Make one with: bao write -field=ciphertext -f transit/datakey/wrapped/headrace"
        raise ValidationFailed([Problem("HEADRACE_VAULT_KEYS", f"A wrapped key is no {KEY_BYTES} bytes.", fix)])
    return keys


def _decoded(number: int, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        fix = "Make one with: openssl rand -base64 32"
        raise ValidationFailed([Problem("HEADRACE_VAULT_KEYS", f"Key {number + 1} is no 32 bytes in Base64.", fix)])
    return key


def _keys_in(file: Path) -> Sequence[bytes]:
    """The keys of the file, one a line, which only its owner may read. A first start makes it, whole or not at all."""
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = file.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as writing:
                writing.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
                writing.flush()
                os.fsync(descriptor)
            fresh.rename(file)
        keys = [base64.b64decode(line, validate=True) for line in file.read_bytes().split()]
    except (OSError, binascii.Error, ValueError) as error:
        raise Conflict(f"The key of secrets {file} cannot be used: {error}.") from None
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise Conflict(f"The key of secrets {file} is damaged. Put the kept copy in its place.")
    return keys


def _by_id(keys: Sequence[bytes]) -> tuple[dict[bytes, AESGCM], bytes]:
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"A vault needs keys of {KEY_BYTES} bytes.")
    return {_id_of(key): AESGCM(key) for key in keys}, _id_of(keys[0])


def _id_of(key: bytes) -> bytes:
    return sha256(b"headrace vault key id" + key).digest()[:_ID]


def _bound(place: Sequence[str]) -> bytes:
    return "".join(f"{len(part)}:{part}" for part in place).encode("utf-8", "surrogatepass")
