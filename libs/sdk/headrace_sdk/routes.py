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
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, cast

from headrace_core import Json

from headrace_sdk.context import JsonObject
from headrace_sdk.plugins import PluginContext


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
    context: PluginContext

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
