"""What a runner may connect to is decided by the executor, whatever opens the socket. S5 and S15, for connectors."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from headrace_executor.model import RunState
from headrace_executor.ports import PublishedComponent
from headrace_executor.runners import fence
from headrace_runner import landlock

from .platform import HandedFlows, platform
from .published import Shelf
from .test_runners import QUICK, WORKER, put, run, sent, until

pytestmark = pytest.mark.skipif(landlock.release_of_kernel() < 1, reason="This kernel confines nothing.")

PYTHON = """
import asyncio, ctypes, socket, struct, threading
from headrace_sdk import Component


def by_socket(host, port):
    with socket.create_connection((host, port), 10) as made:
        return made.recv(2).decode()


def by_blocking_socket(host, port):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.connect((host, port))
    return made.recv(2).decode()


async def by_asyncio(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    said = await reader.read(2)
    writer.close()
    return said.decode()


class Own(Component):
    async def receive(self, context):
        said = []
        for host, port in context.content["data"]:
            for way in (by_socket, by_blocking_socket):
                try:
                    said.append(await asyncio.to_thread(way, host, port))
                except OSError as error:
                    said.append(type(error).__name__)
            try:
                said.append(await by_asyncio(host, port))
            except OSError as error:
                said.append(type(error).__name__)
        await context.send_json(said)
"""
JAVASCRIPT = """
const net = require('net');
const said = (host, port) => new Promise((done) => {
    net.connect(port, host).on('error', (error) => done(error.code)).on('data', (data) => done(data.toString()));
});
module.exports = {
    async receive(context) {
        const answers = [];
        for (const [host, port] of context.messages.in.content.data) {
            answers.push(await said(host, port));
        }
        await context.sendJson(answers, 'out');
    }
};
"""


@contextlib.contextmanager
def greeting(address: str) -> Iterator[tuple[int, list[str]]]:
    """A server that says hi: its port, and who called."""
    heard: list[str] = []
    with socket.create_server((address, 0), backlog=256) as server:

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, peer = server.accept()
                    heard.append(peer[0])
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(b"hi")

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def bundle(shelf: Shelf, language: str, hosts: list[str] | None) -> PublishedComponent:
    root = "acme/own/core/Own"
    manifest: dict[str, Any] = {"name": "acme.own.core.Own", "inPorts": [{"name": "in"}], "outPorts": [{"name": "out"}]}
    if hosts is not None:
        manifest["hosts"] = hosts
    file, code = ("component.py", PYTHON) if language == "python" else ("Own.js", JAVASCRIPT)
    content = shelf.put({f"{root}/component.json": json.dumps(manifest), f"{root}/{file}": textwrap.dedent(code)})
    return PublishedComponent("acme.own.core.Own", manifest, content, root, language)


async def said(folder: Path, language: str, places: list[tuple[str, int]], **more: Any) -> list[str]:
    """What a component of this language hears at each place, in each of its ways to connect."""
    shelf, flows = Shelf(), HandedFlows()
    put(flows, bundle(shelf, language, more.pop("hosts", None)))
    runners = replace(QUICK, hosts=more.pop("default", ()))
    async with platform(folder, flows, shelf=shelf, runners=runners, **more) as here:
        detail = await run(here, content=[list(place) for place in places])
    assert detail.run.state is RunState.DONE, detail.steps
    [answers] = sent(detail)
    return list(answers)


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_what_the_rules_open_is_connected_to_by_address_and_by_name(tmp_path: Path, language: str) -> None:
    with greeting("127.0.0.1") as (port, _):
        answers = await said(tmp_path, language, [("127.0.0.1", port), ("localhost", port)], egress_allow_private=True)

    assert set(answers) == {"hi"}


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_where_the_system_does_not_give_sockets_away_another_one_takes_their_place(
    tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container without a certain right is played: the call has a number that no kernel knows."""
    monkeypatch.setattr(fence, "_PIDFD_GETFD", 100_000)
    with greeting("127.0.0.1") as (port, _), greeting("127.0.0.2") as (closed, heard):
        places = [("127.0.0.1", port), ("localhost", port), ("127.0.0.2", closed)]
        answers = await said(tmp_path, language, places, egress_networks=("127.0.0.1/32",))

    *opened, last = answers if language == "javascript" else [set(answers[:6]), set(answers[6:])]
    assert (opened, last) in (([{"hi"}], {"PermissionError"}), (["hi", "hi"], "forbidden"))
    assert heard == []


@pytest.mark.parametrize("default", [(), ("localhost",)])
@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_only_declared_hosts_are_connected_to(tmp_path: Path, language: str, default: tuple[str, ...]) -> None:
    """The bundle's own where it declares some, and else what the administrator says."""
    hosts = None if default else ["localhost"]
    with greeting("127.0.0.1") as (port, _), greeting("127.0.0.2") as (other, heard):
        # Not the address of the same place either, before its name was looked up.
        places = [("127.0.0.2", other), ("localhost", port), ("elsewhere.test", port)]
        answers = await said(tmp_path, language, places, egress_allow_private=True, hosts=hosts, default=default)

    if language == "python":
        assert answers == ["PermissionError"] * 3 + ["hi"] * 3 + ["gaierror"] * 3
    else:
        assert answers == ["forbidden", "hi", "forbidden"]
    assert heard == []


RACE = """
import ctypes, socket, struct, threading
from headrace_sdk import Component


def address(host, port):
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)


class Own(Component):
    async def receive(self, context):
        opened, closed = [address(*each) for each in context.content["data"]]
        libc, kept, over = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(opened, 16), threading.Event()

        def flip():
            while not over.is_set():
                for _ in range(200):
                    ctypes.memmove(kept, closed, 16)
                    ctypes.memmove(kept, opened, 16)

        thread = threading.Thread(target=flip)
        thread.start()
        connected = 0
        for _ in range(300):
            with socket.socket() as made:
                connected += libc.connect(made.fileno(), kept, 16) == 0
        over.set()
        thread.join()
        await context.send_json(connected)
"""


async def test_an_address_that_changes_while_it_is_judged_opens_no_other(tmp_path: Path) -> None:
    """What was judged is what is connected to."""
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish(RACE))
    with greeting("127.0.0.1") as (port, opened), greeting("127.0.0.2") as (closed, heard):
        async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, egress_networks=("127.0.0.1/32",)) as here:
            detail = await run(here, content=[["127.0.0.1", port], ["127.0.0.2", closed]])

        assert detail.run.state is RunState.DONE, detail.steps
        [connected] = sent(detail)
        await until(lambda: len(opened) >= connected, within=10)  # who was connected is taken in one by one
    assert 0 < connected == len(opened)
    assert heard == []


