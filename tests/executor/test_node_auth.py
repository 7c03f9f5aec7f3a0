"""Auth and quota modules in JavaScript: every form that a member may have is described and carried out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from headrace_core.clock import SystemClock
from headrace_core.errors import HeadraceError
from headrace_executor.runners.client import ABSENT
from headrace_executor.runners.pool import Key, Runners
from headrace_runtime.egress import EgressPolicy
from headrace_runtime.metrics import Metrics
from headrace_sdk.errors import CancelError, ConnectionExpired, HttpStatusError

from tests.listening import listening

from .published import Shelf
from .test_runners import QUICK

FOLDER = "acme/mail"


class Far:
    """A service that has accounts."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[tuple[str, str, dict[str, str], str]] = []
        self.answers: dict[str, tuple[int, Any]] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        self.heard.append((method, path, headers, body))
        status, said = self.answers.get(path.partition("?")[0], (200, {}))
        content = json.dumps(said).encode()
        length = f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{length}".encode() + content)
        await writer.drain()


@asynccontextmanager
async def far_side() -> AsyncIterator[Far]:
    far = Far()
    async with listening(far.answer) as port:
        far.url = f"http://127.0.0.1:{port}"
        yield far


class Modules:
    """The modules of one folder, asked as the executor asks."""

    def __init__(self, runners: Runners, key: Key) -> None:
        self.runners = runners
        self.key = key

    async def call(self, name: str, session: str = "", **given: Any) -> Any:
        return await self.runners.call_auth(self.key, FOLDER, name, given, session)

    async def describe(self) -> Any:
        return await self.runners.describe_folder(self.key, FOLDER)


@asynccontextmanager
async def modules(files: Mapping[str, str]) -> AsyncIterator[Modules]:
    shelf = Shelf()
    bundle_id = shelf.put({f"{FOLDER}/{name}": text for name, text in files.items()})
    runners = Runners(shelf, QUICK, EgressPolicy(allow_private=True), SystemClock(), Metrics())
    async with runners.running():
        yield Modules(runners, Key("t", bundle_id, language="javascript"))


async def test_an_api_key_is_asked_for_checked_and_named() -> None:
    async with far_side() as far:
        far.answers["/me"] = (200, {"user": {"name": "Ada", "mails": ["a@example.com"]}})
        code = f"""
        module.exports = {{
            type: 'apiKey',
            definition: {{
                tokenType: 'authentication-token',
                auth: {{ apiKey: {{ type: 'text', name: 'API key', tooltip: 'Yours.' }} }},
                validate: {{ method: 'GET', url: '{far.url}/check', headers: {{ 'X-Key': '{{{{apiKey}}}}' }} }},
                requestProfileInfo: '{far.url}/me',
                accountNameFromProfileInfo: 'user.name',
                emailFromProfileInfo: 'user.mails[0]'
            }}
        }};
        """
        async with modules({"auth.js": code}) as acme:
            described = (await acme.describe()).auth
            assert await acme.call("validate", apiKey="k1") == {}
            profile = await acme.call("requestProfileInfo", apiKey="k1")
            name = await acme.call("accountNameFromProfileInfo", apiKey="k1", profileInfo=profile)
            mail = await acme.call("emailFromProfileInfo", apiKey="k1", profileInfo=profile)
            assert await acme.call("refreshAccessToken") is ABSENT
            far.answers["/check"] = (401, {"error": "no"})
            with pytest.raises(HttpStatusError) as refused:
                await acme.call("validate", apiKey="wrong")

    assert described["type"] == "apiKey"
    assert described["auth"] == {"apiKey": {"type": "text", "name": "API key", "tooltip": "Yours."}}
    assert described["forms"]["validate"] == "request"
    assert described["forms"]["requestProfileInfo"] == "url"
    assert described["forms"]["accountNameFromProfileInfo"] == "path"
    assert (name, mail) == ("Ada", "a@example.com")
    assert far.heard[0][2]["x-key"] == "k1"
    assert far.heard[1][2]["authorization"] == "Bearer k1"
    assert refused.value.status == 401


