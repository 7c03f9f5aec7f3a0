"""An executor over real SQLite, with flows handed in by the test and every other service answered in memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from headrace_connectors import load_builtin
from headrace_core.clock import SystemClock
from headrace_core.errors import NotFound, Unavailable
from headrace_core.ports import Bus
from headrace_core.quotas import Allowance, QuotaRule
from headrace_executor.app import ExecutorApp, Published
from headrace_executor.model import RunState
from headrace_executor.ports import (
    BundleSource,
    Catalog,
    FlowSource,
    FlowTimer,
    Lease,
    LogEntry,
    LogLevel,
    Neighbours,
    PublishedComponent,
    Quotas,
    Schedules,
    WebAnswer,
)
from headrace_executor.service import Event, RunDetail
from headrace_executor.settings import ExecutorSettings, RunnerSettings
from headrace_executor.store import ExecutorStore
from headrace_executor.stores.sqlite import SqliteExecutorStore
from headrace_runtime.metrics import Metrics
from headrace_sdk import Component

TENANT = "a" * 24
COMPONENTS = load_builtin()


@dataclass(frozen=True)
class OwnComponent:
    """A component that a test brings along."""

    component: Callable[[], Component]
    type: str = "appmixer.own.test.Own"

    @property
    def manifest(self) -> Mapping[str, Any]:
        return {"name": self.type, "inPorts": [{"name": "in"}], "outPorts": [{"name": "out"}], "effect": "idempotent"}


class HandedFlows:
    """Flows as the test wrote them, all running."""

    def __init__(self) -> None:
        self.sources: dict[str, FlowSource] = {}
        self.stopped: list[str] = []
        self._versions: dict[tuple[str, int], FlowSource] = {}

    def put(
        self,
        flow_id: str,
        descriptor: Mapping[str, Any],
        *,
        is_active: bool = True,
        log_level: LogLevel = "all",
        version: int = 1,
        components: Sequence[PublishedComponent] = (),
    ) -> None:
        """Keep a version of a flow; the one that was put last is the one that new runs take."""
        source = FlowSource(flow_id, TENANT, is_active, version, flow_id, dict(descriptor), {}, log_level, components)
        self.sources[flow_id] = self._versions[flow_id, version] = source

    async def resolve(self, flow_id: str, version: int) -> FlowSource:
        found = self._versions.get((flow_id, version)) if version else self.sources.get(flow_id)
        if found is None:
            raise NotFound("flow", flow_id)
        return found

    async def list_active(self, after_flow_id: str, limit: int) -> list[FlowSource]:
        return [self.sources[flow_id] for flow_id in sorted(self.sources) if flow_id > after_flow_id][:limit]

    async def stop(self, tenant_id: str, flow_id: str) -> None:
        self.stopped.append(flow_id)


class NotedTimers:
    """Remembers which timers a flow has."""

    def __init__(self) -> None:
        self.timers: dict[str, list[FlowTimer]] = {}
        self.restored: list[tuple[str, str, FlowTimer]] = []
        self.metering: Schedules | None = None  # who is asked for quotas

    async def acquire_quota(
        self, asked: Sequence[Allowance], request_id: str, party: str, learned_names: Sequence[str] = ()
    ) -> timedelta | datetime:
        if self.metering is None:
            assert not asked, "a test with quotas says who meters them"
            return timedelta()
        return await self.metering.acquire_quota(asked, request_id, party, learned_names)

    async def report_refusal(self, name: str, retry_after: timedelta | None, passed: float) -> None:
        if self.metering is None:
            raise Unavailable("Nobody learns of refusals here.")
        await self.metering.report_refusal(name, retry_after, passed)

    async def acquire_lock(self, name: str, holder: str, ttl: timedelta) -> Lease:
        assert self.metering is not None
        return await self.metering.acquire_lock(name, holder, ttl)

    async def release_lock(self, name: str, holder: str) -> None:
        assert self.metering is not None
        await self.metering.release_lock(name, holder)

    async def put(self, tenant_id: str, flow_id: str, timers: Sequence[FlowTimer]) -> None:
        self.timers[flow_id] = list(timers)

    async def restore(self, timers: Sequence[tuple[str, str, FlowTimer]]) -> None:
        self.restored += timers

    async def remove(self, flow_id: str) -> None:
        self.timers.pop(flow_id, None)


class HandedQuotas:
    """Rules as the test made them."""

    def __init__(self) -> None:
        self.known: dict[str, Sequence[QuotaRule]] = {}

    async def rules(self, manager: str) -> Sequence[QuotaRule]:
        if manager not in self.known:
            raise NotFound("quota", manager)
        return self.known[manager]


@dataclass
class Rooms:
    """The neighbours that most tests do not need: most components use neither stores nor files nor locks."""

    timers: NotedTimers = field(default_factory=NotedTimers)
    stores: Any = None
    files: Any = None
    accounts: Any = None
    tasks: Any = None
    modifiers: Any = None


class CountingWeb:
    """A far side that counts calls by their idempotency key and answers what the test says."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.answers: list[WebAnswer | Exception] = []

    async def request(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], content: bytes, timeout: timedelta
    ) -> WebAnswer:
        key = next((value for name, value in headers if name.lower() == "idempotency-key"), "")
        self.calls.append((method, url, key))
        answer = self.answers.pop(0) if self.answers else WebAnswer(200, [], b"{}", url)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def connect(self, host: str, port: int, timeout: timedelta) -> socket.socket:
        raise Unavailable(f"There is no {host} here.")


