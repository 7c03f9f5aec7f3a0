"""Senders of webhooks: how each scheme signs a request, written from the schemes' own descriptions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime

SCHEMES = ("standard", "github", "stripe", "slack")
STANDARD_KEY = b"a key of thirty-two random bytes"
SECRETS = {
    "standard": "whsec_" + base64.b64encode(STANDARD_KEY).decode(),
    "github": "it's a secret to everybody",
    "stripe": "whsec_of_stripe",
    "slack": "8f742231b10e8888abcd99yyyzzz85a5",
}
BODY = json.dumps({"paid": True, "sum": 100}).encode()

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it is sent."""

    body: bytes
    headers: Headers


def signed(scheme: str, now: datetime, body: bytes = BODY, secret: str = "", name: str = "msg_1") -> Signed:
    """What the sender of this scheme sends."""
    moment, key = str(int(now.timestamp())), (secret or SECRETS[scheme]).encode()
    match scheme:
        case "standard":
            raw = base64.b64decode((secret or SECRETS[scheme]).removeprefix("whsec_"))
            made = hmac.new(raw, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
            signature = "v1," + base64.b64encode(made).decode()
            headers = [("webhook-id", name), ("webhook-timestamp", moment), ("webhook-signature", signature)]
        case "github":
            headers = [("x-hub-signature-256", "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest())]
        case "stripe":
            made_hex = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
            headers = [("stripe-signature", f"t={moment},v1={made_hex}")]
        case _:
            made_hex = hmac.new(key, f"v0:{moment}:".encode() + body, hashlib.sha256).hexdigest()
            headers = [("x-slack-request-timestamp", moment), ("x-slack-signature", f"v0={made_hex}")]
    return Signed(body, headers)


def mutants(request: Signed) -> list[tuple[str, Signed]]:
    """The request with one thing about it changed, each with a name: every byte of what is signed and of signatures,
    each header left out, emptied and doubled, another algorithm, another body."""
    found = [
        (f"body {place}", Signed(changed(request.body, place), request.headers)) for place in range(len(request.body))
    ]
    found += [("no body", Signed(b"", request.headers)), ("longer", Signed(request.body + b" ", request.headers))]
    for at, (name, value) in enumerate(request.headers):
        before, after = request.headers[:at], request.headers[at + 1 :]
        made: list[tuple[str, Headers]] = [
            (f"{name} {place}", [*before, (name, changed(value.encode(), place).decode()), *after])
            for place in range(len(value))
        ]
        made += [
            (f"no {name}", [*before, *after]),
            (f"empty {name}", [*before, (name, ""), *after]),
            (f"doubled {name}", [*request.headers, (name, value)]),
            (f"doubled {name} with another", [(name, "x"), *request.headers]),
            (f"cut {name}", [*before, (name, value[:-1]), *after]),
        ]
        for old, new in (("v1,", "v2,"), ("sha256=", "sha1="), ("v1=", "v0="), ("v0=", "v1=")):
            if old in value:
                made.append((f"{name} with {new}", [*before, (name, value.replace(old, new)), *after]))
        found += [(what, Signed(request.body, headers)) for what, headers in made]
    return found


def changed(text: bytes, place: int) -> bytes:
    """The text with another printable character there."""
    other = b"0" if text[place : place + 1] != b"0" else b"1"
    return text[:place] + other + text[place + 1 :]
