"""A runner: `python -m headrace_runner`, with its orders as the first line of its standard input.

It ends when that input ends, which it does when the executor is gone.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import uvloop
from headrace_runtime import rpc
from headrace_runtime.egress import Egress, EgressPolicy, EgressResponse
from headrace_runtime.egress.door import Connecting, DoorToSockets, DoorToWeb, Way

from headrace_runner import confinement, isolation, output
from headrace_runner.calls import Calls
from headrace_runner.clients import HostClient
from headrace_runner.loading import Bundle
from headrace_runner.orders import Orders, read_orders
from headrace_runner.servicer import RunnerServicer

MAX_MESSAGE_BYTES = 128 * 1024 * 1024
LIMITS = rpc.ServerLimits(
    max_message_bytes=MAX_MESSAGE_BYTES,
    max_connection_age=timedelta(days=20),
    notice=timedelta(0),
    grace=timedelta(seconds=1),
)


def main() -> None:
    """Serve until the executor is gone."""
    orders = read_orders(sys.stdin.buffer.readline())
    confinement.die_with_parent(orders.parent)
    confinement.be_first_to_go()
    _keep_files(orders)
    confinement.do_without_rings()
    threading.Thread(target=_end_with_input, daemon=True, name="end-with-input").start()
    output.bound(orders.output_bytes)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(_serve(orders))


async def _serve(orders: Orders) -> None:
    policy = EgressPolicy(
        allow_private=orders.allow_private, allowed_networks=orders.networks, allowed_hosts=orders.hosts
    )
    async with AsyncExitStack() as stack:
        egress = await stack.enter_async_context(Egress(policy))
        host = HostClient(await stack.enter_async_context(rpc.dial(orders.host, max_message_bytes=MAX_MESSAGE_BYTES)))
        calls = Calls(Bundle(orders.bundle), DoorToWeb(_way(egress)), DoorToSockets(_connecting(egress)))
        servicer = RunnerServicer(calls, host)
        await stack.enter_async_context(rpc.serve(orders.listen, servicer.register, limits=LIMITS))
        _confine(orders)
        await host.report_ready()
        await asyncio.Event().wait()  # the executor ends this process


def _keep_files(orders: Orders) -> None:
    isolation.keep_files(
        read=[*isolation.of_interpreter(), str(orders.bundle)],
        write=[os.getcwd(), *orders.folders],
        sockets=[os.path.dirname(orders.listen.removeprefix("unix:"))],
        refuses=orders.refuses,
    )


def _confine(orders: Orders) -> None:
    """From here on the limits hold. What the runner needs for itself is there; no component is loaded yet."""
    confinement.limit(
        memory_bytes=orders.memory_bytes,
        cpu_seconds=orders.cpu_seconds,
        open_files=orders.open_files,
        file_bytes=orders.file_bytes,
    )
    isolation.keep_calls(orders.fence, confinement.forbid, refuses=orders.refuses)


def _way(egress: Egress) -> Way:
    async def send(
        method: str, url: str, headers: Sequence[tuple[str, str]], content: bytes, timeout: timedelta
    ) -> EgressResponse:
        return await egress.request(method, url, headers, content or None, timeout=timeout.total_seconds())

    return send


def _connecting(egress: Egress) -> Connecting:
    async def connect(host: str, port: int, timeout: timedelta) -> socket.socket:
        return await egress.connect(host, port, timeout=timeout.total_seconds())

    return connect


def _end_with_input() -> None:
    """Whatever else happens here, nobody outlives the executor."""
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
