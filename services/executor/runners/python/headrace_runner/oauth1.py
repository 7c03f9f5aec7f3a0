"""OAuth 1.0a (RFC 5849): requests signed with HMAC-SHA1, for auth modules that name no more than addresses."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from headrace_core import Json
from headrace_sdk.auth import AuthContext
from headrace_sdk.context import Http
from headrace_sdk.errors import HttpStatusError


async def asked(http: Http, name: str, url: str, context: AuthContext) -> Json:
    """What an address answers to a signed request: tokens to those that give some, else its content."""
    if name == "requestRequestToken":
        found = await _post(http, url, context, {"oauth_callback": str(context["callbackUrl"])}, ("", ""))
        return {"requestToken": found.get("oauth_token"), "requestTokenSecret": found.get("oauth_token_secret")}
    if name == "requestAccessToken":
        token = (str(context["requestToken"] or ""), str(context["requestTokenSecret"] or ""))
        found = await _post(http, url, context, {"oauth_verifier": str(context["oauthVerifier"] or "")}, token)
        return {"accessToken": found.get("oauth_token"), "accessTokenSecret": found.get("oauth_token_secret")}
    token = (str(context["accessToken"] or ""), str(context["accessTokenSecret"] or ""))
    header = authorization("GET", url, context, {}, token)
    answer = await http.request("GET", url, headers={"Authorization": header})
    if answer.status >= 400:
        raise HttpStatusError(answer.status)
    return answer.json()


async def _post(
    http: Http, url: str, context: AuthContext, more: Mapping[str, str], token: tuple[str, str]
) -> dict[str, str]:
    header = authorization("POST", url, context, more, token)
    answer = await http.request("POST", url, headers={"Authorization": header}, content=b"")
    if answer.status >= 400:
        raise HttpStatusError(answer.status)
    return dict(parse_qsl(answer.text))


def authorization(
    method: str, url: str, context: Mapping[str, Json], more: Mapping[str, str], token: tuple[str, str]
) -> str:
    """The header of a signed request. `token` is a token and its secret, both empty for none."""
    own = {
        "oauth_consumer_key": str(context["consumerKey"] or ""),
        "oauth_nonce": secrets.token_hex(16),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(time.time())),
        "oauth_version": "1.0",
        **({"oauth_token": token[0]} if token[0] else {}),
        **more,
    }
    keys = f"{_quoted(str(context['consumerSecret'] or ''))}&{_quoted(token[1])}"
    base = _base_string(method, url, own)
    own["oauth_signature"] = base64.b64encode(hmac.digest(keys.encode(), base.encode(), "sha1")).decode()
    return "OAuth " + ", ".join(f'{name}="{_quoted(value)}"' for name, value in sorted(own.items()))


def _base_string(method: str, url: str, own: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    pairs = [*own.items(), *parse_qsl(parts.query, keep_blank_values=True)]
    listed = "&".join(f"{name}={value}" for name, value in sorted((_quoted(n), _quoted(v)) for n, v in pairs))
    bare = urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", "", ""))
    return "&".join((method.upper(), _quoted(bare), _quoted(listed)))


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")
