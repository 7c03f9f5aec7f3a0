"""What a service or a module brings besides components: `auth.py`, `quota.py` and `routes.py`."""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from inspect import isawaitable
from types import ModuleType
from typing import Any, cast
from urllib.parse import unquote

from headrace_core import Json, py_literals
from headrace_core.errors import BadRequest
from headrace_runtime.failures import Failure, failure_of
from headrace_sdk.auth import Auth, AuthContext
from headrace_sdk.context import Cache, Http, JsonObject, LogLevel
from headrace_sdk.errors import ConnectionExpired
from headrace_sdk.routes import MARK, Reply, Request, Route, RouteError

from headrace_runner.asking import Ask, HostFiles, HostLock, HostState, HostStores, as_json
from headrace_runner.loading import Bundle

MOST_SESSIONS = 1_000
SESSION_SECONDS = 3_600.0
MAX_LOGS = 100

MEMBERS: Mapping[str, str] = {
    name: re.sub(r"(?=[A-Z])", "_", name).lower()
    for name in (
        "validate",
        "requestProfileInfo",
        "accountNameFromProfileInfo",
        "emailFromProfileInfo",
        "authUrl",
        "requestAccessToken",
        "refreshAccessToken",
        "validateAccessToken",
    )
}
"""The members of an auth module by their names in the contract."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a folder brings, as JSON objects; modules that cannot be loaded, by file, with the reason."""

    auth: JsonObject | None = None
    quota: JsonObject | None = None
    plugin: JsonObject | None = None
    failures: Mapping[str, Failure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to a route, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: JsonObject
    body: bytes
    user: JsonObject | None
    hostname: str


class Folders:
    """The modules of a bundle's folders."""

    def __init__(self, bundle: Bundle, http: Http, cache: Cache) -> None:
        self._bundle = bundle
        self._http = http
        self._cache = cache
        self._sessions: OrderedDict[tuple[str, str], tuple[float, Auth]] = OrderedDict()

    def describe(self, folder: str) -> Described:
        """What is there. A module that cannot be loaded leaves the others alone."""
        failures: dict[str, Failure] = {}
        found: dict[str, JsonObject | None] = {}
        for name, look in {"auth": self._auth, "quota": self._quota, "plugin": self._plugin}.items():
            file = "routes.py" if name == "plugin" else f"{name}.py"
            try:
                found[name] = look(folder) if self._bundle.has(folder, file) else None
            except Exception as error:  # of somebody else's module
                failures[file] = failure_of(error)
        return Described(found.get("auth"), found.get("quota"), found.get("plugin"), failures)

    async def call_auth(self, folder: str, session: str, name: str, given: Mapping[str, Json]) -> Json | None:
        """What a member of the auth module comes to; None where the module has none. Raises what it raises."""
        member = MEMBERS.get(name)
        auth = self._session(folder, session)
        if member is None or getattr(type(auth), member) is getattr(Auth, member):
            return None
        made = getattr(auth, member)(AuthContext(given, self._http))
        found = cast("Json", await made if isawaitable(made) else made)
        if found is False and name.startswith("validate"):
            raise ConnectionExpired(folder, f"{folder} does not accept what was given.")
        return {} if found is None else found

    async def call_route(
        self, folder: str, asked: Asked, context: HostRouteContext
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of what the route answers."""
        found = _match(self._routes(folder), asked.method, asked.path)
        if found is None:
            return _problem(404, f"There is no {asked.method} {asked.path} in {folder}.")
        route, params = found
        if asked.user is None and not route.public:
            return _problem(401, "Sign in to call this.")
        request = Request(
            asked.method,
            asked.path,
            params,
            {name.lower(): value for name, value in asked.headers.items()},
            asked.query,
            asked.body,
            asked.user,
            asked.hostname,
            context,
        )
        try:
            return _written(await route.handler(request))
        except RouteError as error:
            return _problem(error.status, error.message)

    def context(self, ask: Ask) -> HostRouteContext:
        """What a route that is called now may do."""
        return HostRouteContext(ask, self._http, self._cache)

    def _session(self, folder: str, session: str) -> Auth:
        """The instance of the attempt, made where there is none."""
        key, now = (session, folder), time.monotonic()
        until, found = self._sessions.get(key, (0.0, None))
        if found is not None and until > now:
            return found
        made = _own(self._bundle.module(folder, "auth"), Auth, f"{folder}/auth.py")()
        if session:
            self._sessions[key] = (now + SESSION_SECONDS, made)
            if len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return made

    def _auth(self, folder: str) -> JsonObject:
        cls = _own(self._bundle.module(folder, "auth"), Auth, f"{folder}/auth.py")
        if cls.type not in ("apiKey", "pwd", "oauth2"):
            raise BadRequest(f"{folder}/auth.py has the type {cls.type!r}: apiKey, pwd and oauth2 are known.")
        forms: JsonObject = {
            name: "function" for name, own in MEMBERS.items() if getattr(cls, own) is not getattr(Auth, own)
        }
        described: JsonObject = {"type": cls.type, "forms": forms, "scopeDelimiter": cls.scope_delimiter}
        if cls.fields:
            described["auth"] = {name: dict(each) for name, each in cls.fields.items()}
        if cls.fields_before:
            described["pre"] = {name: dict(each) for name, each in cls.fields_before.items()}
        if cls.scope:
            described["scope"] = [*cls.scope]
        return described

    def _quota(self, folder: str) -> JsonObject:
        return py_literals.read_module(self._bundle.source(folder, "quota.py"))

    def _plugin(self, folder: str) -> JsonObject:
        routes: list[Json] = [
            {"method": each.method, "path": each.path, "auth": False if each.public else "default"}
            for each in self._routes(folder)
        ]
        return {"routes": routes, "jobs": []}

    def _routes(self, folder: str) -> list[Route]:
        module = self._bundle.module(folder, "routes")
        return [route for value in vars(module).values() for route in getattr(value, MARK, ())]


class HostRouteContext:
    """Implements `headrace_sdk.routes.RouteContext`."""

    def __init__(self, ask: Ask, http: Http, cache: Cache) -> None:
        self._ask = ask
        self.http = http
        self.cache = cache
        self.service_state = HostState(ask, "service")
        self.store = HostStores(ask)
        self.files = HostFiles(ask)
        self.logs: list[tuple[str, bytes]] = []

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None:
        if len(self.logs) < MAX_LOGS:
            self.logs.append((level, as_json(message, "what is logged")))

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[HostLock]:
        return self._held(name, ttl, retry_delay, retries)

    @asynccontextmanager
    async def _held(self, name: str, ttl: timedelta, retry_delay: float, retries: int) -> AsyncIterator[HostLock]:
        lock = HostLock(self._ask, name)
        await lock.acquire(ttl, retry_delay, retries)
        try:
            yield lock
        finally:
            await lock.release()


def _own(module: ModuleType, base: type[Auth], what: str) -> type[Auth]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise BadRequest(f"{what} defines {len(own)} classes that extend {base.__name__} instead of one.")
    return own[0]


def _match(routes: list[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The first route that fits, whole words before parameters."""
    fitting = [
        (each, params)
        for each in routes
        if each.method in (method.upper(), "*") and (params := _params(each.path, path)) is not None
    ]
    return min(fitting, key=lambda each: len(each[1]), default=None)


def _params(pattern: str, path: str) -> dict[str, str] | None:
    words, parts = pattern.strip("/").split("/"), path.strip("/").split("/")
    if len(words) != len(parts):
        return None
    params: dict[str, str] = {}
    for word, part in zip(words, parts, strict=True):
        if word.startswith("{") and word.endswith("}"):
            params[word[1:-1]] = unquote(part)
        elif word != part:
            return None
    return params


def _written(answer: Any) -> tuple[int, dict[str, str], bytes]:
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    headers = {name.lower(): str(value) for name, value in reply.headers.items()}
    body = reply.body
    if isinstance(body, bytes):
        headers.setdefault("content-type", "application/octet-stream")
        return reply.status, headers, body
    if isinstance(body, str):
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return reply.status, headers, body.encode()
    headers.setdefault("content-type", "application/json")
    return reply.status, headers, as_json(body, "the answer")


def _problem(status: int, message: str) -> tuple[int, dict[str, str], bytes]:
    said = json.dumps({"statusCode": status, "message": message}).encode()
    return status, {"content-type": "application/json"}, said
