"""The flow manager as a process of its own: `python -m headrace_flow_manager`."""

import os
from contextlib import AsyncExitStack

from headrace_connectors import load_apps, load_builtin, load_bundles
from headrace_core.clock import SystemClock
from headrace_runtime import failpoints, lifecycle, logs, rpc, settings
from headrace_runtime.sqlite import lock_directory

from headrace_flow_manager.app import open_app
from headrace_flow_manager.configuration import FlowManagerSettings, ServerSettings
from headrace_flow_manager.stores.sqlite import open_stores

LIMITS = rpc.ServerLimits(max_message_bytes=16 * 1024 * 1024)
"""A flow with its pictures may take 6 MiB, and lists hold several."""


async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
    """Serve until told to stop."""
    logs.setup(service="flow-manager")
    failpoints.arm(os.environ)
    server = settings.load(ServerSettings, os.environ)
    folder = server.data_directory / "flow-manager"
    stack.enter_context(lock_directory(folder))
    stores = await open_stores(folder / "flow_manager.db", on_broken=lambda _: stopping.set())
    stack.push_async_callback(stores.close)
    app = await stack.enter_async_context(
        open_app(
            stores,
            catalog=load_builtin(),
            apps=load_apps(),
            bundles=load_bundles(),
            execution_channel=await stack.enter_async_context(rpc.dial(server.executor_address)),
            log_channel=await stack.enter_async_context(rpc.dial(server.logging_address)),
            clock=SystemClock(),
            settings=settings.load(FlowManagerSettings, os.environ),
        )
    )
    await stack.enter_async_context(rpc.serve(server.listen, app.register, limits=LIMITS))
    stack.push_async_callback(app.drain)
    await app.start()
    await stopping.wait()


if __name__ == "__main__":
    lifecycle.run(main)
