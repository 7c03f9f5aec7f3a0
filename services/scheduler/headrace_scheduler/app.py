"""The scheduler put together from what it is handed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from headrace_core.clock import Clock
from headrace_runtime.metrics import Metrics
from headrace_runtime.rpc import Channel, Server

from headrace_scheduler.clients import ExecutionClient
from headrace_scheduler.firing import Firing
from headrace_scheduler.restoring import Restoring
from headrace_scheduler.service import Scheduler
from headrace_scheduler.servicer import ScheduleServicer
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.store import Store


@dataclass(slots=True)
class SchedulerApp:
    """A scheduler. `start` begins firing; `drain` ends it once what is under way is on record."""

    scheduler: Scheduler
    firing: Firing
    tasks: asyncio.TaskGroup
    restoring: Restoring | None
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def register(self, server: Server) -> None:
        """Answer headrace.schedule.v1.ScheduleService at this server."""
        ScheduleServicer(self.scheduler).register(server)

    async def start(self) -> None:
        """Begin to fire. Starting again changes nothing."""
        if not self.running:
            self.running.append(self.tasks.create_task(self.firing.run(), name="timer firing"))
            self.running.append(self.tasks.create_task(self.scheduler.keep_tidy(), name="scheduler tidying"))
            if self.restoring is not None:
                self.running.append(self.tasks.create_task(self.restoring.run(), name="timer restoring"))

    async def drain(self) -> None:
        """Claim no more timers, and return when those under way are settled. Draining again changes nothing."""
        self.firing.stop()
        if self.running:
            await asyncio.wait(self.running[:1])


@asynccontextmanager
async def open_app(
    store: Store,
    *,
    execution_channel: Channel,
    clock: Clock,
    settings: SchedulerSettings,
    metrics: Metrics | None = None,
) -> AsyncIterator[SchedulerApp]:
    """A scheduler over this store for the length of the block. The store stays the caller's to close."""
    executions = ExecutionClient(execution_channel)
    firing = Firing(store.timers, executions, clock=clock, settings=settings, metrics=metrics)
    restores = settings.mutant != "no_restore"
    restoring = Restoring(store, executions, clock, look_every=settings.look_every) if restores else None
    scheduler = Scheduler(store, firing, clock=clock, settings=settings)
    async with asyncio.TaskGroup() as tasks:
        app = SchedulerApp(scheduler, firing, tasks, restoring)
        try:
            yield app
        finally:
            await app.drain()
            for task in app.running:
                task.cancel()
