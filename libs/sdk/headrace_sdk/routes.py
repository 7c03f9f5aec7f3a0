"""HTTP routes of a connector: `routes.py` beside its `service.json` or `module.json` has functions that `route` marks.

    from headrace_sdk.routes import Reply, Request, route

    @route("GET", "/greetings/{name}", public=True)
    async def greet(request: Request) -> Reply:
        return Reply({"text": f"Hello {request.params['name']}"})

Their paths are relative to the folder's own place.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeAlias, TypeVar, cast

from headrace_core import Json

from headrace_sdk.context import Cache, Files, Http, JsonObject, Lock, LogLevel, State, Stores


class RouteContext(Protocol):
    """What a route may do."""

    @property
    def config(self) -> JsonObject:
        """What administrators stored for the service."""
        ...

    @property
    def service_state(self) -> State: ...
    @property
    def store(self) -> Stores: ...
    @property
    def files(self) -> Files: ...
    @property
    def http(self) -> Http: ...
    @property
    def cache(self) -> Cache: ...

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None: ...

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[Lock]:
        """Hold a lock that all components of the service share. Raises `LockUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Names of headers are in lower case."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    query: JsonObject
    body: bytes
    user: JsonObject | None
    hostname: str
    context: RouteContext

    def json(self) -> Json:
        """The body as JSON. Raises `RouteError` with 400 when it is not."""
        try:
            return cast("Json", json.loads(self.body))  # json.loads gives nothing but Json
        except ValueError as error:
            raise RouteError(400, f"The body is not well-formed JSON: {error}.") from None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: JSON, text or bytes."""

    body: Json | bytes = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class RouteError(Exception):
    """Answers with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


Handler: TypeAlias = Callable[[Request], Awaitable["Reply | Json"]]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """A place and who answers there. `public`: without a user too."""

    method: str
    path: str
    public: bool
    handler: Handler


def route(method: str, path: str, *, public: bool = False) -> Callable[[AnyHandler], AnyHandler]:
    """Mark a function as the route of this method and path; `{name}` stands for one part of the path."""

    def mark(handler: AnyHandler) -> AnyHandler:
        marked = [*getattr(handler, MARK, ()), Route(method.upper(), f"/{path.strip('/')}", public, handler)]
        setattr(handler, MARK, marked)
        return handler

    return mark


MARK = "headrace_routes"
"""The attribute in which a function keeps where it answers."""
