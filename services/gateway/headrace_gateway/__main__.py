"""The gateway as a process of its own: `python -m headrace_gateway`."""

import os
from contextlib import AsyncExitStack

from headrace_core.clock import SystemClock
from headrace_runtime import lifecycle, rpc, settings
from headrace_runtime.health import Health
from headrace_runtime.metrics_listener import open_metrics

from headrace_gateway.app import create_app
from headrace_gateway.clients import Channels
from headrace_gateway.server import serve_http
from headrace_gateway.settings import Addresses, GatewaySettings


async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
    """Serve until told to stop."""
    metrics = await stack.enter_async_context(open_metrics(os.environ))
    peer = rpc.Peer("gateway", os.environ, metrics)
    addresses = settings.load(Addresses, os.environ)
    chosen = settings.load(GatewaySettings, os.environ)
    channels = Channels(
        flow=await stack.enter_async_context(peer.dial("flow-manager", addresses.flow_manager)),
        schedule=await stack.enter_async_context(peer.dial("scheduler", addresses.scheduler)),
        execution=await stack.enter_async_context(peer.dial("executor", addresses.executor)),
        log=await stack.enter_async_context(peer.dial("logging", addresses.logging)),
    )
    process = peer.process(settings=(GatewaySettings, Addresses))
    places = {
        "flow-manager": addresses.flow_manager,
        "scheduler": addresses.scheduler,
        "executor": addresses.executor,
        "logging": addresses.logging,
        **({"gateway": addresses.gateways} if addresses.gateways else {}),
    }
    replicas = {name: await stack.enter_async_context(peer.replicas(name, place)) for name, place in places.items()}
    if addresses.listen:
        await stack.enter_async_context(peer.serve(addresses.listen, _nothing_else, drain=_at_once, process=process))
    clock = SystemClock()
    app = create_app(
        channels=channels,
        settings=chosen,
        clock=clock,
        health=Health(clock),
        metrics=metrics,
        replicas=replicas,
        process=process,
    )
    await stack.enter_async_context(serve_http(app, chosen.host, chosen.port))
    await stopping.wait()


def _nothing_else(server: rpc.Server) -> None:
    """Of a gateway the others ask nothing but how it is."""


async def _at_once() -> None:
    """Nothing of that is under way for long."""


if __name__ == "__main__":
    lifecycle.run_service("gateway", main)
