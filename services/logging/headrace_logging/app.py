"""The log service put together from what it is handed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from headrace_core.clock import Clock
from headrace_runtime.metrics import Metrics
from headrace_runtime.rpc import Server

from headrace_logging.service import LogService
from headrace_logging.servicer import LogServicer
from headrace_logging.settings import LoggingSettings
from headrace_logging.store import LogStore


@dataclass(slots=True)
class LoggingApp:
    """A log service. `start` begins forgetting old records; `drain` ends its readers."""

    service: LogService
    tasks: asyncio.TaskGroup
    trimming: asyncio.Task[None] | None = None

    def register(self, server: Server) -> None:
        """Answer headrace.log.v1.LogService at this server."""
        LogServicer(self.service).register(server)

    async def start(self) -> None:
        """Begin with the work of its own. Starting again changes nothing."""
        if self.trimming is None:
            self.trimming = self.tasks.create_task(self.service.keep_trimming(), name="log trimming")

    async def drain(self) -> None:
        """Let readers have what waits for them, and end them. Writes and queries go on."""
        self.service.stop_following()


@asynccontextmanager
async def open_app(
    store: LogStore, *, clock: Clock, settings: LoggingSettings, metrics: Metrics | None = None
) -> AsyncIterator[LoggingApp]:
    """A log service over this store for the length of the block. The store stays the caller's to close."""
    service = LogService(store, clock=clock, settings=settings, metrics=metrics)
    async with asyncio.TaskGroup() as tasks:
        app = LoggingApp(service, tasks)
        try:
            yield app
        finally:
            service.stop_following()
            if app.trimming is not None:
                app.trimming.cancel()
