"""Call a route or a job of a plugin once and look at what it did."""

from __future__ import annotations

import copy
import json as json_text
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from headrace_core import Json

from headrace_sdk.caching import MemoryCache
from headrace_sdk.collections import Collection, Collections
from headrace_sdk.context import JsonObject, LogLevel
from headrace_sdk.plugins import Listener, Triggered
from headrace_sdk.routes import Handler, Reply, Request
from headrace_sdk.testing.memory import MemoryFiles, MemoryStores
from headrace_sdk.testing.state import DirectState
from headrace_sdk.testing.world import MemoryHttp, MemoryLock, World, held


@dataclass(frozen=True, slots=True)
class Trigger:
    """A node that a plugin fired."""

    flow_id: str
    node_id: str
    data: Json
    waits: bool


@dataclass(slots=True)
class MemoryPluginContext:
    """A `headrace_sdk.plugins.PluginContext` whose deeds can be read afterwards. It is of the service `service`."""

    world: World
    service: str = "acme.test"
    answers: Callable[[Trigger], Triggered] = lambda trigger: Triggered(202)
    triggered: list[Trigger] = field(default_factory=list)
    logs: list[tuple[LogLevel, str | JsonObject]] = field(default_factory=list)

    @property
    def config(self) -> JsonObject:
        return copy.deepcopy(self.world.config)

    @property
    def api_url(self) -> str:
        return "https://api.example"

    @property
    def service_state(self) -> DirectState:
        return DirectState(self.world.room("service", self.service))

    @property
    def store(self) -> MemoryStores:
        return self.world.stores

    @property
    def files(self) -> MemoryFiles:
        return self.world.files

    @property
    def http(self) -> MemoryHttp:
        return MemoryHttp(self.world)

    @property
    def cache(self) -> MemoryCache:
        made = MemoryCache(clock=lambda: self.world.clock.now().timestamp())
        return self.world.caches.setdefault(self.service, made)

    def collection(self, name: str) -> Collection:
        return Collections(self.store, self.lock)(name)

    async def listeners(self, event: str) -> Sequence[Listener]:
        return [each for each in self.world.listeners.values() if each.event == event]

    async def trigger_listeners(
        self, event: str, payload: Json, wanted: Callable[[Listener], bool] = lambda listener: True
    ) -> int:
        listening = [each for each in await self.listeners(event) if wanted(each)]
        for each in listening:
            self.triggered.append(Trigger(each.flow_id, each.node_id, copy.deepcopy(payload), False))
        return len(listening)

    async def trigger(
        self,
        flow_id: str,
        node_id: str,
        data: Json,
        *,
        method: str = "POST",
        query: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
        hostname: str = "",
        correlation_id: str = "",
        waits: bool = True,
    ) -> Triggered:
        made = Trigger(flow_id, node_id, copy.deepcopy(data), waits)
        self.triggered.append(made)
        return self.answers(made)

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None:
        self.logs.append((level, message))

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[MemoryLock]:
        return held(self.world, name)


async def run_route(
    handler: Handler,
    *,
    method: str = "GET",
    path: str = "/",
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    query: JsonObject | None = None,
    body: Json | bytes = None,
    user: JsonObject | None = None,
    context: MemoryPluginContext | None = None,
) -> Reply:
    """What a route answers. What it raises is raised here, `RouteError` too."""
    content = body if isinstance(body, bytes) else b"" if body is None else json_text.dumps(body).encode()
    context = context or MemoryPluginContext(World())
    heads = {name.lower(): value for name, value in (headers or {}).items()}
    request = Request(method, path, params or {}, heads, query or {}, content, user, "here.example", context)
    found = await handler(request)
    return found if isinstance(found, Reply) else Reply(found)


async def run_job(
    work: Callable[[MemoryPluginContext], Awaitable[None]], context: MemoryPluginContext | None = None
) -> MemoryPluginContext:
    """Do a job once; what it did. What it raises is raised here."""
    context = context or MemoryPluginContext(World())
    await work(context)
    return context