class NotedLogs:
    """Keeps the log records, each once."""

    def __init__(self) -> None:
        self.entries: dict[str, LogEntry] = {}

    async def write(self, entries: Sequence[LogEntry]) -> None:
        self.entries.update({entry.record_id: entry for entry in entries})


class Platform:
    """One executor of a test."""

    def __init__(
        self,
        store: ExecutorStore,
        flows: HandedFlows,
        web: CountingWeb,
        bus: Bus | None,
        own: Sequence[Published],
        quotas: Quotas | None,
        shelf: BundleSource | None,
        runners: RunnerSettings | None,
        rooms: Rooms,
        catalog: Catalog | None = None,
        **settings: Any,
    ) -> None:
        self.store = store
        self.flows = flows
        self.web = web
        self.timers = rooms.timers
        self.logs = NotedLogs()
        self.metrics = Metrics()
        nothing: Any = None
        timers: Any = self.timers
        self.app = ExecutorApp(
            store,
            components=[*COMPONENTS, *own],
            neighbours=Neighbours(
                flows,
                timers,
                rooms.stores,
                rooms.files,
                self.logs,
                web,
                quotas or HandedQuotas(),
                shelf or nothing,
                catalog or nothing,
                rooms.accounts or nothing,
                rooms.tasks or nothing,
                rooms.modifiers,
            ),
            bus=bus,
            clock=SystemClock(),
            settings=ExecutorSettings(
                **{
                    "workers": 8,
                    "retry_first": timedelta(milliseconds=20),
                    "retry_count": 3,
                    "public_url": "http://localhost",
                    **settings,
                }
            ),
            runners=runners,
            metrics=self.metrics,
        )
        self.counters = self.app.counters
        self.engine = self.app.engine
        self.service = self.app.service

    async def send(
        self, flow_id: str, node: str, content: Any, *, event_id: str = "", port: str = "webhook", wait: bool = False
    ) -> tuple[str, Any]:
        """Send one event; returns the run's id and the answer, where one was waited for."""
        event = Event(0, flow_id, node, port, event_id, "", orjson.dumps(content), wait, 5.0)
        [outcome], box = await self.service.accept([event])
        if outcome.refusal is not None:
            raise outcome.refusal
        answers = [answer async for batch in box.take(5.0) for _, answer in batch] if wait else []
        return outcome.run_id, answers[0] if answers else None

    async def rest(self, run_id: str, within: float = 10.0) -> RunDetail:
        """Wait until a run is over and return it."""
        async with asyncio.timeout(within):
            while True:
                detail = await self.service.get_run(TENANT, run_id)
                if detail.run.state.is_over:
                    return detail
                await asyncio.sleep(0.01)

    async def until(self, run_id: str, state: RunState, within: float = 10.0) -> RunDetail:
        async with asyncio.timeout(within):
            while True:
                detail = await self.service.get_run(TENANT, run_id)
                if detail.run.state is state:
                    return detail
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def platform(
    folder: Path,
    flows: HandedFlows,
    web: CountingWeb | None = None,
    *,
    bus: Bus | None = None,
    alone: bool = True,
    store: ExecutorStore | None = None,
    own: Sequence[Published] = (),
    quotas: Quotas | None = None,
    shelf: BundleSource | None = None,
    runners: RunnerSettings | None = None,
    rooms: Rooms | None = None,
    catalog: Catalog | None = None,
    **settings: Any,
) -> AsyncIterator[Platform]:
    """Run an executor over its own SQLite file, or over the store that is given; it is closed with the executor."""
    store = store or await SqliteExecutorStore.open(folder / "executor.db")
    web = web or CountingWeb()
    made = Platform(store, flows, web, bus, own, quotas, shelf, runners, rooms or Rooms(), catalog, **settings)
    async with made.app.running(alone=alone):
        yield made
    await store.close()


def webhook(**properties: Any) -> dict[str, Any]:
    return {
        "type": "appmixer.utils.http.WebhookTrigger",
        "x": 0,
        "y": 0,
        "source": {},
        "config": {"properties": {"immediateResponse": False, **properties}},
    }


def node(component: str, sources: Mapping[str, str | list[str]], lambda_: Any = None, **more: Any) -> dict[str, Any]:
    """A node whose in-port `in` is fed by source → out-port(s), each with the same literal or variable lambda."""
    source = {name: [ports] if isinstance(ports, str) else ports for name, ports in sources.items()}
    config: dict[str, Any] = {}
    if lambda_ is not None:
        config["transform"] = {
            "in": {name: {port: {"type": "json2new", **lambda_} for port in ports} for name, ports in source.items()}
        }
    return {"type": f"appmixer.utils.{component}", "x": 0, "y": 0, "source": {"in": source}, "config": config, **more}


def set_variables(sources: Mapping[str, str | list[str]], **values: str) -> dict[str, Any]:
    """A SetVariable node; each value is a literal or, when it begins with $, a variable."""
    rows, modifiers = [], {}
    for name, value in values.items():
        if value.startswith("$"):
            modifiers[f"v-{name}"] = {"variable": value, "functions": []}
            value = f"{{{{{{v-{name}}}}}}}"
        rows.append({"type": "text", "name": name, "text": value})
    return node(
        "controls.SetVariable",
        sources,
        {"modifiers": {"variables": modifiers}, "lambda": {"variables": {"ADD": rows}}},
    )
