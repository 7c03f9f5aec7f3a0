"""A service of somebody else that has accounts: OAuth 2.0 (RFC 6749, 7636), OAuth 1.0a (RFC 5849), keys, passwords.

It is strict, as services are: codes count once and only with their verifier, a refresh token is replaced by each use,
and what was revoked stays so. It counts what it is asked. `grace` lets a refresh token that was just replaced be used
again for the same successor, as services do whose answers may be lost on the way (a "reuse interval").
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from tests.listening import listening

CLIENT = "client-of-headrace"
CLIENT_SECRET = "canary-client-secret-5b1f0c"
KEY = "canary-api-key-77aa01"
PASSWORD = "canary-password-9d3e"
VERIFIER_FREE = "no-verifier"

Answer = tuple[int, dict[str, str], Any]


@dataclass(slots=True)
class Grant:
    """What a person let the client do."""

    user: str
    scope: str
    redirect_uri: str = ""
    challenge: str = ""
    is_valid: bool = True


@dataclass(slots=True)
class Provider:
    """The service."""

    url: str = ""
    user: str = "ada"
    lifetime: float = 3600
    grace: bool = True
    denies: bool = False
    hold: asyncio.Event | None = None  # refreshes wait for it
    down: bool = False
    codes: dict[str, Grant] = field(default_factory=dict)
    access: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    replaced: dict[str, dict[str, Any]] = field(default_factory=dict)
    request_tokens: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # secret, callback, verifier
    tokens_of_old: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    renewing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once somebody asks for a new token."""
    worked: list[str] = field(default_factory=list)
    """What the API was called with, in order."""
    key_is_valid: bool = True

    def revoke(self) -> None:
        """Take back everything that anybody let the client do."""
        for grant, _ in self.access.values():
            grant.is_valid = False
        for grant in self.refresh.values():
            grant.is_valid = False
        self.key_is_valid = False

    def expire(self) -> None:
        """Let every access token end now."""
        self.access = {token: (grant, 0.0) for token, (grant, _) in self.access.items()}

    @property
    def secrets(self) -> set[str]:
        """Everything that nobody but the client may know."""
        own = {CLIENT_SECRET, KEY, PASSWORD}
        old = set(self.tokens_of_old) | set(self.tokens_of_old.values())
        return own | set(self.access) | set(self.refresh) | set(self.replaced) | old

    # OAuth 2.0.

    def authorize(self, query: Mapping[str, str]) -> Answer:
        """The page on which a person agrees; it does so at once."""
        self.asked["authorize"] += 1
        if query.get("client_id") != CLIENT or query.get("response_type") != "code":
            return 400, {}, {"error": "invalid_request"}
        back = query["redirect_uri"]
        if self.denies:
            return self._back(back, {"error": "access_denied", "state": query.get("state", "")})
        code = secrets.token_urlsafe(16)
        self.codes[code] = Grant(self.user, query.get("scope", ""), back, query.get("code_challenge", ""))
        return self._back(back, {"code": code, "state": query.get("state", "")})

    def _back(self, address: str, values: Mapping[str, str]) -> Answer:
        joined = "&" if "?" in address else "?"
        return 302, {"Location": f"{address}{joined}{urlencode(values)}"}, ""

    async def token(self, form: Mapping[str, str]) -> Answer:
        self.asked[f"token {form.get('grant_type')}"] += 1
        if self.down:
            return 503, {}, {"error": "temporarily_unavailable"}
        if form.get("client_id") != CLIENT or form.get("client_secret") != CLIENT_SECRET:
            return 401, {}, {"error": "invalid_client"}
        if form.get("grant_type") == "authorization_code":
            grant = self.codes.pop(form.get("code", ""), None)
            if grant is None or grant.redirect_uri != form.get("redirect_uri") or not _proves(grant, form):
                return 400, {}, {"error": "invalid_grant"}
            return 200, {}, self.issue(grant)
        if form.get("grant_type") == "refresh_token":
            self.renewing.set()
            if self.hold is not None:
                await self.hold.wait()
            return self._renew(form.get("refresh_token", ""))
        return 400, {}, {"error": "unsupported_grant_type"}

    def _renew(self, token: str) -> Answer:
        if self.grace and token in self.replaced:
            return 200, {}, self.replaced[token]
        grant = self.refresh.pop(token, None)
        if grant is None or not grant.is_valid:
            return 400, {}, {"error": "invalid_grant", "error_description": "The grant was revoked."}
        self.replaced[token] = self.issue(grant)
        return 200, {}, self.replaced[token]

    def issue(self, grant: Grant) -> dict[str, Any]:
        """Tokens for what a person let the client do."""
        access, renewal = f"canary-at-{secrets.token_urlsafe(16)}", f"canary-rt-{secrets.token_urlsafe(16)}"
        self.access[access] = (grant, time.time() + self.lifetime)
        self.refresh[renewal] = grant
        return {
            "access_token": access,
            "refresh_token": renewal,
            "expires_in": self.lifetime,
            "token_type": "Bearer",
            "scope": grant.scope,
        }

    # OAuth 1.0a.

    def request_token(self, url: str, header: Mapping[str, str]) -> Answer:
        self.asked["request token"] += 1
        if not _signed("POST", url, header, ""):
            return 401, {}, {"error": "signature"}
        token, secret = secrets.token_hex(8), f"canary-rs-{secrets.token_hex(8)}"
        self.request_tokens[token] = (secret, header["oauth_callback"], secrets.token_hex(4))
        return 200, {}, urlencode({"oauth_token": token, "oauth_token_secret": secret})

    def authorize_old(self, query: Mapping[str, str]) -> Answer:
        _, back, verifier = self.request_tokens[query["oauth_token"]]
        return self._back(back, {"oauth_token": query["oauth_token"], "oauth_verifier": verifier})

    def access_token_old(self, url: str, header: Mapping[str, str]) -> Answer:
        self.asked["access token"] += 1
        secret, _, verifier = self.request_tokens.pop(header.get("oauth_token", ""), ("", "", ""))
        if not secret or header.get("oauth_verifier") != verifier or not _signed("POST", url, header, secret):
            return 401, {}, {"error": "signature"}
        token, own = f"canary-o1-{secrets.token_hex(8)}", f"canary-os-{secrets.token_hex(8)}"
        self.tokens_of_old[token] = own
        return 200, {}, urlencode({"oauth_token": token, "oauth_token_secret": own})

    # The API.

    def me(self, headers: Mapping[str, str], url: str = "") -> Answer:
        self.asked["me"] += 1
        user = self._user(headers, url)
        return (200, {}, {"name": user, "email": f"{user}@example.com"}) if user else _refused()

    def work(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer:
        self.asked["work"] += 1
        if not self._user(headers):
            self.asked["work refused"] += 1
            return _refused()
        self.worked.append(query.get("n", ""))
        return 200, {}, {"done": query.get("n", "")}

    def _user(self, headers: Mapping[str, str], url: str = "") -> str:
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            grant, until = self.access.get(shown, (None, 0.0))
            return grant.user if grant is not None and grant.is_valid and until > time.time() else ""
        if kind == "Basic":
            name, _, password = base64.b64decode(shown).decode().partition(":")
            return name if hmac.compare_digest(password, PASSWORD) and self.key_is_valid else ""
        if kind == "OAuth":
            header = _parameters(shown)
            secret = self.tokens_of_old.get(header.get("oauth_token", ""), "")
            return self.user if secret and _signed("GET", url, header, secret) else ""
        return "key-holder" if headers.get("x-key") == KEY and self.key_is_valid else ""

    async def answer(self, method: str, target: str, headers: Mapping[str, str], body: str) -> Answer:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        url = f"{self.url}{parts.path}"
        oauth = _parameters(headers.get("authorization", "").partition(" ")[2])
        routes: dict[str, Callable[[], Answer]] = {
            "/authorize": lambda: self.authorize(query),
            "/oauth1/request": lambda: self.request_token(url, oauth),
            "/oauth1/authorize": lambda: self.authorize_old(query),
            "/oauth1/access": lambda: self.access_token_old(url, oauth),
            "/me": lambda: self.me(headers, url),
            "/work": lambda: self.work(headers, query),
        }
        if parts.path == "/withdraw" and method == "POST":  # what a person does at the service's own pages
            self.revoke()
            return 200, {}, {}
        if parts.path == "/token" and method == "POST":
            return await self.token(dict(parse_qsl(body)))
        return routes[parts.path]() if parts.path in routes else (404, {}, {"error": "not found"})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *rest = head.strip().split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
            body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
            status, more, said = await self.answer(method, target, headers, body)
            content = (said if isinstance(said, str) else json.dumps(said)).encode()
            kind = "text/plain" if isinstance(said, str) else "application/json"
            shown = {"Content-Type": kind, "Content-Length": str(len(content)), "Connection": "close", **more}
            lines = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + content)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def provider(**options: Any) -> AsyncIterator[Provider]:
    """The service, at a port of this machine, for the length of the block."""
    made = Provider(**options)
    async with listening(made.serve) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


def _refused() -> Answer:
    return 401, {}, {"error": "invalid_token"}


def _proves(grant: Grant, form: Mapping[str, str]) -> bool:
    if not grant.challenge:
        return True
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == grant.challenge


def _parameters(header: str) -> dict[str, str]:
    pairs = (each.strip().partition("=") for each in header.split(",") if "=" in each)
    return {name: unquote(value.strip('"')) for name, _, value in pairs}


def _signed(method: str, url: str, header: Mapping[str, str], token_secret: str) -> bool:
    """Whether the signature is the one of RFC 5849, section 3.4, worked out here on its own."""
    if header.get("oauth_consumer_key") != CLIENT:
        return False
    signed = sorted((_quoted(name), _quoted(value)) for name, value in header.items() if name != "oauth_signature")
    listed = "&".join(f"{name}={value}" for name, value in signed)
    base = f"{method}&{_quoted(url)}&{_quoted(listed)}"
    key = f"{_quoted(CLIENT_SECRET)}&{_quoted(token_secret)}"
    made = base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()).decode()
    return hmac.compare_digest(made, header.get("oauth_signature", ""))


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")
