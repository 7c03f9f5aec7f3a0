"""Auth modules in Python: `auth.py` of a service or module, described and carried out member by member."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from headrace_core import Json
from headrace_core.errors import BadRequest
from headrace_sdk.auth import AuthContext, InvalidToken
from headrace_sdk.context import Http, HttpResponse, Tcp
from headrace_sdk.errors import HttpStatusError

from headrace_runner import oauth1
from headrace_runner.loading import Bundle

Definition = Mapping[str, object]
Function = Callable[[AuthContext], "Json | Awaitable[Json]"]

TYPES = ("apiKey", "pwd", "oauth", "oauth2")
ABSENT = object()
"""What a step comes to that the module does not have; told apart from None."""

_TEMPLATE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_EXCHANGES = frozenset({"requestAccessToken", "refreshAccessToken"})
_PATHS = frozenset({"accountNameFromProfileInfo", "emailFromProfileInfo"})
_SHOWN = ("auth", "pre", "scope", "scopeDelimiter", "pkce", "refreshBeforeExp", "refreshBeforeExpUnits")


class AuthModules:
    """The auth modules of one bundle."""

    def __init__(self, bundle: Bundle, http: Http, tcp: Tcp) -> None:
        self._bundle = bundle
        self._http = http
        self._tcp = tcp

    def describe(self, folder: str) -> dict[str, Json] | None:
        """Its type, its fields, and of which form each member is; None where the folder has none."""
        if not self._bundle.has(folder, "auth"):
            return None
        kind, definition = self._read(folder)
        shown = {name: cast("Json", definition[name]) for name in _SHOWN if name in definition}
        return {"type": kind, "forms": {name: _form(name, each) for name, each in definition.items()}, **shown}

    async def call(self, folder: str, name: str, given: Mapping[str, Json]) -> object:
        """What a member comes to; ABSENT where there is none and none is meant. Raises what the module raises."""
        kind, definition = self._read(folder)
        context = AuthContext(given, self._http, self._tcp)
        found = await self._carried_out(kind, definition, name, context)
        if name.startswith("validate") and found is False:
            raise InvalidToken()
        return found

    def _read(self, folder: str) -> tuple[str, Definition]:
        module: ModuleType = self._bundle.module(folder, "auth")
        kind, definition = getattr(module, "type", None), getattr(module, "definition", None)
        if kind not in TYPES:
            raise BadRequest(f"{folder}/auth.py has the type {kind!r}: {', '.join(TYPES)} are known.")
        if not isinstance(definition, Mapping):
            raise BadRequest(f"{folder}/auth.py has no definition: write definition = {{…}}.")
        return str(kind), definition

    async def _carried_out(self, kind: str, definition: Definition, name: str, context: AuthContext) -> object:
        value = definition.get(name)
        if callable(value):
            found = cast("Function", value)(context)
            return await found if inspect.isawaitable(found) else found
        if name in _PATHS:
            path = value or ("email" if name.startswith("email") else "")
            return _at(context["profileInfo"], str(path)) if path else _only_field(definition, context)
        if value is None:
            return ABSENT
        if name == "authUrl" and isinstance(value, str):
            return _auth_url(kind, definition, str(_filled(value, context)), context)
        if isinstance(value, str) and kind == "oauth":
            return await oauth1.asked(self._http, name, str(_filled(value, context)), context)
        if isinstance(value, str | Mapping):
            return await self._requested(name, value, context)
        return value

    async def _requested(self, name: str, value: str | Mapping[str, object], context: AuthContext) -> Json:
        filled = _filled(value, context)
        if isinstance(filled, str):
            answer = await self._ordinary(name, filled, context)
        else:
            request = cast("dict[str, Json]", filled)
            answer = await self._http.request(
                str(request.get("method", "GET")),
                str(request.get("url", "")),
                headers=_texts(request.get("headers")),
                params=_texts(request.get("params")),
                json=request.get("json"),
                data=_texts(request.get("data")) or None,
            )
        content = _content(answer)
        return _tokens(content) if name in _EXCHANGES else content

    async def _ordinary(self, name: str, url: str, context: AuthContext) -> HttpResponse:
        """What is asked of an address that stands alone."""
        if name not in _EXCHANGES:
            return await self._http.request("GET", url, headers=context.bearer)
        if name == "requestAccessToken":
            grant = {
                "grant_type": "authorization_code",
                "code": context["authorizationCode"],
                "redirect_uri": context["callbackUrl"],
                "code_verifier": context["codeVerifier"],
            }
        else:
            grant = {"grant_type": "refresh_token", "refresh_token": context["refreshToken"]}
        form = {**grant, "client_id": context["clientId"], "client_secret": context["clientSecret"]}
        known = {key: str(each) for key, each in form.items() if each is not None}
        return await self._http.request("POST", url, data=known, headers={"Accept": "application/json"})


def _content(answer: HttpResponse) -> Json:
    """What was answered. Raises HttpStatusError for a status that is none of success."""
    try:
        content: Json = answer.json()
    except ValueError:
        content = answer.text
    if answer.status >= 400:
        said = content if isinstance(content, dict) else {}
        words = str(said.get("error_description") or said.get("error") or f"status {answer.status}")
        raise HttpStatusError(answer.status, f"The service answered: {words[:500]}")
    return content


def _tokens(content: Json) -> dict[str, Json]:
    found: Mapping[str, Json] = dict(parse_qsl(content)) if isinstance(content, str) else {}
    found = content if isinstance(content, dict) else found
    tokens: dict[str, Json] = {"accessToken": found.get("access_token"), "refreshToken": found.get("refresh_token")}
    if found.get("expires_in") is not None:
        # A moment, so that time on the way does not lengthen it.
        tokens["accessTokenExpDate"] = (time.time() + float(str(found["expires_in"]))) * 1000
    if found.get("scope"):
        tokens["scope"] = found["scope"]
    return {name: value for name, value in tokens.items() if value is not None}


def _auth_url(kind: str, definition: Definition, address: str, context: AuthContext) -> str:
    if kind == "oauth":
        return _with(address, {"oauth_token": context["requestToken"]})
    scope = context["scope"]
    delimiter = str(definition.get("scopeDelimiter") or ",")
    asked: dict[str, Json] = {
        "response_type": "code",
        "client_id": context["clientId"],
        "redirect_uri": context["callbackUrl"],
        "state": context["ticket"],
        "scope": delimiter.join(str(each) for each in scope) if isinstance(scope, list) and scope else None,
    }
    return _with(address, asked)


def _with(address: str, parameters: Mapping[str, Json]) -> str:
    parts = urlsplit(address)
    query = parse_qsl(parts.query, keep_blank_values=True)
    known = {name for name, _ in query}
    query += [(name, str(value)) for name, value in parameters.items() if value is not None and name not in known]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _only_field(definition: Definition, context: AuthContext) -> object:
    """The account's name where nothing says it: the value of its only field."""
    fields = definition.get("auth")
    names = list(fields) if isinstance(fields, Mapping) else []
    return context[str(names[0])] if len(names) == 1 else ABSENT


def _filled(value: object, context: Mapping[str, Json]) -> object:
    if isinstance(value, str):
        return _TEMPLATE.sub(lambda found: str(_at(dict(context), found[1]) or ""), value)
    if isinstance(value, Mapping):
        return {str(name): _filled(each, context) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, context) for each in value]
    return value


def _at(value: Json, path: str) -> Json:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _texts(value: Json) -> dict[str, str]:
    return {name: str(each) for name, each in value.items()} if isinstance(value, dict) else {}


def _form(name: str, value: object) -> str:
    if callable(value):
        return "function"
    if isinstance(value, str):
        return "path" if name in _PATHS else "url" if value.startswith(("http:", "https:", "{{")) else "text"
    return "request" if isinstance(value, Mapping) and "url" in value else type(value).__name__
