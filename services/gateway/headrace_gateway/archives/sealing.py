"""Secrets in an archive: sealed under a pass phrase, and bound to the manifest and so to every other member.

The key is made of the pass phrase by scrypt, the seal is AES-256-GCM. Whoever changes a byte of the archive changes
the manifest, and the secrets do not open any more.
"""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from headrace_core import Json, errors

from headrace_gateway.archives.layout import refused

LEAST_COST: Final = 2**15
COST: Final = 2**16
MOST_COST: Final = 2**18
MIN_PASS_PHRASE: Final = 12
MAX_PASS_PHRASE: Final = 1024
_BLOCK, _PARALLEL = 8, 1
_SALT, _NONCE, _KEY = 16, 12, 32


def fresh() -> dict[str, Json]:
    """How secrets of a new archive are sealed: what its manifest says of them."""
    return {
        "kdf": "scrypt",
        "n": COST,
        "r": _BLOCK,
        "p": _PARALLEL,
        "salt": base64.b64encode(secrets.token_bytes(_SALT)).decode(),
        "cipher": "AES-256-GCM",
        "nonce": base64.b64encode(secrets.token_bytes(_NONCE)).decode(),
    }


class Sealer:
    """Seals and opens, one after the other: a key takes tens of megabytes for a moment."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Semaphore(1)

    async def seal(self, plain: bytes, pass_phrase: str, how: Mapping[str, Json], manifest: bytes) -> bytes:
        """The secrets as they stand in the archive."""
        salt, nonce, cost = _parameters(how)
        return AESGCM(await self._key(pass_phrase, salt, cost)).encrypt(nonce, plain, manifest)

    async def unseal(self, sealed: bytes, pass_phrase: str, how: Mapping[str, Json], manifest: bytes) -> bytes:
        """The secrets. Raises Forbidden for another pass phrase, BadRequest when they say no way that is known."""
        salt, nonce, cost = _parameters(how)
        key = await self._key(pass_phrase, salt, cost)
        try:
            return AESGCM(key).decrypt(nonce, sealed, manifest)
        except InvalidTag:
            raise errors.Forbidden(
                "The pass phrase does not open the secrets of this archive, or the archive was changed. Nothing was "
                "imported. Give the pass phrase that it was exported with, or none to leave the secrets out."
            ) from None

    async def _key(self, pass_phrase: str, salt: bytes, cost: int) -> bytes:
        async with self._one_at_a_time:
            return await asyncio.to_thread(
                hashlib.scrypt,
                pass_phrase.encode("utf-8", "surrogatepass"),
                salt=salt,
                n=cost,
                r=_BLOCK,
                p=_PARALLEL,
                maxmem=2 * 128 * _BLOCK * cost,
                dklen=_KEY,
            )


def _parameters(how: Mapping[str, Json]) -> tuple[bytes, bytes, int]:
    cost = how.get("n")
    known = how.get("kdf") == "scrypt" and how.get("cipher") == "AES-256-GCM"
    if not known or (how.get("r"), how.get("p")) != (_BLOCK, _PARALLEL) or not isinstance(cost, int):
        raise refused("its secrets are sealed in a way that is not known here")
    if not LEAST_COST <= cost <= MOST_COST or cost & (cost - 1):
        raise refused(f"its secrets are sealed with n = {cost}, and 2^15 to 2^18 are taken")
    try:
        salt = base64.b64decode(str(how.get("salt")), validate=True)
        nonce = base64.b64decode(str(how.get("nonce")), validate=True)
    except (binascii.Error, ValueError):
        salt = nonce = b""
    if (len(salt), len(nonce)) != (_SALT, _NONCE):
        raise refused("its secrets have no salt and nonce")
    return salt, nonce, cost
