"""What a service or a module brings besides components: `auth.py`, `quota.py` and `routes.py`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from headrace_core import Json, py_literals
from headrace_runtime.failures import Failure, failure_of
from headrace_sdk.context import Cache, Http, JsonObject, LogLevel
from headrace_sdk.routes import MARK, Reply, Request, Route, RouteError

from headrace_runner.asking import Ask, HostFiles, HostLock, HostState, HostStores, as_json
from headrace_runner.auth import AuthModules
from headrace_runner.loading import Bundle

MAX_LOGS = 100


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

    def __init__(self, bundle: Bundle, auth: AuthModules, http: Http, cache: Cache) -> None:
        self._bundle = bundle
        self._auth = auth
        self._http = http
        self._cache = cache

    def describe(self, folder: str) -> Described:
        """What is there. A module that cannot be loaded leaves the others alone."""
        failures: dict[str, Failure] = {}
        found: dict[str, JsonObject | None] = {}
        for name, look in {"auth": self._auth.describe, "quota": self._quota, "routes": self._plugin}.items():
            try:
                found[name] = look(folder) if self._bundle.has(folder, name) else None
            except Exception as error:  # of somebody else's module
                failures[f"{name}.py"] = failure_of(error)
        return Described(found.get("auth"), found.get("quota"), found.get("routes"), failures)

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

    def context(self, ask: Ask, config: JsonObject) -> HostRouteContext:
        """What a route that is called now may do."""
        return HostRouteContext(ask, self._http, self._cache, config)

    def _quota(self, folder: str) -> JsonObject:
        return py_literals.read_module(self._bundle.source(folder, "quota"))

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

    def __init__(self, ask: Ask, http: Http, cache: Cache, config: JsonObject) -> None:
        self._ask = ask
        self.config = config
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
