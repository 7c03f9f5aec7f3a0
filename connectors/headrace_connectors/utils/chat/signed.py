"""Tokens that a host application signs for the people on its chat page (JWT, RFC 7519)."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject

MAX_TOKEN: Final = 8 * 1024
SKEW_SECONDS: Final = 60
_HALF: Final = 32


def payload_of(token: Json, public_key: str, now: datetime) -> JsonObject | None:
    """What a token says, if it was signed with the key's private one and holds now; None otherwise.

    The key decides by which algorithm, never the token: RS256 for RSA, ES256 for P-256. Raises CancelError for a key
    that is neither.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN or token.count(".") != 2:
        return None
    signed, _, mark = token.rpartition(".")
    head, payload, signature = _json(signed.partition(".")[0]), _json(signed.partition(".")[2]), _bytes(mark)
    if head is None or payload is None or signature is None:
        return None
    if not _is_signed(signed.encode(), signature, head.get("alg"), public_key) or "crit" in head:
        return None
    ends, begins = payload.get("exp"), payload.get("nbf", 0)
    if not _is_number(ends) or not _is_number(begins):
        return None
    moment = now.timestamp()
    return payload if float(str(begins)) - SKEW_SECONDS <= moment < float(str(ends)) else None


def _is_signed(signed: bytes, signature: bytes, algorithm: Json, public_key: str) -> bool:
    try:
        key = load_pem_public_key(public_key.encode())
    except ValueError:
        raise CancelError("The public key of the chat trigger cannot be read: give it as PEM.") from None
    try:
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
            return algorithm == "RS256"
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            numbers = (int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:]))
            key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(SHA256()))
            return algorithm == "ES256" and len(signature) == 2 * _HALF
    except InvalidSignature:
        return False
    raise CancelError("The public key of the chat trigger is neither RSA of 2048 bits nor of the curve P-256.")


def _json(part: str) -> JsonObject | None:
    try:
        found = json.loads(_bytes(part) or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _bytes(part: str) -> bytes | None:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
