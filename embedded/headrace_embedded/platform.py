"""Opens SQLite, connects the five services by local channels, serves them at one port."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import headrace_executor.app
import headrace_flow_manager.app
import headrace_logging.app
import headrace_scheduler.app
from headrace_connectors import load_apps, load_auths, load_builtin, load_bundles
from headrace_core.clock import Clock, SystemClock
from headrace_core.errors import ValidationFailed
from headrace_executor.builtin_modules import BuiltinAuth
from headrace_executor.settings import ExecutorSettings, RunnerSettings
from headrace_executor.stores.sqlite import SqliteExecutorStore
from headrace_flow_manager.app import FlowManagerApp
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.npm import Npm
from headrace_flow_manager.sending import EgressSender
from headrace_flow_manager.stores.sqlite import open_stores as open_flow_stores
from headrace_gateway.app import Gateway, create_app
from headrace_gateway.clients import Channels
from headrace_gateway.server import listen, serve_http
from headrace_gateway.settings import GatewaySettings
from headrace_logging.settings import LoggingSettings
from headrace_logging.stores.sqlite import open_store as open_log_store
from headrace_runtime import failpoints
from headrace_runtime.bus import LocalBus
from headrace_runtime.doctor.embedded import data_directory
from headrace_runtime.egress import Egress, EgressPolicy
from headrace_runtime.health import Health
from headrace_runtime.kms import KmsSettings
from headrace_runtime.mail import MailSettings, open_mail
from headrace_runtime.metrics import Metrics
from headrace_runtime.process import Process
from headrace_runtime.rpc import LocalServer, processes
from headrace_runtime.settings import load
from headrace_runtime.sqlite import lock_directory
from headrace_runtime.vault import VaultSettings, key_reader, open_vault
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.stores.sqlite import open_store as open_schedule_store

from headrace_embedded.settings import EmbeddedSettings


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the platform answers, by URL and as the ASGI app, and the administrator when this start made one."""

    url: str
    app: Gateway
    data_dir: str
    admin_email: str
    admin_password: str  # empty when there was one already


