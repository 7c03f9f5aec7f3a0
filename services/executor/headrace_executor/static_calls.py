"""Static calls: a component called once, outside of any flow and without any state.

Forms ask by them what they offer, and components ask each other. The first message on the out-port is the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from headrace_core.clock import Clock
from headrace_core.errors import (
    BadRequest,
    DeadlineExceeded,
    HeadraceError,
    Problem,
    RateLimited,
    Unavailable,
    ValidationFailed,
)
from headrace_core.expressions import Json
from headrace_core.ids import new_id
from headrace_core.manifest import Manifest
from headrace_sdk import CancelError, JsonObject, LogLevel
from headrace_sdk.component import carry_out
from headrace_sdk.context import Message as SdkMessage
from headrace_sdk.errors import ComponentError, RateLimitedError, TransientError

from headrace_executor.context import Doors, MemoryOfNode, StaticCall, StepContext
from headrace_executor.doors import DoorToStores, DoorToTasks
from headrace_executor.keeping import KeptState, RunMemory
from headrace_executor.model import Delivery, Message, Parked, Run, RunState
from headrace_executor.plan import ComponentEntry, Components, Plan, compile_plan
from headrace_executor.ports import Catalog, Credentials, PublishedComponent
from headrace_executor.redaction import Secrets
from headrace_executor.retry import CutShort, describe

MAX_DEPTH = 4
"""How many components may call each other in a row."""

AT_ONCE = 32
"""Static calls of one tenant at the same time."""

NODE = "call"
NO_STATE = "A static call has no state: there is no run that it could belong to."
NO_NODE = "A static call is of no node that could hear of changes."
READ_ONLY = "A static call reads the state of its service, and does not change it."

logger = logging.getLogger(__name__)


class Library(Protocol):
    """Makes components ready to be called."""

    async def component(self, tenant_id: str, published: PublishedComponent) -> ComponentEntry:
        """The component. Raises what loading it raises."""
        ...

    async def transform(self, entry: ComponentEntry, name: str, value: Json) -> Json:
        """The value as a transform of the component leaves it: by name, or as `./file#name`.

        Raises ValidationFailed or BadRequest where there is none, and what the transform raises.
        """
        ...


class Quotas(Protocol):
    """Says when a call may be made."""

    async def wait_for_call(self, manifest: Manifest, tenant_id: str, request_id: str) -> Parked | None:
        """What the call waits for; None when it may be made, until `end`."""
        ...

    async def end(self, call_id: str) -> None:
        """The call of this id is over."""
        ...


class Accounts(Protocol):
    """Has what components act with."""

    async def for_call(self, manifest: Manifest, asked: tuple[str, str, str]) -> Credentials | None:
        """What a component acts with for a node (tenant, flow, node). Raises ComponentError where there is none."""
        ...


class StaticCalls:
    """Calls components once."""

    def __init__(
        self,
        catalog: Catalog,
        library: Library,
        quotas: Quotas,
        accounts: Accounts,
        doors: Doors,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._accounts = accounts
        self._catalog = catalog
        self._library = library
        self._quotas = quotas
        self._doors = doors
        self._clock = clock
        self._public_url = public_url
        self._under_way: Counter[str] = Counter()

    async def call(self, asked: StaticCall, within: timedelta) -> Json:
        """The answer. Raises NotFound, Forbidden, ValidationFailed, RateLimited and DeadlineExceeded.

        What the component itself fails at is BadRequest, or Unavailable where it may pass.
        """
        if asked.depth > MAX_DEPTH:
            raise BadRequest(f"At most {MAX_DEPTH} components call each other in a row.")
        try:
            with self._counted(asked):
                async with asyncio.timeout(within.total_seconds()):
                    return await self._call(asked)
        except TimeoutError:
            said = f"{asked.type} did not answer within {within.total_seconds():g} s."
            raise DeadlineExceeded(said) from None

    async def _call(self, asked: StaticCall) -> Json:
        published = await self._catalog.component(asked.tenant_id, asked.type, asked.bundle_id)
        entry = await self._entry(asked, published)
        _check_port(entry.manifest, asked.out_port)
        call_id = new_id()
        try:
            await self._wait_for_quota(entry.manifest, asked, call_id)
            return await self._answer(asked, entry)
        finally:
            await self._quotas.end(call_id)

    @contextmanager
    def _counted(self, asked: StaticCall) -> Iterator[None]:
        """Raises RateLimited when the tenant has too many calls under way; what components call counts with theirs."""
        if asked.depth == 0 and self._under_way[asked.tenant_id] >= AT_ONCE:
            raise RateLimited(f"{AT_ONCE} components are called at once already. Wait for one of them.")
        self._under_way[asked.tenant_id] += 1
        try:
            yield
        finally:
            self._under_way[asked.tenant_id] -= 1
            if not self._under_way[asked.tenant_id]:
                del self._under_way[asked.tenant_id]

    async def _entry(self, asked: StaticCall, published: PublishedComponent) -> ComponentEntry:
        try:
            return await self._library.component(asked.tenant_id, published)
        except Exception as error:  # of somebody else's component
            raise _refusal(asked, error) from error

    async def _wait_for_quota(self, manifest: Manifest, asked: StaticCall, call_id: str) -> None:
        """Wait while the component's quota is used up, as long as its manifest says. Raises RateLimited."""
        longest = manifest.quota.max_wait if manifest.quota is not None else timedelta()
        until = self._clock.now() + longest
        while (parked := await self._quotas.wait_for_call(manifest, asked.tenant_id, call_id)) is not None:
            now = self._clock.now()
            due = parked.due or now
            if due > until:
                raise RateLimited(parked.reason, retry_after=max(due - now, timedelta(seconds=1)))
            await self._clock.sleep(max(0.01, (due - now).total_seconds()))

    async def _answer(self, asked: StaticCall, entry: ComponentEntry) -> Json:
        secrets = Secrets(())
        try:
            whose = (asked.tenant_id, asked.flow_id, asked.node_id)
            credentials = await self._accounts.for_call(entry.manifest, whose)
            secrets = Secrets(() if credentials is None else credentials.secrets)
            context = self._context(asked, entry, credentials)
            await carry_out(entry.component.receive(context), context)
            if not context.answers:
                said = f"{asked.type} sent nothing to its out-port {asked.out_port}, so there is no answer."
                raise BadRequest(said)
            found = secrets.json(context.answers[0])
            return await self._library.transform(entry, asked.transform, found) if asked.transform else found
        except HeadraceError:
            raise
        except Exception as error:  # of somebody else's component
            raise _refusal(asked, error, secrets) from None

    def _context(self, asked: StaticCall, entry: ComponentEntry, credentials: Credentials | None) -> StaticContext:
        plan = self._plan(asked, entry)
        port, content = next(iter(asked.messages.items()), (_first_port(entry.manifest), {}))
        messages = {
            name: [SdkMessage(each, asked.node_id, name, asked.node_id)] for name, each in asked.messages.items()
        }
        delivery = Delivery(new_id(), Message(new_id(), asked.node_id, port, content), NODE, port)
        run = _no_run(asked, self._clock.now())
        now = self._clock.now()
        return StaticContext(asked, self._doors, plan, run, delivery, content, messages, now, credentials)

    def _plan(self, asked: StaticCall, entry: ComponentEntry) -> Plan:
        node: JsonObject = {"type": entry.type, "source": {}, "config": {"properties": dict(asked.properties)}}
        plan = compile_plan(
            Components([entry]),
            flow_id=asked.flow_id,
            version=0,
            tenant_id=asked.tenant_id,
            name="",
            descriptor={NODE: node},
            custom_fields={},
            log_level="none",
            public_url=self._public_url,
        )
        plan.descriptor = {}
        plan.key = _SHEET
        return plan


