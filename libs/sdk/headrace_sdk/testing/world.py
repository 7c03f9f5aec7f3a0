"""A platform in memory, and the context it gives to one call of a component."""

from __future__ import annotations

import asyncio
import copy
import json as json_text
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from urllib.parse import urlencode

from headrace_core import Json
from headrace_core.clock import Clock, TestClock

from headrace_sdk.caching import MemoryCache
from headrace_sdk.context import Http, HttpResponse, JsonObject, LogLevel, Message
from headrace_sdk.errors import CancelError, LockUnavailable, TransientError
from headrace_sdk.plugins import Listener
from headrace_sdk.testing.memory import MemoryFiles, MemoryStores, StateRoom, StepState
from headrace_sdk.testing.tasks import MemoryTasks, NodeTasks


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request a component made: query in the url, body as bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes
    timeout: timedelta | None


HttpHandler: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponse]]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to the HTTP caller."""

    body: Json | bytes
    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Timeout:
    """A timeout that was set: fires port "timeout" with `content` at `due`."""

    timeout_id: str
    content: Json
    due: datetime


@dataclass(frozen=True, slots=True)
class Envelope:
    """What went with a message besides its content."""

    scope: Mapping[str, Json] | None = None
    headers: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class FlowCall:
    """A call of another flow."""

    flow_id: str
    node_id: str
    content: Json


@dataclass(frozen=True, slots=True)
class ComponentCall:
    """A call of another component, by itself."""

    component_type: str
    port: str
    messages: Mapping[str, Json]
    properties: Mapping[str, Json]
    transform: str


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call of the platform's API by a component."""

    method: str
    end_point: str
    query: JsonObject
    body: Json


ApiHandler: TypeAlias = Callable[[ApiCall], Awaitable[Json]]
ComponentHandler: TypeAlias = Callable[[ComponentCall], Awaitable[Json]]


async def no_api(call: ApiCall) -> Json:
    """The API of a test that gave none."""
    raise CancelError(f"Nothing answers at {call.end_point}: give the test's World an `api` handler.")


async def no_components(call: ComponentCall) -> Json:
    """The components of a test that gave none."""
    raise CancelError(f"There is no component {call.component_type}: give the test's World a `components` handler.")


class MemoryTcp:
    """A `headrace_sdk.Tcp` of a test: it connects where the test's own servers are, and nowhere else."""

    async def connect(self, host: str, port: int, *, timeout: timedelta | None = None) -> socket.socket:
        if host not in ("127.0.0.1", "localhost"):
            raise TransientError(f"Nothing answers at {host}: a test connects to servers of its own machine.")
        try:
            made = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port), 5)
        except OSError as error:
            raise TransientError(f"Nothing answers at port {port}: {error}") from error
        made.setblocking(False)
        return made


async def no_network(request: HttpRequest) -> HttpResponse:
    """The network of a test that gave none: nothing answers."""
    raise TransientError(f"Nothing answers at {request.url}: give the test an http handler.")


@dataclass(slots=True)
class World:
    """Everything that outlives one call: states, stores, files, timeouts, the clock and the network."""

    clock: Clock = field(default_factory=TestClock)
    http: HttpHandler = no_network
    components: ComponentHandler = no_components
    api: ApiHandler = no_api
    auth: JsonObject = field(default_factory=dict)
    """What accounts are opened with."""
    config: JsonObject = field(default_factory=dict)
    """What administrators stored for services."""
    states: dict[tuple[str, ...], StateRoom] = field(default_factory=dict)
    stores: MemoryStores = field(init=False)
    caches: dict[str, MemoryCache] = field(default_factory=dict)
    files: MemoryFiles = field(default_factory=MemoryFiles)
    tasks: MemoryTasks = field(default_factory=MemoryTasks)
    timeouts: dict[str, Timeout] = field(default_factory=dict)
    requests: list[HttpRequest] = field(default_factory=list)
    listeners: dict[tuple[str, str, str], Listener] = field(default_factory=dict)
    """By flow, node and event."""
    locked: set[str] = field(default_factory=set)
    steps: int = 0

    def __post_init__(self) -> None:
        self.stores = MemoryStores(self.clock)

    def room(self, *owner: str) -> StateRoom:
        """The state of this owner; empty at first."""
        return self.states.setdefault(owner, StateRoom())

    def next_step_id(self) -> str:
        self.steps += 1
        return f"step-{self.steps}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is called, and for which run."""

    tenant_id: str = "tenant"
    flow_id: str = "flow"
    flow_name: str = "Flow"
    node_id: str = "node"
    component_type: str = "headrace.test.test.Component"
    label: str = "Component"
    run_id: str = "run"
    correlation_id: str = "correlation"
    attempt: int = 1
    flow_descriptor: JsonObject = field(default_factory=dict)
    custom_fields: JsonObject = field(default_factory=dict)