@asynccontextmanager
async def open_platform(
    environ: Mapping[str, str],
    *,
    clock: Clock | None = None,
    on_broken: Callable[[BaseException], None] | None = None,
) -> AsyncIterator[Serving]:
    """Run the whole platform while the block runs. Leaving the block drains it.

    `on_broken` hears of a store whose commit failed: what that left on disk is unknown and only a fresh start reads
    it right, so the process should end.
    """
    failpoints.arm(environ)
    own = load(EmbeddedSettings, environ)
    gateway = load(GatewaySettings, environ)
    clock = clock or SystemClock()
    bus, metrics = LocalBus(), Metrics()
    bus.count_in(metrics)
    health = Health(clock)
    folder = own.data_dir.resolve()
    async with AsyncExitStack() as stack:
        if not own.shared_data:
            stack.enter_context(lock_directory(folder))
        # Before anything is made that a person has to be told of: a first start at a taken port leaves nothing behind.
        listener = stack.enter_context(listen(gateway.host, gateway.port))
        flow_server, schedule_server, execution_server, log_server = (LocalServer() for _ in range(4))
        channels = Channels(
            flow=flow_server.channel(),
            schedule=schedule_server.channel(),
            execution=execution_server.channel(),
            log=log_server.channel(),
        )
        log_store = await open_log_store(folder / "logging.db", on_broken=on_broken)
        stack.push_async_callback(log_store.close)
        log_app = await stack.enter_async_context(
            headrace_logging.app.open_app(
                log_store, clock=clock, settings=load(LoggingSettings, environ), metrics=metrics
            )
        )
        log_app.register(log_server)

        executor_settings = load(ExecutorSettings, environ)
        policy = EgressPolicy(
            allow_private=executor_settings.egress_allow_private, allowed_networks=executor_settings.egress_networks
        )
        egress = await stack.enter_async_context(Egress(policy))

        flow_stores = await open_flow_stores(folder / "flow_manager.db", on_broken=on_broken)
        stack.push_async_callback(flow_stores.close)
        builtin = load_builtin()
        flow_settings = load(FlowManagerSettings, environ)
        vault = await open_vault(environ, folder)
        flow_app = await stack.enter_async_context(
            headrace_flow_manager.app.open_app(
                flow_stores,
                catalog=builtin,
                apps=load_apps(),
                bundles=load_bundles(),
                execution_channel=channels.execution,
                log_channel=channels.log,
                bus=bus,
                sender=EgressSender(egress),
                vault=vault,
                reload_keys=key_reader(vault, environ, folder),
                mail=open_mail(load(MailSettings, environ)),
                clock=clock,
                settings=flow_settings,
                packages=Npm(flow_settings.npm, flow_settings.github_archives),
            )
        )
        flow_app.register(flow_server)

        schedule_store = await open_schedule_store(folder / "scheduler.db", on_broken=on_broken)
        stack.push_async_callback(schedule_store.close)
        schedule_app = await stack.enter_async_context(
            headrace_scheduler.app.open_app(
                schedule_store,
                execution_channel=channels.execution,
                clock=clock,
                settings=load(SchedulerSettings, environ),
                metrics=metrics,
            )
        )
        schedule_app.register(schedule_server)

        if "HEADRACE_PUBLIC_URL" not in environ:
            executor_settings = replace(executor_settings, public_url=f"http://{gateway.host}:{gateway.port}")
        run_store = await SqliteExecutorStore.open(
            folder / "executor.db", fenced=executor_settings.mutant != "no_fence", on_broken=on_broken
        )
        stack.push_async_callback(run_store.close)
        executor = headrace_executor.app.ExecutorApp(
            run_store,
            components=builtin,
            auths={folder: BuiltinAuth(*each) for folder, each in load_auths().items()},
            neighbours=headrace_executor.app.connect(
                flow_channel=channels.flow,
                schedule_channel=channels.schedule,
                log_channel=channels.log,
                egress=egress,
            ),
            bus=bus,
            clock=clock,
            settings=executor_settings,
            runners=load(RunnerSettings, environ),
            metrics=metrics,
        )
        executor.register(execution_server)
        await stack.enter_async_context(executor.running(alone=not own.shared_data))
        await log_app.start()
        await schedule_app.start()
        await flow_app.start()
        # Whoever gives work stops before whoever takes it: first HTTP, then flows, timers, runs, and logs as the last.
        stack.push_async_callback(log_app.drain)
        stack.push_async_callback(executor.drain)
        stack.push_async_callback(schedule_app.drain)
        stack.push_async_callback(flow_app.drain)

        password = await _ensure_administrator(flow_app, own)
        servers = {
            "flow-manager": (flow_server, (FlowManagerSettings, VaultSettings, KmsSettings, MailSettings), None),
            "scheduler": (schedule_server, (SchedulerSettings,), None),
            "executor": (execution_server, (ExecutorSettings, RunnerSettings), executor.holding),
            "logging": (log_server, (LoggingSettings,), None),
        }
        for name, (server, classes, holding) in servers.items():
            process = Process(name, environ, metrics, settings=classes, holding=holding, clock=clock)
            processes.register(process, server)
        own_process = Process(
            "gateway",
            environ,
            metrics,
            settings=(EmbeddedSettings, GatewaySettings),
            subjects=[data_directory(folder, {})],
            data=folder,
            clock=clock,
        )
        app = create_app(
            channels=channels, settings=gateway, clock=clock, health=health, metrics=metrics, process=own_process
        )
        listening = await stack.enter_async_context(
            serve_http(app, gateway.host, gateway.port, clock=clock, listener=listener)
        )
        yield Serving(listening.url, app, str(folder), own.admin_email, password)


async def _ensure_administrator(flow_app: FlowManagerApp, own: EmbeddedSettings) -> str:
    """Make the first administrator. Returns the password when one was made now, else an empty text."""
    password = own.admin_password or secrets.token_urlsafe(12)
    try:
        return password if await flow_app.people.ensure_administrator(own.admin_email, password) else ""
    except ValidationFailed as failed:
        problems = [replace(each, where=f"HEADRACE_ADMIN_{each.where.upper()}") for each in failed.problems]
        raise ValidationFailed(problems) from None