_SHEET = "static"
"""All static calls have one sheet: an empty one."""


class StaticContext(StepContext):
    """What a component sees that is called by itself. The first message on the out-port is kept."""

    __slots__ = ("_asked", "answers")

    def __init__(
        self,
        asked: StaticCall,
        doors: Doors,
        plan: Plan,
        run: Run,
        delivery: Delivery,
        content: Json,
        messages: Mapping[str, list[SdkMessage]],
        now: datetime,
        credentials: Credentials | None,
    ) -> None:
        memory, node = MemoryOfNode(dict, _no_memory), plan.nodes[NODE]
        super().__init__(
            doors,
            plan,
            node,
            run,
            delivery,
            content,
            messages,
            memory,
            now,
            _no_checkpoint,
            credentials=credentials,
        )
        self._asked = asked
        self.answers: list[Json] = []

    @property
    def node_id(self) -> str:
        return self._asked.node_id

    @property
    def call_depth(self) -> int:
        return self._asked.depth + 1

    @property
    def state(self) -> KeptState:
        raise CancelError(NO_STATE)

    @property
    def flow_state(self) -> KeptState:
        raise CancelError(NO_STATE)

    @property
    def run_state(self) -> RunMemory:
        raise CancelError(NO_STATE)

    def _kept(self, scope: str) -> KeptState:
        return _ReadState(self._doors.state, scope, self._run, self._next_id, [])

    async def send_json(
        self,
        value: Json,
        port: str = "out",
        *,
        scope: Mapping[str, Json] | None = None,
        headers: Mapping[str, Json] | None = None,
    ) -> None:
        if port not in self._node.out_ports and not self.sends_anywhere:
            known = ", ".join(sorted(self._node.out_ports)) or "none"
            raise CancelError(f"{self._node.type} has no out-port {port}: its out-ports are {known}.")
        if port == self._asked.out_port and not self.answers:
            self.answers.append(value)

    async def send_signal(self, content: Json) -> None:
        raise CancelError(NO_NODE)

    async def listen(self, event: str, params: Json = None) -> None:
        raise CancelError(NO_NODE)

    async def unlisten(self, event: str) -> None:
        raise CancelError(NO_NODE)

    @property
    def store(self) -> DoorToStores:
        return _DeafStores(self._doors.stores, self.tenant_id, "", "", self._next_id)

    async def call_flow(self, flow_id: str, node_id: str, content: Json) -> None:
        raise CancelError("A static call cannot wait for another flow.")

    @property
    def tasks(self) -> DoorToTasks:
        raise CancelError("A static call asks nobody: there is no node that would hear how it ends.")

    async def wake(self, timeout_id: str, content: Json) -> None:
        raise CancelError("A static call wakes no run.")

    async def stop_flow(self) -> None:
        raise CancelError("A static call belongs to no flow that could be stopped.")

    async def set_timeout(self, content: Json, delay: timedelta | datetime) -> str:
        raise CancelError("A static call has no timeouts: there is no run that they could come back to.")

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None:
        found = self._credentials
        said = Secrets(() if found is None else found.secrets).text(str(message)[:1_000])
        logger.info("Static call of %s: %s", self._asked.type, said)