class MemoryContext:
    """A `headrace_sdk.Context` whose deeds can be read afterwards."""

    def __init__(
        self,
        world: World,
        identity: Identity,
        *,
        port: str,
        content: Json = None,
        step_id: str | None = None,
        messages: Mapping[str, list[Message]] | None = None,
        properties: Mapping[str, Json] | None = None,
        out_ports: Sequence[str] | None = None,
        scope: JsonObject | None = None,
    ) -> None:
        self._scope = scope or {}
        self.world = world
        self._identity = identity
        self._out_ports = out_ports
        self.step_id = step_id = step_id or world.next_step_id()
        self.port = port
        self.content = content
        self.messages = messages or {}
        self.properties = properties or {}
        self.auth = copy.deepcopy(world.auth)
        self.config = copy.deepcopy(world.config)
        self.owner = ("node", identity.flow_id, identity.node_id)
        self.state = StepState(world.room(*self.owner), step_id)
        self.flow_state = StepState(world.room("flow", identity.flow_id), step_id)
        self.service_state = StepState(world.room("service", _service(identity.component_type)), step_id)
        self.run_state = StepState(world.room("run", identity.run_id, identity.node_id), step_id)
        self.outputs: list[tuple[str, Json]] = []
        self.envelopes: dict[int, Envelope] = {}
        self.signals: list[Json] = []
        self.responses: list[Response] = []
        self.logs: list[tuple[LogLevel, str | JsonObject]] = []
        self.timeouts: list[Timeout] = []
        self.calls: list[FlowCall] = []
        self.answers: list[Json] = []
        self.wakes: list[tuple[str, Json]] = []
        self.stopped = False

    @property
    def tenant_id(self) -> str:
        return self._identity.tenant_id

    @property
    def flow_id(self) -> str:
        return self._identity.flow_id

    @property
    def flow_name(self) -> str:
        return self._identity.flow_name

    @property
    def node_id(self) -> str:
        return self._identity.node_id

    @property
    def component_type(self) -> str:
        return self._identity.component_type

    @property
    def label(self) -> str:
        return self._identity.label

    @property
    def run_id(self) -> str:
        return self._identity.run_id

    @property
    def correlation_id(self) -> str:
        return self._identity.correlation_id

    @property
    def attempt(self) -> int:
        return self._identity.attempt

    @property
    def idempotency_key(self) -> str:
        return self.step_id

    @property
    def flow_descriptor(self) -> JsonObject:
        return copy.deepcopy(self._identity.flow_descriptor)

    @property
    def custom_fields(self) -> JsonObject:
        return copy.deepcopy(self._identity.custom_fields)

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    @property
    def store(self) -> MemoryStores:
        return self.world.stores

    @property
    def files(self) -> MemoryFiles:
        return self.world.files

    @property
    def tasks(self) -> NodeTasks:
        return NodeTasks(self.world.tasks, self.step_id)

    @property
    def cache(self) -> MemoryCache:
        made = MemoryCache(clock=lambda: self.world.clock.now().timestamp())
        return self.world.caches.setdefault(_service(self.component_type), made)

    @property
    def tcp(self) -> MemoryTcp:
        return MemoryTcp()

    @property
    def http(self) -> MemoryHttp:
        return MemoryHttp(self.world)

    async def send_json(
        self,
        value: Json,
        port: str = "out",
        *,
        scope: Mapping[str, Json] | None = None,
        headers: Mapping[str, Json] | None = None,
    ) -> None:
        if self._out_ports is not None and port not in self._out_ports:
            raise CancelError(f"There is no out-port {port!r}: the manifest has {', '.join(self._out_ports)}.")
        if scope is not None or headers:
            self.envelopes[len(self.outputs)] = Envelope(scope, headers)
        self.outputs.append((port, json_text.loads(json_text.dumps(value, allow_nan=False))))

    async def call_api(
        self, method: str, end_point: str, query: Mapping[str, Json] | None = None, body: Json = None
    ) -> Json:
        return await self.world.api(ApiCall(method.upper(), end_point, dict(query or {}), copy.deepcopy(body)))

    async def listen(self, event: str, params: Json = None) -> None:
        made = Listener(event, copy.deepcopy(params), self.flow_id, self.node_id, self.tenant_id)
        self.world.listeners[self.flow_id, self.node_id, event] = made

    async def unlisten(self, event: str) -> None:
        self.world.listeners.pop((self.flow_id, self.node_id, event), None)

    async def send_signal(self, content: Json) -> None:
        self.signals.append(copy.deepcopy(content))

    async def scope(self) -> JsonObject:
        return copy.deepcopy(self._scope)

    async def send_array(self, values: Sequence[Json], port: str = "out") -> None:
        for value in values:
            await self.send_json(value, port)

    async def response(
        self, body: Json | bytes = None, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.responses.append(Response(body, status, dict(headers or {})))

    async def call_flow(self, flow_id: str, node_id: str, content: Json) -> None:
        self.calls.append(FlowCall(flow_id, node_id, copy.deepcopy(content)))

    async def answer_call(self, content: Json) -> None:
        self.answers.append(copy.deepcopy(content))

    async def call(
        self,
        component_type: str,
        port: str = "out",
        *,
        messages: Mapping[str, Json] | None = None,
        properties: Mapping[str, Json] | None = None,
        transform: str = "",
    ) -> Json:
        return await self.world.components(
            ComponentCall(component_type, port, dict(messages or {}), dict(properties or {}), transform)
        )

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None:
        self.logs.append((level, message))

    async def stop_flow(self) -> None:
        self.stopped = True

    def webhook_url(self, node_id: str | None = None) -> str:
        return f"https://hooks.example/flows/{self.flow_id}/components/{node_id or self.node_id}"

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[MemoryLock]:
        return held(self.world, name)

    async def set_timeout(self, content: Json, delay: timedelta | datetime) -> str:
        due = delay if isinstance(delay, datetime) else self.now + delay
        timeout = Timeout(f"{self.step_id}-timeout-{len(self.timeouts)}", copy.deepcopy(content), due.astimezone(UTC))
        self.timeouts.append(timeout)
        self.world.timeouts[timeout.timeout_id] = timeout
        return timeout.timeout_id

    async def wake(self, timeout_id: str, content: Json) -> None:
        self.wakes.append((timeout_id, copy.deepcopy(content)))

    async def clear_timeout(self, timeout_id: str) -> None:
        self.world.timeouts.pop(timeout_id, None)

    def commit(self) -> None:
        """Make what the step wrote durable."""
        for state in (self.state, self.flow_state, self.service_state, self.run_state):
            state.commit()


def _service(component_type: str) -> str:
    return ".".join(component_type.split(".")[:2])


class MemoryLock:
    """A lock of the `World`, held."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    async def extend(self, ttl: timedelta) -> None:
        if self._name not in self._world.locked:
            raise LockUnavailable(self._name)


@asynccontextmanager
async def held(world: World, name: str) -> AsyncIterator[MemoryLock]:
    """The lock, while the block runs. Raises LockUnavailable.

    Nobody else runs while a test waits, so a lock that is held now stays held: it is not tried again.
    """
    if name in world.locked:
        raise LockUnavailable(name)
    world.locked.add(name)
    try:
        yield MemoryLock(world, name)
    finally:
        world.locked.discard(name)


class MemoryHttp(Http):
    """The network of the `World`: every request goes to its handler and is kept in `requests`."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Json = None,
        data: Mapping[str, str] | None = None,
        timeout: timedelta | None = None,
    ) -> HttpResponse:
        sent_headers = dict(headers or {})
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params)
        if json is not None:
            content = json_text.dumps(json).encode()
            sent_headers.setdefault("content-type", "application/json")
        elif data is not None:
            content = urlencode(data).encode()
            sent_headers.setdefault("content-type", "application/x-www-form-urlencoded")
        request = HttpRequest(method.upper(), url, sent_headers, content or b"", timeout)
        self._world.requests.append(request)
        return await self._world.http(request)
