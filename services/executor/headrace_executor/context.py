"""The `Context` that components see, kept by the executor: one object per step."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, Forbidden, NotFound, TooLarge, ValidationFailed
from headrace_core.expressions import Json
from headrace_core.ids import derive_id
from headrace_core.offers import offers_of
from headrace_runtime.egress.door import DoorToSockets, DoorToWeb
from headrace_sdk.caching import MemoryCache
from headrace_sdk.context import JsonObject, LogLevel
from headrace_sdk.context import Message as SdkMessage
from headrace_sdk.errors import CancelError

from headrace_executor import ports
from headrace_executor.doors import DoorToFiles, DoorToStores, DoorToTasks, HeldLock
from headrace_executor.hearing import Hearing, Listener
from headrace_executor.keeping import KeptState, RunMemory
from headrace_executor.memory import Operation
from headrace_executor.model import ERROR_PORT, HOOK_PORTS, Delivery, Run, StateChange, node_scope
from headrace_executor.plan import Plan, PlannedNode
from headrace_executor.ports import Credentials
from headrace_executor.redaction import Secrets
from headrace_executor.scopes import Envelope, scope_of

if TYPE_CHECKING:
    from headrace_executor.store import StateStore

CALL_WITHIN = timedelta(seconds=60)
"""How long another component may take that is called by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCall:
    """A component that is called by itself: what is called, with what, for whom."""

    tenant_id: str
    type: str
    out_port: str = "out"
    messages: Mapping[str, Json] = field(default_factory=dict)
    properties: Mapping[str, Json] = field(default_factory=dict)
    transform: str = ""
    flow_id: str = ""
    node_id: str = ""
    bundle_id: str = ""
    """The content whose code calls: what lies in it is called as it is there."""
    depth: int = 0
    """How many components called each other before."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call of the platform's API by a component of a service, in the name of its flow's user."""

    tenant_id: str
    service: str
    method: str
    end_point: str
    query: Mapping[str, Json]
    body: Json
    call_id: str


MAX_LOGS = 100
MAX_OFFERS = 20_000
MOST_CACHES, MOST_CACHED = 200, 100
MAX_TIMEOUT = timedelta(days=31)


class Caches:
    """The caches of built-in components: one for each tenant and service, as long as there are not too many."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], MemoryCache] = OrderedDict()

    def of(self, *owner: str) -> MemoryCache:
        """The cache of this owner."""
        found = self._kept.setdefault(owner, MemoryCache(MOST_CACHED))
        self._kept.move_to_end(owner)
        if len(self._kept) > MOST_CACHES:
            self._kept.popitem(last=False)
        return found


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways out of a step."""

    clock: Clock
    state: StateStore
    schedules: ports.Schedules
    stores: ports.DataStores
    files: ports.FileStore
    tasks: ports.Tasks
    web: ports.Web
    flows: ports.Flows
    public_url: str
    caches: Caches
    call: Callable[[StaticCall, timedelta], Awaitable[Json]]
    hearing: Callable[[], Hearing]
    api: Callable[[ApiCall], Awaitable[Json]]
    signal: Callable[[Plan, str, Json], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class MemoryOfNode:
    """What a node remembers in this run: its values now, and a way to ask for a named operation."""

    values: Callable[[], Mapping[str, Json]]
    ask: Callable[[str, Operation], Json]


@dataclass(slots=True)
class Effects:
    """What a step did besides sending messages; the run applies it with the step's commit."""

    outputs: list[tuple[str, Json]] = field(default_factory=list)
    envelopes: dict[int, Envelope] = field(default_factory=dict)  # of outputs, by their places
    logs: list[Json] = field(default_factory=list)
    timeouts: list[tuple[str, Json, float]] = field(default_factory=list)
    cancelled_timeouts: list[str] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)
    response: dict[str, Json] | None = None
    call: tuple[str, str, Json] | None = None
    answer: list[Json] = field(default_factory=list)
    wakes: list[tuple[str, Json]] = field(default_factory=list)
    stops_flow: bool = False

    def hide(self, secrets: Secrets) -> None:
        """Take out what the step was given to act with, wherever it put it."""
        self.outputs = [(port, secrets.json(content)) for port, content in self.outputs]
        for place, each in self.envelopes.items():
            self.envelopes[place] = Envelope.from_json(cast("JsonObject", secrets.json(each.to_json())))
        self.logs = [secrets.json(each) for each in self.logs]
        self.timeouts = [(name, secrets.json(content), due) for name, content, due in self.timeouts]
        # In place: the step's state goes on writing into the same list.
        self.changes[:] = [
            replace(each, value=secrets.packed(each.value)) if each.value else each for each in self.changes
        ]
        self.answer = [secrets.json(each) for each in self.answer]
        self.wakes = [(name, secrets.json(content)) for name, content in self.wakes]
        if self.response is not None:
            self.response = cast("dict[str, Json]", secrets.json(self.response))
        if self.call is not None:
            flow_id, node_id, content = self.call
            self.call = (flow_id, node_id, secrets.json(content))


