"""Wires the executor from what it is handed; chooses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.ids import new_id
from headrace_core.manifest import parse_manifest
from headrace_core.ports import Bus
from headrace_runtime.bus import LocalBus
from headrace_runtime.egress import Egress, EgressPolicy
from headrace_runtime.metrics import Metrics
from headrace_runtime.rpc import Channel, Server
from headrace_sdk import Component

from headrace_executor.accounts import AccountDesk
from headrace_executor.activation import Activation
from headrace_executor.answers import Waiters
from headrace_executor.auth_modules import AuthSteps
from headrace_executor.builtin_modules import BuiltinAuth, BuiltinModules
from headrace_executor.clients import (
    AccountClient,
    BundleClient,
    CatalogClient,
    FailureClient,
    FileClient,
    FlowClient,
    LogClient,
    ModifierClient,
    QuotaClient,
    ScheduleClient,
    StoreClient,
    TaskClient,
)
from headrace_executor.context import Caches, Doors
from headrace_executor.counters import Counters
from headrace_executor.engine import Engine
from headrace_executor.execution import Surroundings
from headrace_executor.fleet import Ears, Fleet
from headrace_executor.holding import KeptBack
from headrace_executor.inner_api import InnerApi
from headrace_executor.jobs import Jobs
from headrace_executor.limiting import Limits
from headrace_executor.listening import Listening
from headrace_executor.measuring import Measuring
from headrace_executor.migration import Migration
from headrace_executor.model import Run
from headrace_executor.plan import ComponentEntry, Components, Plan
from headrace_executor.plans import Plans
from headrace_executor.plugins import Plugins
from headrace_executor.ports import Neighbours
from headrace_executor.reconnecting import Reconnecting
from headrace_executor.retry import RetryPolicy
from headrace_executor.runners.hosting import PublishedPlugins
from headrace_executor.runners.library import Library
from headrace_executor.runners.modules import PublishedModules
from headrace_executor.runners.pool import Runners
from headrace_executor.runners.scripts import CustomModifiers, ScriptBundles
from headrace_executor.service import ExecutionService
from headrace_executor.servicer import ExecutionServicer
from headrace_executor.settings import ExecutorSettings, RunnerSettings
from headrace_executor.shipping import Shipper
from headrace_executor.signatures import Signatures
from headrace_executor.static_calls import StaticCalls
from headrace_executor.store import ExecutorStore
from headrace_executor.timing import Timing
from headrace_executor.trying import Trials
from headrace_executor.watching import Watching
from headrace_executor.web import GuardedWeb

FLOW_CHANGED = "flow.changed"
ACCOUNT_CHANGED = "account.changed"
RUNNER_SLACK_SECONDS = 30.0
"""How much longer than the engine a call to a runner waits: the engine gives up first, and says so better."""

EVERYWHERE = ("0.0.0.0/0", "::/0")
HOARDED_BYTES = 256 * 1024
Happen: TypeAlias = Callable[[Plan, Run, dict[str, Json]], None]


class Published(Protocol):
    """A component as connectors publish it."""

    @property
    def type(self) -> str: ...

    @property
    def manifest(self) -> Mapping[str, Json]: ...

    @property
    def component(self) -> Callable[[], Component]: ...


def connect(
    *,
    flow_channel: Channel,
    schedule_channel: Channel,
    log_channel: Channel,
    egress: Egress,
) -> Neighbours:
    """Whom the executor asks, over these channels and through this way out."""
    return Neighbours(
        flows=FlowClient(flow_channel),
        schedules=ScheduleClient(schedule_channel),
        stores=StoreClient(flow_channel),
        files=FileClient(flow_channel),
        tasks=TaskClient(flow_channel),
        logs=LogClient(log_channel),
        web=GuardedWeb(egress),
        quotas=QuotaClient(flow_channel),
        bundles=BundleClient(flow_channel),
        catalog=CatalogClient(flow_channel),
        accounts=AccountClient(flow_channel),
        modifiers=ModifierClient(flow_channel),
        failures=FailureClient(flow_channel),
    )


class ExecutorApp:
    """One executor, ready to be registered at a server and to run."""

    def __init__(
        self,
        store: ExecutorStore,
        *,
        components: Sequence[Published],
        neighbours: Neighbours,
        bus: Bus | None,
        clock: Clock,
        settings: ExecutorSettings,
        runners: RunnerSettings | None = None,
        metrics: Metrics | None = None,
        auths: Mapping[str, BuiltinAuth] | None = None,
        name: str = "executor",
    ) -> None:
        metrics = metrics or Metrics()
        self._bus = bus if bus is not None else LocalBus()
        self.settings = settings
        self.counters = Counters()
        networks = EVERYWHERE if settings.mutant == "open_network" else settings.egress_networks
        policy = EgressPolicy(allow_private=settings.egress_allow_private, allowed_networks=networks)
        runners = runners or RunnerSettings()
        bundles = ScriptBundles(neighbours.bundles)
        self.runners = Runners(
            bundles,
            replace(runners, folders=("/",)) if settings.mutant == "open_files" else runners,
            policy,
            clock,
            metrics,
            trusts_suspects=settings.mutant == "no_suspects",
            trusts_hosts=settings.mutant == "any_host",
        )
        self.modifiers = CustomModifiers(self.runners, bundles, neighbours.modifiers, clock)
        within = settings.receive_timeout.total_seconds() + RUNNER_SLACK_SECONDS
        library = Library(Components([_entry(each) for each in components]), self.runners, within)
        self.plans = Plans(neighbours.flows, library, clock, settings.public_url)
        fleet = Fleet(self._bus, new_id())
        self.watching = Watching(clock, fleet)
        waiters = Waiters()
        self.doors = doors = Doors(
            clock=clock,
            state=store,
            schedules=neighbours.schedules,
            stores=neighbours.stores,
            files=neighbours.files,
            tasks=neighbours.tasks,
            web=neighbours.web,
            flows=neighbours.flows,
            public_url=settings.public_url,
            caches=Caches(),
            call=lambda asked, within: self.calls.call(asked, within),
            hearing=lambda: self.listening,
            api=lambda asked: self.inner_api.call(asked),
            signal=lambda plan, signal_id, content: self.service.signal(plan, signal_id, content),
        )
        limits = Limits(neighbours, clock, settings.receive_timeout)
        desk = AccountDesk(neighbours.accounts, clock, shows_all=settings.mutant == "no_redaction")
        self.calls = StaticCalls(neighbours.catalog, library, limits, desk, doors, clock, settings.public_url)
        hosted = PublishedPlugins(self.runners, doors)
        self.plugins = Plugins(neighbours.catalog, hosted)
        self.jobs = Jobs(neighbours.catalog, hosted, doors, clock)
        self.engine = Engine(
            store,
            self.plans,
            waiters,
            clock,
            self.counters,
            workers=settings.workers,
            backlog=settings.backlog,
            has_turns=settings.mutant != "one_queue",
            lease=settings.lease,
            retention=settings.retention,
            fleet=fleet,
            surroundings=lambda engine: self._surroundings(engine, store, doors, clock, limits, desk),
        )
        self.holding = KeptBack(store, self.engine, name, clock)
        self.service = ExecutionService(
            store,
            self.engine,
            self.plans,
            waiters,
            clock,
            self.counters,
            settings,
            Signatures(neighbours.accounts, clock, believes_all=settings.mutant == "open_door"),
        )
        self.inner_api = InnerApi(self.plugins, neighbours.stores, neighbours.flows)
        self.listening = Listening(neighbours.catalog, hosted, store, self.plans, self.service)
        self.timing = Timing(
            self.service, store, self.plans, neighbours.schedules, neighbours.flows, self.jobs, clock, settings
        )
        self.activation = Activation(
            self.service, self.timing, store, self.engine, self.plans, neighbours.schedules, clock, settings
        )
        self.migration = Migration(store, self.plans, clock)
        modules = BuiltinModules(auths or {}, neighbours.web, PublishedModules(self.runners))
        self.auth_steps = AuthSteps(modules, clock)
        self.reconnecting = Reconnecting(
            store, neighbours.accounts, neighbours.schedules, clock, self.engine.owner, self.engine.nudge
        )
        self.trials = Trials(self.service, self.plans, self.watching, clock)
        Measuring(store, self.engine, clock, self.counters).show_in(metrics)
        self._shipper = Shipper(store, self.plans, neighbours.logs, neighbours.failures, clock, self.counters)

    def _surroundings(
        self, engine: Engine, store: ExecutorStore, doors: Doors, clock: Clock, limits: Limits, desk: AccountDesk
    ) -> Surroundings:
        settings = self.settings
        watching = self.watching
        return Surroundings(
            store=store,
            doors=doors,
            clock=clock,
            counters=self.counters,
            policy=RetryPolicy(settings.retry_first, settings.retry_longest, settings.retry_count),
            receive_timeout=settings.receive_timeout,
            owner=engine.owner,
            answer=engine.answer,
            answered=engine.fleet.answered,
            report_error=lambda *given: self.service.report_error(*given),
            call_flow=lambda *given: self.service.call_flow(*given),
            answer_call=lambda *given: self.service.answer_call(*given),
            wake=lambda *given: self.service.wake(*given),
            wait_for_quota=limits.wait_for,
            end_quota=limits.end,
            went_through=limits.went_through,
            too_many=limits.too_many,
            open_account=desk.open,
            account_refused=desk.refused,
            happen=_hoarding(watching.happen) if settings.mutant == "hoard" else watching.happen,
            is_watched=watching.is_watched,
            run_script=self.modifiers.run,
        )

    def register(self, server: Server) -> None:
        """Add the service to a gRPC or local server."""
        ExecutionServicer(
            self.service,
            self.activation,
            self.timing,
            self.watching,
            self.migration,
            self.trials,
            self.calls,
            self.auth_steps,
            self.plugins,
            self.jobs,
            self.modifiers,
        ).register(server)

    @contextlib.asynccontextmanager
    async def running(self, *, alone: bool) -> AsyncIterator[None]:
        """Run flows until the block ends. `alone`: no other executor can be alive on this store."""
        await self.holding.restore()
        async with self.runners.running(), self.engine.running(alone=alone), asyncio.TaskGroup() as tasks:
            ears = Ears(
                ready=self.engine.wake,
                answered=self.service.hear_of_answer,
                cancelled=self.engine.cancel,
                watched=self.watching.watched_elsewhere,
                happened=self.watching.hear,
            )
            helpers = [
                tasks.create_task(self._shipper.run()),
                tasks.create_task(self._hear_of_changes()),
                tasks.create_task(self._hear_of_accounts()),
                tasks.create_task(self.reconnecting.run()),
                tasks.create_task(self.engine.fleet.run(ears)),
                tasks.create_task(self.watching.keep_saying()),
                tasks.create_task(self.service.look_for_answers()),
                tasks.create_task(self.jobs.run()),
            ]
            try:
                yield
            finally:
                for helper in helpers:
                    helper.cancel()

    async def drain(self) -> None:
        """Take nothing new, let watchers go, and finish what is on its way."""
        self.watching.close()
        await self.auth_steps.settle()
        await self.service.settle()
        await self.engine.drain(self.settings.drain_within)

    async def _hear_of_changes(self) -> None:
        async with self._bus.subscribe(FLOW_CHANGED, group=self.engine.owner) as batches:
            async for batch in batches:
                for payload in batch:
                    self.plans.forget(payload.decode("utf-8", "replace"))

    async def _hear_of_accounts(self) -> None:
        async with self._bus.subscribe(ACCOUNT_CHANGED, group=self.engine.owner) as batches:
            async for _ in batches:
                self.reconnecting.hear()


def _hoarding(happen: Happen) -> Happen:
    """What is broken on purpose, for the chaos tests: something of each run stays in memory."""
    kept: list[bytes] = []

    def keep(plan: Plan, run: Run, happening: dict[str, Json]) -> None:
        kept.append(b"\1" * HOARDED_BYTES)  # written, since zeros take no memory until then
        happen(plan, run, happening)

    return keep


def _entry(published: Published) -> ComponentEntry:
    return ComponentEntry.of(published.type, parse_manifest(dict(published.manifest)), published.component())
