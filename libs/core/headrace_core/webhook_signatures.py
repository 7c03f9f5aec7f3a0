"""Signatures of webhooks: whether a request comes from who holds the secret, and what its sender calls it.

Whatever is missing, doubled, malformed, too old or wrong is refused alike. What is compared is compared in constant
time, over the bytes as they came. The id that is returned is signed, so that a request that is sent again is the same
event, whatever else is sent with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from headrace_core.errors import Unauthenticated

SERVICE: Final = "headrace:webhooks"
"""Of what service the accounts are that hold secrets of webhooks, under `secret`."""

TOLERANCE: Final = timedelta(minutes=5)
MAX_SIGNATURES: Final = 10
_ID: Final = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,200}\Z")  # no dot: it parts what is signed
_MOMENT: Final = re.compile(r"[0-9]{1,11}\Z", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The body of a request as it came, and those of its headers that signatures are made of, in their order."""

    body: bytes
    headers: Sequence[tuple[str, str]]

    def one(self, name: str) -> str:
        """The value of the header. Raises Unauthenticated unless there is exactly one."""
        found = [value for each, value in self.headers if each.lower() == name]
        if len(found) != 1:
            raise refusal()
        return found[0]


def refusal() -> Unauthenticated:
    """What everybody hears whose request is not believed."""
    return Unauthenticated("The signature of the request is missing, wrong or too old.")


def verify(scheme: str, secret: str, request: SignedRequest | None, now: datetime) -> str:
    """The signed id of the event. Raises Unauthenticated, also for an unknown scheme and where there is no secret."""
    check = _SCHEMES.get(scheme)
    if check is None or not secret or request is None:
        raise refusal()
    return check(secret, request, now)


def sign(secret: str, name: str, moment: str, body: bytes) -> str:
    """The signature of Standard Webhooks, without its version. Raises ValueError for a secret that is none."""
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    if not key:
        raise ValueError("The secret is empty.")
    return base64.b64encode(hmac.digest(key, f"{name}.{moment}.".encode() + body, hashlib.sha256)).decode()


def _standard(secret: str, request: SignedRequest, now: datetime) -> str:
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""
    name, moment = request.one("webhook-id"), request.one("webhook-timestamp")
    given = request.one("webhook-signature").split(" ")
    if not _ID.match(name) or len(given) > MAX_SIGNATURES:
        raise refusal()
    _check_moment(moment, now)
    try:
        expected = sign(secret, name, moment, request.body)
    except (binascii.Error, ValueError):
        raise refusal() from None
    _check_any([each.removeprefix("v1,") for each in given if each.startswith("v1,")], expected)
    return name


def _github(secret: str, request: SignedRequest, now: datetime) -> str:
    """GitHub: `x-hub-signature-256`. It signs the body alone, so the signature is the id."""
    kind, _, given = request.one("x-hub-signature-256").partition("=")
    if kind != "sha256" or not _HEX.match(given):
        raise refusal()
    _check_any([given], hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest())
    return given


def _stripe(secret: str, request: SignedRequest, now: datetime) -> str:
    """Stripe: `stripe-signature: t=…,v1=…`."""
    parts = [each.partition("=") for each in request.one("stripe-signature").split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1" and _HEX.match(value)]
    if len(moments) != 1 or len(parts) > MAX_SIGNATURES:
        raise refusal()
    _check_moment(moments[0], now)
    expected = hmac.new(secret.encode(), f"{moments[0]}.".encode() + request.body, hashlib.sha256).hexdigest()
    _check_any(given, expected)
    return f"{moments[0]}.{expected}"


def _slack(secret: str, request: SignedRequest, now: datetime) -> str:
    """Slack: `x-slack-request-timestamp`, `x-slack-signature: v0=…`."""
    moment = request.one("x-slack-request-timestamp")
    version, _, given = request.one("x-slack-signature").partition("=")
    if version != "v0" or not _HEX.match(given):
        raise refusal()
    _check_moment(moment, now)
    _check_any([given], hmac.new(secret.encode(), f"v0:{moment}:".encode() + request.body, hashlib.sha256).hexdigest())
    return f"{moment}.{given}"


def _check_moment(text: str, now: datetime) -> None:
    if not _MOMENT.match(text) or abs(now.timestamp() - int(text)) > TOLERANCE.total_seconds():
        raise refusal()


def _check_any(given: Sequence[str], expected: str) -> None:
    # All are compared, so that it takes as long whichever fits.
    fits = [hmac.compare_digest(each.encode("utf-8", "replace"), expected.encode()) for each in given]
    if not any(fits):
        raise refusal()


_SCHEMES: Final[Mapping[str, Callable[[str, SignedRequest, datetime], str]]] = {
    "standard": _standard,
    "github": _github,
    "stripe": _stripe,
    "slack": _slack,
}
SCHEMES: Final = tuple(_SCHEMES)
HEADERS: Final = frozenset(
    {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-hub-signature-256",
        "stripe-signature",
        "x-slack-request-timestamp",
        "x-slack-signature",
    }
)
"""The headers that signatures are made of, in small letters."""