class StepContext:
    """Implements `headrace_sdk.Context`. `checkpoint` is awaited when many outputs have gathered."""

    __slots__ = (
        "_checkpoint",
        "_content",
        "_credentials",
        "_delivery",
        "_doors",
        "_draws",
        "_inputs",
        "_memory",
        "_messages",
        "_node",
        "_now",
        "_plan",
        "_run",
        "_seen",
        "effects",
    )

    def __init__(
        self,
        doors: Doors,
        plan: Plan,
        node: PlannedNode,
        run: Run,
        delivery: Delivery,
        content: Json,
        messages: Mapping[str, list[SdkMessage]],
        memory: MemoryOfNode,
        now: datetime,
        checkpoint: Callable[[], Awaitable[None]],
        inputs: Mapping[str, list[Json]] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._credentials = credentials
        self._doors = doors
        self._plan = plan
        self._node = node
        self._run = run
        self._delivery = delivery
        self._content = content
        self._messages = messages
        self._inputs = inputs or {}
        self._memory = RunMemory(memory.values, memory.ask, self._next_id)
        self._now = now
        self._checkpoint = checkpoint
        self._draws = 0
        self._seen: dict[str, KeptState] | None = None
        self.effects = Effects()

    # Who it is.

    @property
    def tenant_id(self) -> str:
        return self._run.tenant_id

    @property
    def flow_id(self) -> str:
        return self._plan.flow_id

    @property
    def flow_name(self) -> str:
        return self._plan.name

    @property
    def node_id(self) -> str:
        return self._node.id

    @property
    def component_type(self) -> str:
        return self._node.type

    @property
    def label(self) -> str:
        return self._node.label

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @property
    def correlation_id(self) -> str:
        return self._run.correlation_id

    @property
    def step_id(self) -> str:
        return self._delivery.id

    @property
    def idempotency_key(self) -> str:
        return self._delivery.id

    @property
    def attempt(self) -> int:
        return self._delivery.attempts + 1

    @property
    def now(self) -> datetime:
        return self._now

    @property
    def flow_descriptor(self) -> JsonObject:
        return copy.deepcopy(dict(self._plan.descriptor))

    @property
    def custom_fields(self) -> JsonObject:
        return copy.deepcopy(dict(self._plan.custom_fields))

    @property
    def plan(self) -> Plan:
        """The flow version that the step is of."""
        return self._plan

    @property
    def node(self) -> PlannedNode:
        """The node that the step is of."""
        return self._node

    @property
    def webhook_base(self) -> str:
        """What the addresses of the flow's webhooks begin with."""
        return f"{self._doors.public_url}/flows/{self.flow_id}/components"

    @property
    def sends_anywhere(self) -> bool:
        """Whether messages may leave by ports that the manifest does not name."""
        return self._node.has_any_out_port or self._delivery.port in HOOK_PORTS

    def answering(self, number: int) -> None:
        """What happens next answers the component's question of this number, and is named after it.

        A component in another process asks over a wire, on which the order of questions is not kept.
        """
        self._draws = number << 16

    # What arrived.

    @property
    def port(self) -> str:
        return self._delivery.port

    @property
    def content(self) -> Json:
        return self._content

    @property
    def messages(self) -> Mapping[str, list[SdkMessage]]:
        return self._messages

    @property
    def inputs(self) -> Mapping[str, list[Json]]:
        """What was filled from each of the messages, in their order; nothing where nothing was."""
        return self._inputs

    @property
    def properties(self) -> Mapping[str, Json]:
        return self._node.properties

    @property
    def auth(self) -> JsonObject:
        found = self._credentials
        return copy.deepcopy(dict(found.auth)) if found is not None and found.auth is not None else {}

    @property
    def config(self) -> JsonObject:
        return copy.deepcopy(dict(self._credentials.config)) if self._credentials is not None else {}

    # What it keeps.

    @property
    def state(self) -> KeptState:
        return self._kept(node_scope(self.tenant_id, self.flow_id, self.node_id))

    @property
    def flow_state(self) -> KeptState:
        return self._kept(f"{self.tenant_id}/flow/{self.flow_id}/all")

    @property
    def service_state(self) -> KeptState:
        vendor, service, *_ = self.component_type.split(".")
        return self._kept(f"{self.tenant_id}/service/{vendor}.{service}")

    @property
    def run_state(self) -> RunMemory:
        return self._memory

    def _kept(self, scope: str) -> KeptState:
        if self._seen is None:
            self._seen = {}
        if scope not in self._seen:
            self._seen[scope] = KeptState(self._doors.state, scope, self._run, self._next_id, self.effects.changes)
        return self._seen[scope]

    # The ways out.

    @property
    def store(self) -> DoorToStores:
        return DoorToStores(self._doors.stores, self.tenant_id, self.flow_id, self.node_id, self._next_id)

    @property
    def files(self) -> DoorToFiles:
        return DoorToFiles(self._doors.files, self.tenant_id, self._next_id)

    @property
    def tasks(self) -> DoorToTasks:
        teller = ports.Teller(self.flow_id, self.node_id, self.webhook_url())
        return DoorToTasks(self._doors.tasks, self.tenant_id, teller, self._next_id)

    @property
    def cache(self) -> MemoryCache:
        return self._doors.caches.of(self.tenant_id, *self.component_type.split(".")[:2])

    @property
    def tcp(self) -> DoorToSockets:
        return DoorToSockets(self._doors.web.connect)

    @property
    def http(self) -> DoorToWeb:
        return DoorToWeb(self._doors.web.request)

    async def scope(self) -> JsonObject:
        return scope_of(self._delivery.message, self.node_id, self._delivery.port)

    def offers(self, node_id: str) -> list[Json]:
        """The variables of a node of the flow; without an id of everything that comes before this one."""
        nodes, graph = self._plan.nodes, self._plan.graph
        if node_id and node_id not in nodes:
            raise CancelError(f"The flow has no component {node_id[:200]}.")
        wanted = {node_id} if node_id else graph.ancestors(self.node_id)
        asked = [each for each in nodes.values() if each.id in wanted]
        found = [offer for each in asked for offer in offers_of(each.node, each.manifest, {})]
        return [
            {
                "nodeId": each.node_id,
                "port": each.port,
                "path": each.path,
                "label": each.label,
                "schema": each.schema,
                "variable": each.variable,
            }
            for each in found[:MAX_OFFERS]
        ]

    async def send_json(
        self,
        value: Json,
        port: str = "out",
        *,
        scope: Mapping[str, Json] | None = None,
        headers: Mapping[str, Json] | None = None,
    ) -> None:
        node = self._node
        if port not in node.out_ports and not self.sends_anywhere:
            known = ", ".join(sorted(node.out_ports)) or "none"
            raise CancelError(f"{node.type} has no out-port {port}: its out-ports are {known}.")
        if port == ERROR_PORT and port not in node.out_ports:
            raise CancelError("The out-port error belongs to the platform.")
        if scope is not None or headers:
            self.effects.envelopes[len(self.effects.outputs)] = Envelope(scope, headers)
        self.effects.outputs.append((port, value))
        if len(self.effects.outputs) >= CHECKPOINT_OUTPUTS:
            await self._checkpoint()

    async def send_array(self, values: Sequence[Json], port: str = "out") -> None:
        for value in values:
            await self.send_json(value, port)

    async def response(
        self, body: Json | bytes = None, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        if isinstance(body, bytes):
            body = body.decode("utf-8", "replace")
        self.effects.response = {"body": body, "status": int(status), "headers": dict(headers or {})}

    async def call_flow(self, flow_id: str, node_id: str, content: Json) -> None:
        self.effects.call = (flow_id, node_id, content)

    async def answer_call(self, content: Json) -> None:
        self.effects.answer.append(content)

    @property
    def call_depth(self) -> int:
        """How many components called each other, this one included, where one is called now."""
        return 0

    async def call(
        self,
        component_type: str,
        port: str = "out",
        *,
        messages: Mapping[str, Json] | None = None,
        properties: Mapping[str, Json] | None = None,
        transform: str = "",
    ) -> Json:
        asked = StaticCall(
            tenant_id=self.tenant_id,
            type=component_type,
            out_port=port,
            messages=messages or {},
            properties=properties or {},
            transform=transform,
            flow_id=self.flow_id,
            node_id=self.node_id,
            bundle_id=self._node.traits.bundle_id,
            depth=self.call_depth,
        )
        return await called(self._doors, asked)

    async def call_api(
        self, method: str, end_point: str, query: Mapping[str, Json] | None = None, body: Json = None
    ) -> Json:
        """What the platform's API answers to the flow's user."""
        service = ".".join(self.component_type.split(".")[:2])
        return await self._doors.api(
            ApiCall(self.tenant_id, service, method.upper(), end_point, query or {}, body, self._next_id())
        )

    async def send_signal(self, content: Json) -> None:
        """Tell the components of the flow that hear signals; secrets of the account are hidden from them."""
        found = self._credentials
        shown = content if found is None else Secrets(found.secrets).json(content)
        await self._doors.signal(self._plan, f"signal:{self._next_id()}", shown)

    async def listen(self, event: str, params: Json = None) -> None:
        """Hear of an event of the service's plugin from now on."""
        found = self._credentials
        secrets = () if found is None else found.secrets
        try:
            await self._doors.hearing().add(self._listener(event, params), secrets)
        except (BadRequest, TooLarge) as error:
            raise CancelError(str(error)) from error

    async def unlisten(self, event: str) -> None:
        """Hear of it no more."""
        await self._doors.hearing().remove(self._listener(event))

    def _listener(self, event: str, params: Json = None) -> Listener:
        return Listener(self.tenant_id, self.flow_id, self.node_id, self.component_type, event, params)

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None:
        if len(self.effects.logs) < MAX_LOGS:
            self.effects.logs.append({"level": level, "message": message})

    async def stop_flow(self) -> None:
        self.effects.stops_flow = True

    def webhook_url(self, node_id: str | None = None) -> str:
        return f"{self.webhook_base}/{node_id or self.node_id}"

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[HeldLock]:
        vendor, service, *_ = self.component_type.split(".")
        full = f"{self.tenant_id}/{vendor}.{service}/{name}"
        holder = f"{self.step_id}.{self._next_id()}"
        return HeldLock(self._doors.schedules, self._doors.clock, full, holder, ttl, retry_delay, retries)

    async def set_timeout(self, content: Json, delay: timedelta | datetime) -> str:
        due = delay if isinstance(delay, datetime) else self._now + delay
        if due - self._now > MAX_TIMEOUT:
            raise CancelError(f"A timeout may be {MAX_TIMEOUT.days} days away at most.")
        name = f"{self.run_id}.{derive_id('timeout', self._next_id())}"
        self.effects.timeouts.append((name, content, due.timestamp()))
        return name

    async def wake(self, timeout_id: str, content: Json) -> None:
        self.effects.wakes.append((timeout_id, content))

    async def clear_timeout(self, timeout_id: str) -> None:
        kept = [timeout for timeout in self.effects.timeouts if timeout[0] != timeout_id]
        if len(kept) == len(self.effects.timeouts):
            self.effects.cancelled_timeouts.append(timeout_id)
        self.effects.timeouts = kept

    def _next_id(self) -> str:
        """A name for the next thing this step does outside; a repeated step draws the same names in the same order."""
        self._draws += 1
        return f"{self._delivery.id}.{self._draws}"


CHECKPOINT_OUTPUTS = 200


async def called(doors: Doors, asked: StaticCall) -> Json:
    """What a component answers that another one calls. Raises CancelError where trying again would not help."""
    try:
        return await doors.call(asked, CALL_WITHIN)
    except (ValidationFailed, BadRequest, NotFound, Forbidden) as error:
        raise CancelError(str(error)) from error


def sdk_message(delivery: Delivery, correlation_id: str) -> SdkMessage:
    """A delivery as a component sees it: the content as it was edited, else as it was sent, before the transform."""
    message = delivery.message
    content = cast("Json", delivery.content) if delivery.is_edited else message.content
    headers = message.envelope.headers if message.envelope is not None else None
    return SdkMessage(content, message.node, message.port, correlation_id, dict(headers or {}))
