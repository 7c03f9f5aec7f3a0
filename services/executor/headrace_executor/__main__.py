"""The executor as a process of its own: `python -m headrace_executor`."""

from __future__ import annotations

import os
import platform
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from headrace_connectors import load_auths, load_builtin
from headrace_core.clock import SystemClock
from headrace_runtime import failpoints, lifecycle, rpc, settings
from headrace_runtime.bus.glance import glance
from headrace_runtime.bus.rabbitmq import RabbitSettings, open_bus
from headrace_runtime.bus.topology import Topology
from headrace_runtime.doctor import Subject
from headrace_runtime.doctor.mongo import mongo
from headrace_runtime.egress import Egress, EgressPolicy
from headrace_runtime.metrics import Metrics
from headrace_runtime.metrics_listener import open_metrics
from headrace_runtime.mongo import MongoSettings
from headrace_runtime.sqlite import lock_directory

from headrace_executor.app import ExecutorApp, connect
from headrace_executor.builtin_modules import BuiltinAuth
from headrace_executor.fleet import GROUP, READY
from headrace_executor.settings import ExecutorSettings, RunnerSettings
from headrace_executor.store import ExecutorStore
from headrace_executor.stores.mongo import MongoExecutorStore
from headrace_executor.stores.mongo_documents import VERSIONS
from headrace_executor.stores.sqlite import SqliteExecutorStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the executor runs as a process of its own, and whom it calls."""

    listen: str = settings.setting(
        "127.0.0.1:7103", env="HEADRACE_EXECUTOR_LISTEN", help="Address the executor answers gRPC at."
    )
    name: str = settings.setting(
        "",
        env="HEADRACE_EXECUTOR_NAME",
        help="What a drain of this executor is remembered by over its restarts; empty for its machine and port.",
    )
    data_directory: Path = settings.setting(
        Path("data"), env="HEADRACE_DATA_DIR", help="Directory of the service's files; one process may use it."
    )
    flow_manager: str = settings.setting(
        "127.0.0.1:7101", env="HEADRACE_FLOW_MANAGER_ADDRESS", help="Address of the flow-manager."
    )
    scheduler: str = settings.setting(
        "127.0.0.1:7102", env="HEADRACE_SCHEDULER_ADDRESS", help="Address of the scheduler."
    )
    logging: str = settings.setting(
        "127.0.0.1:7105", env="HEADRACE_LOGGING_ADDRESS", help="Address of the log service."
    )


async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
    """Serve until told to stop."""
    failpoints.arm(os.environ)
    metrics = await stack.enter_async_context(open_metrics(os.environ))
    peer = rpc.Peer("executor", os.environ, metrics)
    server = settings.load(ServerSettings, os.environ)
    chosen = settings.load(ExecutorSettings, os.environ)
    policy = EgressPolicy(allow_private=chosen.egress_allow_private, allowed_networks=chosen.egress_networks)
    documents = settings.load(MongoSettings, os.environ)
    store = await _open_store(stack, stopping, server, documents, metrics, fenced=chosen.mutant != "no_fence")
    app = ExecutorApp(
        store,
        components=load_builtin(),
        auths={folder: BuiltinAuth(*each) for folder, each in load_auths().items()},
        neighbours=connect(
            flow_channel=await stack.enter_async_context(peer.dial("flow-manager", server.flow_manager)),
            schedule_channel=await stack.enter_async_context(peer.dial("scheduler", server.scheduler)),
            log_channel=await stack.enter_async_context(peer.dial("logging", server.logging)),
            egress=await stack.enter_async_context(Egress(policy)),
        ),
        bus=await stack.enter_async_context(open_bus(os.environ, metrics)),
        clock=SystemClock(),
        settings=chosen,
        runners=settings.load(RunnerSettings, os.environ),
        metrics=metrics,
        name=server.name or f"{platform.node()}:{server.listen.rpartition(':')[2]}",
    )
    await stack.enter_async_context(app.running(alone=documents.url is None))
    process = peer.process(
        settings=(ServerSettings, ExecutorSettings, RunnerSettings, MongoSettings, RabbitSettings),
        subjects=_behind(documents),
        data=None if documents.url else server.data_directory,
        holding=app.holding,
    )
    await stack.enter_async_context(peer.serve(server.listen, app.register, drain=app.drain, process=process))
    await stopping.wait()


def _behind(documents: MongoSettings) -> list[Subject]:
    """The servers that this process keeps things in."""
    rabbit = settings.load(RabbitSettings, os.environ)
    found = [mongo(documents.url, {documents.database("executor"): len(VERSIONS)})] if documents.url else []
    if rabbit.url:
        found.append(glance(rabbit.url, Topology(rabbit.namespace, rabbit.capacity), [(READY, GROUP)]))
    return found


async def _open_store(
    stack: AsyncExitStack,
    stopping: lifecycle.Stopping,
    server: ServerSettings,
    documents: MongoSettings,
    metrics: Metrics,
    *,
    fenced: bool,
) -> ExecutorStore:
    store: ExecutorStore
    if documents.url is not None:
        in_mongo = await MongoExecutorStore.open(
            documents.url, documents.database("executor"), SystemClock(), fenced=fenced
        )
        in_mongo.mongo.count_in(metrics)
        store = in_mongo
    else:
        folder = server.data_directory / "executor"
        stack.enter_context(lock_directory(folder))
        store = await SqliteExecutorStore.open(folder / "executor.db", fenced=fenced, on_broken=stopping.fail)
    stack.push_async_callback(store.close)
    return store


if __name__ == "__main__":
    lifecycle.run_service("executor", main)
