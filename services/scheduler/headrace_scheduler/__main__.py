"""The scheduler as a process of its own: `python -m headrace_scheduler`."""

import os
from contextlib import AsyncExitStack

from headrace_core.clock import SystemClock
from headrace_runtime import failpoints, lifecycle, rpc, settings
from headrace_runtime.doctor.redis import redis as doctor
from headrace_runtime.metrics import Metrics
from headrace_runtime.metrics_listener import open_metrics
from headrace_runtime.sqlite import lock_directory

from headrace_scheduler.app import open_app
from headrace_scheduler.settings import SchedulerSettings, ServerSettings
from headrace_scheduler.store import Store
from headrace_scheduler.stores import redis, sqlite


async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
    """Serve and fire until told to stop."""
    failpoints.arm(os.environ)
    metrics = await stack.enter_async_context(open_metrics(os.environ))
    peer = rpc.Peer("scheduler", os.environ, metrics)
    server = settings.load(ServerSettings, os.environ)
    firing = settings.load(SchedulerSettings, os.environ)
    store = await _open_store(stack, stopping, server, metrics, fenced=firing.mutant != "no_timer_fence")
    channel = await stack.enter_async_context(peer.dial("executor", server.executor_address))
    app = await stack.enter_async_context(
        open_app(
            store,
            execution_channel=channel,
            clock=SystemClock(),
            settings=firing,
            metrics=metrics,
        )
    )
    process = peer.process(
        settings=(ServerSettings, SchedulerSettings),
        subjects=[doctor(server.redis_url, f"{server.redis_namespace}.scheduler")] if server.redis_url else [],
        data=None if server.redis_url else server.data_directory,
    )
    await stack.enter_async_context(peer.serve(server.listen, app.register, drain=app.drain, process=process))
    await app.start()
    await stopping.wait()


async def _open_store(
    stack: AsyncExitStack, stopping: lifecycle.Stopping, server: ServerSettings, metrics: Metrics, *, fenced: bool
) -> Store:
    if server.redis_url:
        prefix = f"{server.redis_namespace}.scheduler"
        return await stack.enter_async_context(
            redis.open_store(server.redis_url, prefix=prefix, metrics=metrics, fenced=fenced)
        )
    folder = server.data_directory / "scheduler"
    stack.enter_context(lock_directory(folder))
    store = await sqlite.open_store(folder / "scheduler.db", on_broken=stopping.fail)
    stack.push_async_callback(store.close)
    return store


if __name__ == "__main__":
    lifecycle.run_service("scheduler", main)