async def test_oauth_by_addresses() -> None:
    async with far_side() as far:
        far.answers["/token"] = (200, {"access_token": "a1", "refresh_token": "r1", "expires_in": 3600})
        code = f"""
        module.exports = {{
            type: 'oauth2',
            definition: {{
                scope: ['read'], scopeDelimiter: ' ',
                pre: {{ shop: {{ type: 'text', name: 'Shop' }} }},
                authUrl: '{far.url}/{{{{shop}}}}/authorize?prompt=consent',
                requestAccessToken: '{far.url}/token',
                refreshAccessToken: '{far.url}/token',
                validateAccessToken: {{ uri: '{far.url}/valid', auth: {{ bearer: '{{{{accessToken}}}}' }} }},
                validateAccessTokenErrCallback: () => false
            }}
        }};
        """
        async with modules({"auth.js": code}) as acme:
            described = (await acme.describe()).auth
            known = {"clientId": "c", "clientSecret": "s", "callbackUrl": "https://here/cb", "ticket": "t1"}
            address = await acme.call("authUrl", **known, shop="mine", scope=["read", "write"])
            tokens = await acme.call("requestAccessToken", **known, authorizationCode="code")
            await acme.call("refreshAccessToken", **known, refreshToken="r1")
            await acme.call("validateAccessToken", **known, accessToken="a1")
            far.answers["/valid"] = (401, {})
            with pytest.raises(ConnectionExpired):
                await acme.call("validateAccessToken", **known, accessToken="old")

    parts = urlsplit(address)
    assert described["scope"] == ["read"]
    assert described["pre"] == {"shop": {"type": "text", "name": "Shop"}}
    assert parts.path == "/mine/authorize"
    assert parse_qs(parts.query) == {
        "prompt": ["consent"], "response_type": ["code"], "client_id": ["c"], "redirect_uri": ["https://here/cb"],
        "state": ["t1"], "scope": ["read write"],
    }  # fmt: skip
    assert (tokens["accessToken"], tokens["refreshToken"]) == ("a1", "r1")
    assert tokens["accessTokenExpDate"] > "2026"
    forms = [parse_qs(body) for _, path, _, body in far.heard if path == "/token"]
    assert forms[0]["grant_type"] == ["authorization_code"]
    assert forms[0]["code"] == ["code"]
    assert forms[1]["grant_type"] == ["refresh_token"]
    assert forms[1]["client_secret"] == ["s"]
    assert [each[2]["authorization"] for each in far.heard if each[1] == "/valid"] == ["Bearer a1", "Bearer old"]


async def test_functions_share_what_a_definition_keeps_within_one_session() -> None:
    code = """
        module.exports = {
            type: 'oauth2',
            definition: (initial) => {
                let verifier;
                return {
                    authUrl: (context) => {
                        verifier = `v-${context.ticket}`;
                        return `https://far/${context.clientId}`;
                    },
                    async requestAccessToken(context) {
                        return { accessToken: `${verifier} ${this.own()}`, accessTokenExpDate: new Date(0) };
                    },
                    own: () => 'own',
                    validateAccessToken: (context) => { throw new context.InvalidTokenError('Gone.'); },
                    requestProfileInfo: (context) => { throw new context.CancelError('No.'); },
                    accountNameFromProfileInfo: (context) => context.profileInfo.name,
                    refreshAccessToken: (context) => context.httpRequest.get('http://127.0.0.1:1/')
                };
            }
        };
        """
    async with modules({"auth.js": code}) as acme:
        await acme.call("authUrl", "one", ticket="1", clientId="c")
        await acme.call("authUrl", "two", ticket="2", clientId="c")
        first = await acme.call("requestAccessToken", "one")
        other = await acme.call("requestAccessToken", "three")
        assert await acme.call("accountNameFromProfileInfo", profileInfo={"name": "Ada"}) == "Ada"
        with pytest.raises(ConnectionExpired, match="Gone"):
            await acme.call("validateAccessToken")
        with pytest.raises(CancelError, match="No"):
            await acme.call("requestProfileInfo")
        with pytest.raises((OSError, HeadraceError)):
            await acme.call("refreshAccessToken")
        forms = (await acme.describe()).auth["forms"]

    assert first == {"accessToken": "v-1 own", "accessTokenExpDate": "1970-01-01T00:00:00.000Z"}
    assert other["accessToken"] == "undefined own"
    assert forms["authUrl"] == "function"


async def test_quota_modules_are_described_and_broken_ones_named() -> None:
    quota = """
        const each = (limit) => ({ limit, window: 60 * 1000, resource: 'requests', scope: ['userId'] });
        module.exports = { rules: [each(5), {
            limit: 100, resource: ['posts'],
            throttling: { type: 'window-sliding', getStartOfNextWindow: () => new Date(86400000) }
        }] };
        """
    async with modules({"quota.js": quota, "auth.js": "module.exports = { type: 'magic' };"}) as acme:
        described = await acme.describe()

    assert described.quota["rules"] == [
        {"limit": 5, "window": 60000, "resource": "requests", "scope": ["userId"]},
        {
            "limit": 100, "resource": ["posts"], "throttling": "window-sliding",
            "startOfNextWindow": "1970-01-02T00:00:00.000Z",
        },
    ]  # fmt: skip
    assert described.auth is None
    assert "magic" in described.failures["auth.js"].message