FLOOD = """
import asyncio, ctypes, os, socket, struct, threading
from headrace_sdk import Component


def flood(over, libc, address):
    file = os.open(__file__, os.O_RDONLY)
    while not over.is_set():
        with socket.socket() as made:
            libc.connect(made.fileno(), address, 16)
            libc.connect(file, address, 16)


class Own(Component):
    async def receive(self, context):
        libc, over = ctypes.CDLL(None), threading.Event()
        address = struct.pack("=H", socket.AF_INET) + struct.pack("!H", 9) + socket.inet_aton("127.0.0.1") + bytes(8)
        threads = [threading.Thread(target=flood, args=(over, libc, address)) for _ in range(300)]
        for thread in threads:
            thread.start()
        await asyncio.sleep(3)
        over.set()
        await asyncio.to_thread(lambda: [thread.join() for thread in threads])
        await context.send_json("done")
"""


async def test_a_runner_that_connects_without_end_takes_nobodys_time(tmp_path: Path) -> None:
    """What it does is slowed down; another runner's calls, and the executor's descriptors, are as before."""
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish(FLOOD), "flood")
    put(flows, shelf.publish(WORKER), "good")
    async with platform(tmp_path, flows, shelf=shelf, runners=replace(QUICK, memory_bytes=2 << 30)) as here:
        await run(here, "good")
        before = len(os.listdir("/proc/self/fd"))
        flooding = asyncio.create_task(run(here, "flood"))
        took = []
        while not flooding.done():
            began = time.monotonic()
            await run(here, "good")
            took.append(time.monotonic() - began)
        assert sent(await flooding) == ["done"]
        after = len(os.listdir("/proc/self/fd"))

    assert len(took) > 20, "calls of the neighbour come through all the while"
    assert after - before < 50
