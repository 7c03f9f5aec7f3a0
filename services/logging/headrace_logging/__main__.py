"""The log service as a process of its own: `python -m headrace_logging`."""

import os
from contextlib import AsyncExitStack

from headrace_core.clock import SystemClock
from headrace_runtime import lifecycle, rpc, settings
from headrace_runtime.sqlite import lock_directory

from headrace_logging.app import open_app
from headrace_logging.settings import LoggingSettings, ServerSettings
from headrace_logging.stores.sqlite import open_store


async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
    """Serve until told to stop."""
    peer = rpc.Peer("logging", os.environ)
    server = settings.load(ServerSettings, os.environ)
    stack.enter_context(lock_directory(server.data_directory / "logging"))
    store = await open_store(server.data_directory / "logging" / "log.db", on_broken=stopping.fail)
    stack.push_async_callback(store.close)
    app = await stack.enter_async_context(
        open_app(store, clock=SystemClock(), settings=settings.load(LoggingSettings, os.environ))
    )
    await stack.enter_async_context(peer.serve(server.listen, app.register, drain=app.drain))
    await app.start()
    await stopping.wait()


if __name__ == "__main__":
    lifecycle.run_service("logging", main)