class _DeafStores(DoorToStores):
    """Data stores as a static call sees them: no node of a flow could hear of changes."""

    async def listen(self, store_id: str, events: Sequence[str]) -> None:
        raise CancelError(NO_NODE)

    async def unlisten(self, store_id: str) -> None:
        raise CancelError(NO_NODE)


class _ReadState(KeptState):
    """State of a service as a static call sees it: to be read."""

    async def set(self, key: str, value: Json) -> None:
        raise CancelError(READ_ONLY)

    async def unset(self, key: str) -> None:
        raise CancelError(READ_ONLY)

    async def clear(self) -> None:
        raise CancelError(READ_ONLY)

    async def _apply(self, verb: str, key: str, value: Json) -> Json:
        raise CancelError(READ_ONLY)


def _check_port(manifest: Manifest, out_port: str) -> None:
    if manifest.out_port(out_port) is None and not manifest.has_dynamic_out_ports:
        known = ", ".join(port.name for port in manifest.out_ports) or "none"
        problem = Problem(
            "outPort", f"{manifest.name} has no out-port {out_port[:200]!r}.", f"Its out-ports are: {known}."
        )
        raise ValidationFailed([problem])


def _refusal(asked: StaticCall, error: Exception, secrets: Secrets | None = None) -> HeadraceError:
    """What somebody who called a component hears of its failure, without what it acted with."""
    secrets = secrets or Secrets(())
    said = secrets.text(f"{asked.type}: {describe(error)}")
    if isinstance(error, HeadraceError):
        return error
    if isinstance(error, RateLimitedError):
        return RateLimited(said, retry_after=error.retry_after or timedelta(seconds=1))
    if isinstance(error, (TransientError, CutShort, ConnectionError)):
        return Unavailable(said)
    details: dict[str, Json] = {"component": asked.type, "name": type(error).__name__}
    if isinstance(error, ComponentError) and error.data is not None:
        details["data"] = secrets.json(error.data)
    return BadRequest(said, details=details)


def _first_port(manifest: Manifest) -> str:
    return manifest.in_ports[0].name if manifest.in_ports else "in"


def _no_run(asked: StaticCall, now: datetime) -> Run:
    """A run that is nowhere on record."""
    return Run(
        run_id="",
        tenant_id=asked.tenant_id,
        flow_id=asked.flow_id,
        version=0,
        trigger_id=NODE,
        port="",
        event_id="",
        correlation_id="",
        caller="",
        content=b"null",
        state=RunState.RUNNING,
        epoch=0,
        owner="",
        seq=0,
        steps=0,
        pending=0,
        failed=0,
        created=now.timestamp(),
        updated=now.timestamp(),
        due=None,
        error="",
        deaths=0,
        suspect="",
    )


def _no_memory(name: str, operation: object) -> Json:
    raise CancelError(NO_STATE)


async def _no_checkpoint() -> None:
    """Nothing is sent on."""
