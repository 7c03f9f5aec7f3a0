"""What a service or a module brings besides components: `auth.py`, `quota.py` and `routes.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from headrace_core import Json, py_literals
from headrace_runtime.failures import Failure, failure_of
from headrace_sdk.context import Cache, Http, JsonObject
from headrace_sdk.errors import CancelError
from headrace_sdk.plugins import ACCEPTS, JOBS, Job, Listener
from headrace_sdk.routes import MARK, Reply, Request, Route, RouteError

from headrace_runner.asking import Ask, as_json
from headrace_runner.auth import AuthModules
from headrace_runner.loading import Bundle
from headrace_runner.plugins import HostPluginContext


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
        self, folder: str, asked: Asked, context: HostPluginContext
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

    async def run_job(self, folder: str, job_id: str, context: HostPluginContext) -> None:
        """Run a job. Raises what it raises, and CancelError where there is none."""
        found = next((each for each in self._jobs(folder) if each.job_id == job_id), None)
        if found is None:
            raise CancelError(f"{folder} has no job {job_id}.")
        await found.work(context)

    async def accept(self, folder: str, listener: Listener, context: HostPluginContext) -> Json:
        """What is kept of what a listener gave along. Raises what the plugin raises."""
        if not self._bundle.has(folder, "routes"):
            return listener.params
        for each in vars(self._bundle.module(folder, "routes")).values():
            if getattr(each, ACCEPTS, False):
                listener = replace(listener, params=await each(listener, context))
        return listener.params

    def context(self, ask: Ask, config: JsonObject, api_url: str) -> HostPluginContext:
        """What a plugin that is called now may do."""
        return HostPluginContext(ask, self._http, self._cache, config, api_url)

    def _quota(self, folder: str) -> JsonObject:
        return py_literals.read_module(self._bundle.source(folder, "quota"))

    def _plugin(self, folder: str) -> JsonObject:
        routes: list[Json] = [
            {"method": each.method, "path": each.path, "auth": False if each.public else "default"}
            for each in self._routes(folder)
        ]
        jobs: list[Json] = [{"id": each.job_id, "cron": each.cron} for each in self._jobs(folder)]
        return {"routes": routes, "jobs": jobs}

    def _jobs(self, folder: str) -> list[Job]:
        return _marked(self._bundle.module(folder, "routes"), JOBS)

    def _routes(self, folder: str) -> list[Route]:
        return _marked(self._bundle.module(folder, "routes"), MARK)


def _marked(module: ModuleType, mark: str) -> list[Any]:
    return [each for value in vars(module).values() for each in getattr(value, mark, ())]


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
