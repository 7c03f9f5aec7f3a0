"""The `Context` that a component sees in a runner: it is told things with the call, and asks the host for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import orjson
from headrace_core import Json
from headrace_sdk.context import Cache, Http, JsonObject, LogLevel, Message, Tcp
from headrace_sdk.errors import CancelError

from headrace_runner.asking import Ask, HostFiles, HostLock, HostState, HostStores, HostTasks, Sent, as_json, held

AHEAD_OUTPUTS = 200
AHEAD_BYTES = 1024 * 1024
MAX_LOGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a call is told."""

    tenant_id: str
    flow_id: str
    flow_name: str
    node_id: str
    component_type: str
    label: str
    run_id: str
    correlation_id: str
    step_id: str
    attempt: int
    now: datetime
    port: str
    content: Json
    messages: Mapping[str, list[Message]]
    properties: Mapping[str, Json]
    out_ports: frozenset[str]
    any_out_port: bool
    webhook_base: str
    descriptor: bytes
    custom_fields: bytes
    auth: JsonObject
    config: JsonObject


@dataclass(slots=True)
class Done:
    """What a call did that goes with its answer. Contents are JSON."""

    outputs: list[Sent] = field(default_factory=list)
    logs: list[tuple[str, bytes]] = field(default_factory=list)
    response: tuple[bytes, int, Mapping[str, str]] | None = None
    call: tuple[str, str, bytes] | None = None
    answers: list[bytes] = field(default_factory=list)
    wakes: list[tuple[str, bytes]] = field(default_factory=list)
    stops_flow: bool = False


class RunnerContext:
    """Implements `headrace_sdk.Context`."""

    def __init__(self, told: Told, ask: Ask, http: Http, tcp: Tcp, cache: Cache) -> None:
        self._told = told
        self._ask = ask
        self._bytes_ahead = 0
        self.http = http
        self.tcp = tcp
        self.cache = cache
        self.done = Done()
        self.state = HostState(ask, "node")
        self.flow_state = HostState(ask, "flow")
        self.service_state = HostState(ask, "service")
        self.run_state = HostState(ask, "run")
        self.store = HostStores(ask)
        self.files = HostFiles(ask)
        self.tasks = HostTasks(ask)

    # Who it is and what arrived.

    @property
    def tenant_id(self) -> str:
        return self._told.tenant_id

    @property
    def flow_id(self) -> str:
        return self._told.flow_id

    @property
    def flow_name(self) -> str:
        return self._told.flow_name

    @property
    def node_id(self) -> str:
        return self._told.node_id

    @property
    def component_type(self) -> str:
        return self._told.component_type

    @property
    def label(self) -> str:
        return self._told.label

    @property
    def run_id(self) -> str:
        return self._told.run_id

    @property
    def correlation_id(self) -> str:
        return self._told.correlation_id

    @property
    def step_id(self) -> str:
        return self._told.step_id

    @property
    def idempotency_key(self) -> str:
        return self._told.step_id

    @property
    def attempt(self) -> int:
        return self._told.attempt

    @property
    def now(self) -> datetime:
        return self._told.now

    @property
    def flow_descriptor(self) -> JsonObject:
        return cast("JsonObject", orjson.loads(self._told.descriptor))  # the host wrote an object

    @property
    def custom_fields(self) -> JsonObject:
        return cast("JsonObject", orjson.loads(self._told.custom_fields))  # the host wrote an object

    @property
    def port(self) -> str:
        return self._told.port

    @property
    def content(self) -> Json:
        return self._told.content

    @property
    def messages(self) -> Mapping[str, list[Message]]:
        return self._told.messages

    @property
    def properties(self) -> Mapping[str, Json]:
        return self._told.properties

    @property
    def auth(self) -> JsonObject:
        return self._told.auth

    @property
    def config(self) -> JsonObject:
        return self._told.config

    # What it does.

    async def send_json(
        self,
        value: Json,
        port: str = "out",
        *,
        scope: Mapping[str, Json] | None = None,
        headers: Mapping[str, Json] | None = None,
    ) -> None:
        told, done = self._told, self.done
        if port not in told.out_ports and not told.any_out_port:
            known = ", ".join(sorted(told.out_ports)) or "none"
            raise CancelError(f"{told.component_type} has no out-port {port}: its out-ports are {known}.")
        written = as_json(value, "what is sent")
        output = Sent(port, written, _object(scope, "the scope"), _object(headers, "the headers"))
        done.outputs.append(output)
        self._bytes_ahead += len(written) + len(output.scope) + len(output.headers)
        if len(done.outputs) >= AHEAD_OUTPUTS or self._bytes_ahead >= AHEAD_BYTES:
            ahead, done.outputs = done.outputs, []
            self._bytes_ahead = 0
            await self._ask.outputs(ahead)

    async def listen(self, event: str, params: Json = None) -> None:
        await self._ask.listen("add", event, params)

    async def unlisten(self, event: str) -> None:
        await self._ask.listen("remove", event, None)

    async def send_signal(self, content: Json) -> None:
        await self._ask.signal(content)

    async def call_api(
        self, method: str, end_point: str, query: Mapping[str, Json] | None = None, body: Json = None
    ) -> Json:
        return await self._ask.api(method, end_point, query or {}, body)

    async def scope(self) -> JsonObject:
        return cast("JsonObject", await self._ask.scope())

    async def send_array(self, values: Sequence[Json], port: str = "out") -> None:
        for value in values:
            await self.send_json(value, port)

    async def response(
        self, body: Json | bytes = None, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        if isinstance(body, bytes):
            body = body.decode("utf-8", "replace")
        shown = {str(name): str(value) for name, value in (headers or {}).items()}
        self.done.response = (as_json(body, "the answer"), int(status), shown)

    async def call_flow(self, flow_id: str, node_id: str, content: Json) -> None:
        self.done.call = (flow_id, node_id, as_json(content, "what a flow is called with"))

    async def wake(self, timeout_id: str, content: Json) -> None:
        self.done.wakes.append((timeout_id, as_json(content, "what a timeout goes off with")))

    async def answer_call(self, content: Json) -> None:
        self.done.answers.append(as_json(content, "the answer"))

    async def call(
        self,
        component_type: str,
        port: str = "out",
        *,
        messages: Mapping[str, Json] | None = None,
        properties: Mapping[str, Json] | None = None,
        transform: str = "",
    ) -> Json:
        return await self._ask.call(component_type, port, messages or {}, properties or {}, transform)

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None:
        if len(self.done.logs) < MAX_LOGS:
            self.done.logs.append((level, as_json(message, "what is logged")))

    async def stop_flow(self) -> None:
        self.done.stops_flow = True

    def webhook_url(self, node_id: str | None = None) -> str:
        return f"{self._told.webhook_base}/{node_id or self.node_id}"

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[HostLock]:
        return held(self._ask, name, ttl, retry_delay, retries)

    async def set_timeout(self, content: Json, delay: timedelta | datetime) -> str:
        due = delay if isinstance(delay, datetime) else self.now + delay
        return await self._ask.set_timeout(as_json(content, "what a timeout carries"), due)

    async def clear_timeout(self, timeout_id: str) -> None:
        await self._ask.clear_timeout(timeout_id)


def _object(value: Mapping[str, Json] | None, what: str) -> bytes:
    return as_json(dict(value), what) if value is not None else b""
