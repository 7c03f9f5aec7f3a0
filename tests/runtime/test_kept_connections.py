"""Connections are used again while they are good, are bounded, and none is left open or held by who went away."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from headrace_core.errors import DeadlineExceeded, TooLarge
from headrace_runtime.egress import Egress, EgressPolicy, kept

from tests.listening import listening

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
PATIENCE_SECONDS = 10


@dataclass
class Server:
    """Knows how many requests came over each connection, and which of them are open still."""

    requests: list[int] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    under_way: int = 0
    most_at_once: int = 0
    answer: bytes = HELLO
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    says_goodbye: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.requests)
        self.requests.append(0)
        self.open.add(number)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests[number] += 1
                self.under_way += 1
                self.most_at_once = max(self.most_at_once, self.under_way)
                self.changed.set()
                await self.goes_on.wait()
                self.under_way -= 1
                writer.write(self.answer)
                await writer.drain()
                if self.says_goodbye:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self.open.discard(number)
            self.changed.set()
            writer.close()

    async def until(self, requests: int | None = None, left_open: int | None = None) -> None:
        """Wait for so many requests under way, or connections open."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (requests is not None and self.under_way < requests) or (
                left_open is not None and len(self.open) != left_open
            ):
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def place() -> AsyncIterator[Server]:
    server = Server()
    async with listening(server.serve, "127.0.0.2", 0) as port:
        server.url = f"http://127.0.0.2:{port}/"
        server.goes_on.set()
        yield server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with place() as opened:
        yield opened


@pytest.fixture
async def egress(server: Server) -> AsyncIterator[Egress]:
    """Closed before the server, which waits for its callers."""
    async with Egress(EgressPolicy(allowed_networks=("127.0.0.2/32",))) as opened:
        yield opened


async def both(egress: Egress, server: Server, count: int = 2) -> None:
    """So many requests that are under way at the same time."""
    server.goes_on.clear()
    under_way = [asyncio.create_task(egress.request("GET", server.url)) for _ in range(count)]
    await server.until(requests=count)
    server.goes_on.set()
    await asyncio.gather(*under_way)


async def test_the_one_last_used_is_used_again_and_others_rest(egress: Egress, server: Server) -> None:
    await both(egress, server)
    for _ in range(3):
        await egress.request("GET", server.url)

    assert sorted(server.requests) == [1, 4]


async def test_one_whose_answer_was_not_read_to_its_end_is_closed(egress: Egress, server: Server) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + b"x" * 32
    with pytest.raises(TooLarge):
        await egress.request("GET", server.url, max_response_bytes=8)
    await server.until(left_open=0)
    server.answer = HELLO

    assert (await egress.request("GET", server.url)).content == b"hello"
    assert server.requests == [1, 1]


async def test_one_that_the_other_side_closed_is_not_used(egress: Egress, server: Server) -> None:
    server.says_goodbye = True
    await egress.request("GET", server.url)
    await server.until(left_open=0)

    assert (await egress.request("GET", server.url)).status == 200
    assert server.requests == [1, 1]


async def test_one_that_nobody_used_for_long_is_closed_by_the_next_request(
    egress: Egress, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "IDLE_SECONDS", 0.05)
    await egress.request("GET", server.url)
    await asyncio.sleep(0.1)
    async with place() as other:
        await egress.request("GET", other.url)
        await server.until(left_open=0)
        assert len(other.open) == 1
        await egress.request("GET", server.url)
        await egress.aclose()

    assert server.requests == [1, 1]


async def test_no_more_are_kept_than_allowed_and_the_oldest_go(
    egress: Egress, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "IDLE", 2)
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(place()) for _ in range(3)]
        for each in (server, *others):
            await egress.request("GET", each.url)
        for gone in (server, others[0]):
            await gone.until(left_open=0)

        assert [len(each.open) for each in others] == [0, 1, 1]
        await egress.aclose()


async def test_no_more_are_under_way_than_allowed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "AT_ONCE", 3)
    async with Egress(EgressPolicy(allowed_networks=("127.0.0.2/32",))) as narrow:
        server.goes_on.clear()
        under_way = [asyncio.create_task(narrow.request("GET", server.url)) for _ in range(20)]
        await server.until(requests=3)
        await asyncio.sleep(0.1)  # for a fourth, were there one
        server.goes_on.set()
        await asyncio.gather(*under_way)

    assert server.most_at_once == 3 and sum(server.requests) == 20
    assert len(server.requests) == 3


@pytest.mark.parametrize("way", ["cancelled", "too late"])
async def test_who_leaves_takes_the_connection_along_and_makes_room(
    server: Server, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(kept, "AT_ONCE", 1)
    async with Egress(EgressPolicy(allowed_networks=("127.0.0.2/32",))) as narrow:
        server.goes_on.clear()
        timeout = 0.2 if way == "too late" else PATIENCE_SECONDS
        leaves = asyncio.create_task(narrow.request("GET", server.url, timeout=timeout))
        await server.until(requests=1)
        if way == "cancelled":
            leaves.cancel()
        with pytest.raises(DeadlineExceeded if way == "too late" else asyncio.CancelledError):
            await leaves
        server.goes_on.set()
        await server.until(left_open=0)

        assert (await narrow.request("GET", server.url)).content == b"hello"
    assert server.requests == [1, 1]


async def test_closing_ends_what_is_kept_and_what_is_under_way(server: Server) -> None:
    opened = Egress(EgressPolicy(allowed_networks=("127.0.0.2/32",)))
    await both(opened, server)
    server.goes_on.clear()
    cut_off = asyncio.create_task(opened.request("GET", server.url))
    await server.until(requests=1)

    await opened.aclose()
    await opened.aclose()
    server.goes_on.set()
    await server.until(left_open=0)

    with pytest.raises(Exception, match="broke"):
        await cut_off


class Finder:
    """Notes which modules are looked for in the folders of the path."""

    def __init__(self) -> None:
        self.looked_for: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        self.looked_for.append(name)
        return None


async def test_a_request_looks_for_no_module(egress: Egress, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """httpcore imports as it goes; what is not installed is looked for in each folder again, which takes longest."""
    await egress.request("GET", server.url)
    finder = Finder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])

    await egress.request("GET", server.url)
    await both(egress, server)

    assert finder.looked_for == []
