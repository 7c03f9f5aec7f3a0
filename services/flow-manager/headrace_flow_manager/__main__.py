"""The flow manager as a process of its own: `python -m headrace_flow_manager`."""

import logging
import os
from contextlib import AsyncExitStack
from pathlib import Path

from headrace_connectors import load_apps, load_builtin, load_bundles
from headrace_core.clock import SystemClock
from headrace_runtime import failpoints, lifecycle, rpc, settings
from headrace_runtime.bus.rabbitmq import RabbitSettings, open_bus
from headrace_runtime.doctor.mongo import mongo as doctor
from headrace_runtime.egress import Egress, EgressPolicy
from headrace_runtime.kms import KmsSettings
from headrace_runtime.mail import MailSettings, open_mail
from headrace_runtime.metrics import Metrics
from headrace_runtime.metrics_listener import open_metrics
from headrace_runtime.mongo import MongoSettings
from headrace_runtime.sqlite import lock_directory
from headrace_runtime.vault import VaultSettings, key_reader, open_vault

from headrace_flow_manager.app import open_app
from headrace_flow_manager.configuration import FlowManagerSettings, ServerSettings
from headrace_flow_manager.npm import Npm
from headrace_flow_manager.sending import EgressSender
from headrace_flow_manager.stores import mongo, sqlite
from headrace_flow_manager.stores.bundle import Stores

log = logging.getLogger(__name__)


async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
    """Serve until told to stop."""
    failpoints.arm(os.environ)
    metrics = await stack.enter_async_context(open_metrics(os.environ))
    peer = rpc.Peer("flow-manager", os.environ, metrics)
    server = settings.load(ServerSettings, os.environ)
    own = settings.load(FlowManagerSettings, os.environ)
    stores = await _open_stores(stack, stopping, server, metrics)
    stack.push_async_callback(stores.close)
    vault = await open_vault(os.environ, _own_folder(server))
    policy = EgressPolicy(allow_private=server.egress_allow_private, allowed_networks=server.egress_networks)
    egress = await stack.enter_async_context(Egress(policy))
    app = await stack.enter_async_context(
        open_app(
            stores,
            catalog=load_builtin(),
            apps=load_apps(),
            bundles=load_bundles(),
            execution_channel=await stack.enter_async_context(peer.dial("executor", server.executor_address)),
            log_channel=await stack.enter_async_context(peer.dial("logging", server.logging_address)),
            clock=SystemClock(),
            settings=own,
            packages=Npm(own.npm, own.github_archives),
            bus=await stack.enter_async_context(open_bus(os.environ, metrics)),
            vault=vault,
            reload_keys=key_reader(vault, os.environ, _own_folder(server)),
            sender=EgressSender(egress),
            mail=open_mail(settings.load(MailSettings, os.environ)),
        )
    )
    if server.admin_password and await app.people.ensure_administrator(server.admin_email, server.admin_password):
        log.info("Made the first administrator, %s", server.admin_email)
    documents = settings.load(MongoSettings, os.environ)
    process = peer.process(
        settings=(
            ServerSettings,
            FlowManagerSettings,
            MongoSettings,
            RabbitSettings,
            MailSettings,
            VaultSettings,
            KmsSettings,
        ),
        subjects=[doctor(documents.url, {documents.database("flow-manager"): len(mongo.VERSIONS)})]
        if documents.url
        else [],
        data=None if documents.url else server.data_directory,
    )
    await stack.enter_async_context(peer.serve(server.listen, app.register, drain=app.drain, process=process))
    await app.start()
    await stopping.wait()


async def _open_stores(
    stack: AsyncExitStack, stopping: lifecycle.Stopping, server: ServerSettings, metrics: Metrics
) -> Stores:
    """MongoDB where the settings say where it is, which any number of processes share; else a file of one's own."""
    where = settings.load(MongoSettings, os.environ)
    if where.url:
        return await mongo.open_stores(where.url, where.database("flow-manager"), metrics=metrics)
    folder = _folder(server)
    stack.enter_context(lock_directory(folder))
    return await sqlite.open_stores(folder / "flow_manager.db", on_broken=stopping.fail)


def _own_folder(server: ServerSettings) -> Path | None:
    """Where a key may be kept beside the data; nowhere when the data is in MongoDB, which others share."""
    return None if settings.load(MongoSettings, os.environ).url else _folder(server)


def _folder(server: ServerSettings) -> Path:
    return server.data_directory / "flow-manager"


if __name__ == "__main__":
    lifecycle.run_service("flow-manager", main)
