"""Nothing reaches a place it may not reach, and nothing that comes back is too much.

Every listener here counts what reaches it. 127.0.0.1 and ::1 stand for the inner network that nobody may reach,
127.0.0.2 and 127.0.0.3 for hosts of the outside.
"""

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from headrace_core.errors import BadRequest, DeadlineExceeded, HeadraceError, TooLarge, Unavailable
from headrace_runtime.egress import Egress, EgressPolicy, EgressRefused, EgressResponse, bodies, redirects

from tests.listening import listening as serving

Answer = Callable[["Received"], bytes]

OUTSIDE = EgressPolicy(allowed_networks=("127.0.0.2/32", "127.0.0.3/32"))


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """A server that counts its connections and bytes, and answers as it is told."""

    port: int = 0
    connections: int = 0
    received_bytes: int = 0
    requests: list[Received] = field(default_factory=list)
    answer: Answer = lambda request: ok(b"hello")
    raw: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.raw is not None:
                await self.raw(reader, writer)
                return
            while request := await self._read(reader):
                self.requests.append(request)
                writer.write(self.answer(request))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # The other side left: that is what some of the tests are about.
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Received | None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.received_bytes += len(head)
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest if each)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Received(line, headers, body)


@asynccontextmanager
async def listening(address: str, port: int = 0) -> AsyncIterator[Listener]:
    listener = Listener()
    async with serving(listener.serve, address, port) as listener.port:
        yield listener


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def moved(to: str, status: int = 302) -> Answer:
    return lambda request: ok(b"", f"Location: {to}", status=f"{status} Moved")


def with_status(status: str) -> Answer:
    return lambda request: ok(b"", status=status)


def with_coding(body: bytes, coding: str) -> Answer:
    return lambda request: ok(body, f"Content-Encoding: {coding}")


class Names:
    """A resolver under the test's control. A name may have several rounds of answers; the last one stays."""

    def __init__(self) -> None:
        self._rounds: dict[str, list[Sequence[str]]] = {}
        self.asked: list[str] = []

    def on(self, host: str, *rounds: Sequence[str]) -> "Names":
        self._rounds[host] = list(rounds)
        return self

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        rounds = self._rounds.get(host, self._rounds.get("*"))
        if not rounds:
            raise socket.gaierror("no such name")
        return rounds.pop(0) if len(rounds) > 1 else rounds[0]


@dataclass
class World:
    """An inner listener that must hear nothing, two outer ones on the same port, and names for them."""

    inner: Listener
    outer: Listener
    other: Listener
    names: Names
    stack: AsyncExitStack

    @property
    def port(self) -> int:
        return self.inner.port

    async def egress(self, policy: EgressPolicy = OUTSIDE) -> Egress:
        return await self.stack.enter_async_context(Egress(policy, self.names))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(listening("127.0.0.1"))
        outer = await stack.enter_async_context(listening("127.0.0.2", inner.port))
        other = await stack.enter_async_context(listening("127.0.0.3", inner.port))
        names = Names().on("outer.example", ["127.0.0.2"]).on("other.example", ["127.0.0.3"])
        names.on("inner.example", ["127.0.0.1"])
        world = World(inner, outer, other, names, stack)
        inside = [inner]
        with suppress(OSError):  # A machine without IPv6 has one place less to protect.
            inside.append(await stack.enter_async_context(listening("::1", inner.port)))
        yield world
        assert [(each.connections, each.received_bytes) for each in inside] == [(0, 0)] * len(inside)


async def test_the_listeners_would_notice() -> None:
    async with listening("127.0.0.1") as inner, Egress(EgressPolicy(allow_private=True), Names()) as egress:
        await egress.request("GET", f"http://127.0.0.1:{inner.port}/", timeout=5)

        assert inner.connections == 1
        assert inner.received_bytes > 0


# Each is a way to write an inner address, or a name that leads to one. {port} is where the inner listener is.
SPELLINGS = [
    "http://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.0.0.1:{port}/..",
    "http://127.0.0.1:{port}?a",
    "http://127.0.0.1:{port}#a",
    "http://127.0.0.1:0{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0000.0.0.0:{port}/",
    "http://00:{port}/",
    "http://0x0:{port}/",
    "http://2130706433:{port}/",
    "http://02130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.0.0.01:{port}/",
    "http://00000177.0.0.1:{port}/",
    "http://0177.1:{port}/",
    "http://0x7f000001:{port}/",
    "http://0X7F000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0x7f.0.1:{port}/",
    "http://127.0x1:{port}/",
    "http://0x00000000007f000001:{port}/",
    "http://4294967297:{port}/",
    "http://6425673729:{port}/",
    "http://127.256:{port}/",
    "http://127.00.00.01:{port}/",
    "http://127.000.000.001:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://𝟭𝟮𝟳.𝟬.𝟬.𝟭:{port}/",
    "http://¹²⁷.⁰.⁰.¹:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127．0．0．1:{port}/",
    "http://127｡0｡0｡1:{port}/",
    "http://127.0.0.1\u00ad:{port}/",
    "http://127.0\u200b.0.1:{port}/",
    "http://127.0.0\u2060.1:{port}/",
    "http://٢١٣٠٧٠٦٤٣٣:{port}/",
    "http://१२७.०.०.१:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://127.0.0.1%20:{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1 :{port}/",
    "http://\t127.0.0.1:{port}/",
    "ht\ntp://127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:////127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http:/\\127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    "http://outer.example@127.0.0.1:{port}/",
    "http://outer.example:80@127.0.0.1:{port}/",
    "http://outer.example%40127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@outer.example/",
    "http://127.0.0.1:{port}\\@outer.example/",
    "http://outer.example\\@127.0.0.1:{port}/",
    "http://outer.example#@127.0.0.1:{port}/",
    "http://outer.example?@127.0.0.1:{port}/",
    "http://outer.example;@127.0.0.1:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://:@127.0.0.1:{port}/",
    "http://a:b@127.0.0.1:{port}/",
    "http://outer.example,127.0.0.1:{port}/",
    "http://outer.example&127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/",
    "http://[::0001]:{port}/",
    "http://[::]:{port}/",
    "http://[::0.0.0.0]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::7f00:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::FFFF:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[::ffff:0.0.0.0]:{port}/",
    "http://[::ffff:169.254.169.254]:{port}/",
    "http://[::ffff:10.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2002:7f00:0001::1]:{port}/",
    "http://[2002:c0a8:101::]:{port}/",
    "http://[2001::1]:{port}/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fe80::1%lo]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[::1%lo]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fd00:ec2::254]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://[::1]:{port}:80/",
    "http://[::1].outer.example:{port}/",
    "http://[127.0.0.1]:{port}/",
    "http://[①]:{port}/",
    "http://::1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.127.127.127:{port}/",
    "http://127.255.255.254:{port}/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://2852039166/latest/meta-data/",
    "http://0xA9FEA9FE/latest/meta-data/",
    "http://0251.0376.0251.0376/latest/meta-data/",
    "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://192.0.0.192/opc/v2/",
    "http://198.18.0.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://locaℓhost:{port}/",
    "http://lo\u00adcalhost:{port}/",
    "http://a.localhost:{port}/",
    "http://localhost.localdomain:{port}/",
    "http://ip6-localhost:{port}/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://METADATA.google.internal./computeMetadata/v1/",
    "http://metadata/computeMetadata/v1/",
    "http://instance-data/latest/",
    "http://kubernetes.default.svc:{port}/",
    "http://host.docker.internal:{port}/",
    "http://db.internal:{port}/",
    "http://printer.local:{port}/",
    "http://127.0.0.1.nip.io:{port}/",
    "http://7f000001.rebind.example:{port}/",
    "http://inner.example:{port}/",
    "http://xn--inner-.example:{port}/",
    "https://127.0.0.1:{port}/",
    "https://[::1]:{port}/",
    "https://inner.example:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "file://127.0.0.1:{port}/etc/passwd",
    "ws://127.0.0.1:{port}/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "http://127.0.0.1:{port}\r\nHost: outer.example/",
    "http://127.0.0.1:{port}/\r\nX: y",
    "http://outer.example:22/",
    "http://outer.example:25/",
    "http://outer.example:6379/",
    "http://outer.example:9200/",
]


def test_the_corpus_is_large() -> None:
    assert len(set(SPELLINGS)) >= 120


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inner_address_is_connected_to(world: World, spelling: str) -> None:
    world.names = Names().on("*", ["127.0.0.1"])
    egress = await world.egress(EgressPolicy())

    with pytest.raises((EgressRefused, BadRequest)):
        await egress.request("GET", spelling.replace("{port}", str(world.port)), timeout=5)

    assert world.outer.connections == world.other.connections == 0


async def test_sockets_go_to_no_inner_address_and_no_closed_port_either(world: World) -> None:
    hosts = {each.partition("://")[2].partition("/")[0].partition(":{port}")[0] for each in SPELLINGS}
    world.names = Names().on("*", ["127.0.0.1"])
    egress = await world.egress(EgressPolicy())

    for host in (*hosts, "::1", "::ffff:127.0.0.1"):
        with pytest.raises((EgressRefused, BadRequest)):
            (await egress.connect(host, world.port, timeout=5)).close()
    for port in (25, 110, 6379, 9200):
        with pytest.raises(EgressRefused):
            (await egress.connect("outer.example", port, timeout=5)).close()


async def test_a_socket_is_connected_to_the_address_that_was_checked(world: World) -> None:
    world.names.on("flips.example", ["127.0.0.2"], ["127.0.0.1"])
    egress = await world.egress()

    with await egress.connect("flips.example", world.port, timeout=5) as made:
        assert made.getpeername() == ("127.0.0.2", world.port)
    with pytest.raises(EgressRefused):
        await egress.connect("flips.example", world.port, timeout=5)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_redirect_to_a_spelling_of_an_inner_address_is_followed(world: World, spelling: str) -> None:
    location = spelling.replace("{port}", str(world.port))
    if "\n" in location or location.startswith(("http:127", "http:/127", "127.")):
        return  # No header can hold a line break; the others are relative to where they come from.
    world.outer.answer = lambda request: (
        ok(b"", f"Location: {location.encode().decode('latin-1')}", status="302 Found")
        if request.line.startswith("GET /start ")
        else ok(b"was relative")
    )
    world.names.on("*", ["127.0.0.1"])
    egress = await world.egress(EgressPolicy(allowed_networks=("127.0.0.2/32",)))
    refused: HeadraceError | None = None

    try:
        answer = await egress.request("GET", f"http://outer.example:{world.port}/start", timeout=5)
    except (EgressRefused, BadRequest, Unavailable) as error:
        refused = error  # Unavailable: it led to port 80 of the outer host, where nobody listens.
    else:
        assert answer.url.startswith((f"http://outer.example:{world.port}/", f"http://127.0.0.2:{world.port}/"))

    assert refused is not None or answer.content == b"was relative" or "127.0.0.2" in spelling


async def get(world: World, path: str = "/") -> EgressResponse:
    egress = await world.egress()
    return await egress.request("GET", f"http://outer.example:{world.port}{path}", timeout=5)


async def test_a_request_arrives_as_it_was_meant_and_its_answer_comes_back(world: World) -> None:
    world.outer.answer = lambda request: ok(b"made", "X-A: 1", "X-A: 2", status="201 Created")
    egress = await world.egress()

    answer = await egress.request(
        "post",
        f"http://outer.example:{world.port}/a?b=c",
        {"X-Test": "grün", "Content-Type": "text/plain"},
        b"body",
    )

    received = world.outer.requests[0]
    assert received.line == "POST /a?b=c HTTP/1.1"
    assert received.headers["host"] == f"outer.example:{world.port}"
    assert received.headers["content-length"] == "4"
    assert received.headers["x-test"] == "grün"
    assert received.body == b"body"
    assert (answer.status, answer.content) == (201, b"made")
    assert [value for name, value in answer.headers if name.lower() == "x-a"] == ["1", "2"]
    assert answer.header("x-a") == "1"
    assert answer.url == f"http://outer.example:{world.port}/a?b=c"


async def test_statuses_are_answers_and_not_errors(world: World) -> None:
    for status in ("404 Not Found", "500 Internal Server Error"):
        world.outer.answer = with_status(status)

        assert (await get(world)).status == int(status[:3])


async def test_one_inner_address_among_the_answers_refuses_them_all(world: World) -> None:
    for answers in (["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1"]):
        world.names.on("mixed.example", answers)
        egress = await world.egress()

        with pytest.raises(EgressRefused):
            await egress.request("GET", f"http://mixed.example:{world.port}/", timeout=5)

    assert world.outer.connections == 0


async def test_a_name_is_resolved_once_and_the_checked_address_is_the_connected_one(world: World) -> None:
    world.names.on("flips.example", ["127.0.0.2"], ["127.0.0.1"])
    egress = await world.egress()

    answer = await egress.request("GET", f"http://flips.example:{world.port}/", timeout=5)

    assert answer.content == b"hello"
    assert world.names.asked == ["flips.example"]


async def test_a_name_that_flips_is_refused_when_a_new_connection_is_made(world: World) -> None:
    world.names.on("flips.example", ["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"])
    world.outer.answer = lambda request: ok(b"hello", "Connection: close")
    egress = await world.egress()
    url, outcomes = f"http://flips.example:{world.port}/", []

    for _ in range(4):
        try:
            outcomes.append((await egress.request("GET", url, timeout=5)).status)
        except EgressRefused:
            outcomes.append(403)

    assert outcomes == [200, 403, 200, 403]


async def test_a_connection_is_used_again_for_its_origin_only(world: World) -> None:
    world.names.on("alias.example", ["127.0.0.2"])
    egress = await world.egress()

    for host in ("outer.example", "outer.example", "alias.example", "other.example"):
        await egress.request("GET", f"http://{host}:{world.port}/", timeout=5)

    assert world.outer.connections == 2
    assert world.other.connections == 1
    assert [each.headers["host"] for each in world.outer.requests] == [
        f"outer.example:{world.port}",
        f"outer.example:{world.port}",
        f"alias.example:{world.port}",
    ]


async def test_the_next_address_is_tried_when_one_does_not_answer(world: World) -> None:
    world.names.on("two.example", ["127.0.0.4", "127.0.0.2"])
    egress = await world.egress(EgressPolicy(allowed_networks=("127.0.0.4/32", "127.0.0.2/32")))

    assert (await egress.request("GET", f"http://two.example:{world.port}/", timeout=5)).status == 200


async def test_a_host_that_is_not_there_is_unavailable_and_worth_another_try(world: World) -> None:
    world.names.on("dead.example", ["127.0.0.4"]).on("empty.example", [])
    egress = await world.egress(EgressPolicy(allowed_networks=("127.0.0.4/32",)))

    for host in ("dead.example", "unknown.example", "empty.example"):
        with pytest.raises(Unavailable) as raised:
            await egress.request("GET", f"http://{host}:{world.port}/", timeout=5)
        assert raised.value.is_temporary


async def test_a_connection_that_breaks_is_unavailable(world: World) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-x\r\n\r\n")
        await writer.drain()

    for raw in (leave, babble):
        world.outer.raw = raw
        with pytest.raises(Unavailable):
            await get(world)


async def test_tls_names_the_host_and_not_the_address(world: World) -> None:
    hello = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.extend(await reader.read(4096))

    world.outer.raw = listen
    egress = await world.egress()

    with pytest.raises(Unavailable):
        await egress.request("GET", f"https://outer.example:{world.port}/", timeout=5)

    assert b"outer.example" in hello


# Redirects


async def test_redirects_are_followed_and_each_is_checked_anew(world: World) -> None:
    world.outer.answer = moved(f"http://other.example:{world.port}/there")
    world.other.answer = lambda request: ok(b"there")

    answer = await get(world)

    assert (answer.content, answer.url) == (b"there", f"http://other.example:{world.port}/there")
    assert world.names.asked == ["outer.example", "other.example"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_chain_of_redirects_that_ends_inside_is_refused(world: World, status: int) -> None:
    world.outer.answer = moved(f"http://other.example:{world.port}/", status)
    world.other.answer = moved(f"http://inner.example:{world.port}/", status)

    with pytest.raises(EgressRefused):
        await get(world)

    assert (world.outer.connections, world.other.connections) == (1, 1)


async def test_no_more_than_five_redirects_are_followed(world: World) -> None:
    world.outer.answer = moved("/again")
    egress = await world.egress()

    with pytest.raises(EgressRefused):
        await egress.request("GET", f"http://outer.example:{world.port}/", timeout=5, follow_redirects=50)

    assert len(world.outer.requests) == 6


async def test_five_redirects_are_followed(world: World) -> None:
    def count_down(request: Received) -> bytes:
        left = int(request.line.split()[1].removeprefix("/"))
        return moved(f"/{left - 1}")(request) if left else ok(b"end")

    world.outer.answer = count_down

    assert (await get(world, "/5")).content == b"end"


async def test_a_redirect_is_an_answer_when_none_is_to_be_followed(world: World) -> None:
    world.outer.answer = moved(f"http://inner.example:{world.port}/")
    egress = await world.egress()

    answer = await egress.request("GET", f"http://outer.example:{world.port}/", follow_redirects=0)

    assert answer.status == 302
    assert answer.header("location") == f"http://inner.example:{world.port}/"


SECRETS = {
    "Authorization": "Bearer s",
    "authorization": "Bearer s",
    "Cookie": "a=s",
    "Proxy-Authorization": "Basic s",
    "X-Api-Key": "s",
    "X-Auth-Token": "s",
    "PRIVATE-TOKEN": "s",
    "X-Shopify-Access-Token": "s",
}


@pytest.mark.parametrize("name", SECRETS)
async def test_credentials_stay_with_their_origin(world: World, name: str) -> None:
    world.outer.answer = lambda request: (
        ok(b"", "Location: /second", status="302 Found")
        if "/first" in request.line
        else ok(b"", f"Location: http://other.example:{world.port}/", status="302 Found")
    )
    egress = await world.egress()

    await egress.request(
        "GET", f"http://outer.example:{world.port}/first", {name: SECRETS[name], "X-Plain": "kept"}, timeout=5
    )

    assert [name.lower() in each.headers for each in world.outer.requests] == [True, True]
    assert name.lower() not in world.other.requests[0].headers
    assert world.other.requests[0].headers["x-plain"] == "kept"


async def test_another_port_or_address_of_the_same_host_is_another_origin(world: World) -> None:
    async with listening("127.0.0.2") as elsewhere:
        world.outer.answer = moved(f"http://outer.example:{elsewhere.port}/")
        egress = await world.egress()

        await egress.request("GET", f"http://outer.example:{world.port}/", {"Authorization": "s"}, timeout=5)

        assert "authorization" not in elsewhere.requests[0].headers


async def test_credentials_do_not_come_back_with_a_second_redirect(world: World) -> None:
    world.outer.answer = lambda request: (
        ok(b"home") if "/home" in request.line else moved(f"http://other.example:{world.port}/")(request)
    )
    world.other.answer = moved(f"http://outer.example:{world.port}/home")
    egress = await world.egress()

    await egress.request("GET", f"http://outer.example:{world.port}/", {"Cookie": "s"}, timeout=5)

    assert ["cookie" in each.headers for each in world.outer.requests] == [True, False]


@pytest.mark.parametrize(
    ("status", "method", "method_then", "body_then"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (307, "POST", "POST", b"x"),
        (308, "POST", "POST", b"x"),
        (302, "PUT", "PUT", b"x"),
    ],
)
async def test_redirects_change_the_method_as_browsers_do(
    world: World, status: int, method: str, method_then: str, body_then: bytes
) -> None:
    world.outer.answer = lambda request: ok(b"") if "/then" in request.line else moved("/then", status)(request)
    egress = await world.egress()

    await egress.request(method, f"http://outer.example:{world.port}/", {"Content-Type": "a/b"}, b"x", timeout=5)

    then = world.outer.requests[1]
    assert then.line.split()[0] == method_then
    assert then.body == body_then
    assert ("content-type" in then.headers) == bool(body_then)


async def test_a_narrowed_list_of_hosts_holds_for_redirects_too(world: World) -> None:
    world.outer.answer = moved(f"http://other.example:{world.port}/")
    egress = await world.egress()

    with pytest.raises(EgressRefused):
        await egress.request("GET", f"http://outer.example:{world.port}/", timeout=5, allowed_hosts=("outer.example",))

    assert world.other.connections == 0


def test_a_redirect_from_https_to_http_is_refused_and_the_other_way_is_another_origin() -> None:
    given = (("Authorization", "s"), ("X-Plain", "kept"))
    secure = redirects.request("GET", "https://outer.example/", given, None)
    plain = redirects.request("GET", "http://outer.example/", given, None)

    with pytest.raises(EgressRefused):
        redirects.after(secure, 302, "http://outer.example/")
    upgraded = redirects.after(plain, 302, "https://outer.example/")

    assert upgraded is not None
    assert upgraded.headers == (("X-Plain", "kept"),)


# What is sent


@pytest.mark.parametrize("method", ["", "GET /x", "GET\r\nX: y", "CONNECT", "TRACE", "trace", "GÉT", "A" * 300])
async def test_methods_that_are_none_are_refused(world: World, method: str) -> None:
    egress = await world.egress()

    with pytest.raises(BadRequest):
        await egress.request(method, f"http://outer.example:{world.port}/")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nY: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\x00b"),
        ("X\r\nY", "b"),
        ("X Y", "b"),
        ("X:", "b"),
        ("", "b"),
        ("Ü", "b"),
    ],
)
async def test_headers_that_could_pose_as_others_are_refused(world: World, name: str, value: str) -> None:
    egress = await world.egress()

    with pytest.raises(BadRequest):
        await egress.request("GET", f"http://outer.example:{world.port}/", {name: value})

    assert world.outer.connections == 0


async def test_headers_of_the_connection_are_not_the_callers_to_set(world: World) -> None:
    egress = await world.egress()
    given = {
        "Host": "inner.example",
        "Content-Length": "999",
        "Transfer-Encoding": "chunked",
        "Connection": "X-Plain",
        "Upgrade": "h2c",
    }

    await egress.request("POST", f"http://outer.example:{world.port}/", given, b"abc", timeout=5)

    received = world.outer.requests[0]
    assert received.headers["host"] == f"outer.example:{world.port}"
    assert received.headers["content-length"] == "3"
    assert not received.headers.keys() & {"transfer-encoding", "upgrade"}


# What comes back


async def test_a_response_over_the_limit_is_too_large_announced_or_not(world: World) -> None:
    egress = await world.egress(EgressPolicy(allowed_networks=OUTSIDE.allowed_networks, max_response_bytes=1000))
    url = f"http://outer.example:{world.port}/"

    world.outer.answer = lambda request: ok(b"x" * 1000)
    assert len((await egress.request("GET", url)).content) == 1000

    world.outer.answer = lambda request: ok(b"x" * 1001)
    with pytest.raises(TooLarge):
        await egress.request("GET", url)

    world.outer.answer = lambda request: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"80\r\n%b\r\n" % (b"x" * 128) * 9
    )
    with pytest.raises(TooLarge):
        await egress.request("GET", url, timeout=5)

    world.outer.answer = lambda request: ok(b"x" * 11)
    with pytest.raises(TooLarge):
        await egress.request("GET", url, max_response_bytes=10)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate", "gzip, gzip"])
async def test_a_bomb_is_stopped_at_the_limit(world: World, coding: str) -> None:
    bomb = packed(bytes(64 * 1024 * 1024), coding)
    world.outer.answer = lambda request: ok(bomb, f"Content-Encoding: {coding.removeprefix('raw ')}")

    with pytest.raises(TooLarge):
        await get(world)


@pytest.mark.parametrize("coding", ["identity", "gzip", "GZIP", "x-gzip", "deflate", "raw deflate", "gzip, deflate"])
async def test_bodies_are_unpacked(world: World, coding: str) -> None:
    body = packed(b"hello " * 100_000, coding)
    world.outer.answer = lambda request: ok(body, f"Content-Encoding: {coding.removeprefix('raw ')}")

    assert (await get(world)).content == b"hello " * 100_000


async def test_codings_that_nobody_here_knows_are_left_on(world: World) -> None:
    for coding in ("br", "gzip, br", "gzip, gzip, gzip"):
        world.outer.answer = with_coding(b"packed", coding)

        assert (await get(world)).content == b"packed"


async def test_a_damaged_packed_body_is_unavailable(world: World) -> None:
    whole = gzip.compress(b"hello" * 1000)
    for body in (b"not packed at all", whole[:-9], whole[:10] + b"xxxx" + whole[14:]):
        world.outer.answer = with_coding(body, "gzip")

        with pytest.raises(Unavailable):
            await get(world)


async def test_a_body_in_many_small_chunks_is_unpacked_and_a_bomb_of_empty_parts_is_stopped() -> None:
    async def bytewise(data: bytes) -> AsyncIterator[bytes]:
        for number in data:
            yield bytes([number])

    async def at_once(data: bytes) -> AsyncIterator[bytes]:
        yield data

    two_parts = gzip.compress(b"one ") + gzip.compress(b"two")

    assert await bodies.read(bytewise(two_parts), ["gzip"], 100) == b"one two"
    assert await bodies.read(bytewise(packed(b"raw", "raw deflate")), ["deflate"], 100) == b"raw"
    assert await bodies.read(bytewise(two_parts + b"\0\0"), ["gzip"], 100) == b"one two"
    assert await bodies.read(at_once(b""), ["gzip"], 100) == b""
    with pytest.raises(TooLarge):
        await bodies.read(at_once(gzip.compress(b"") * 20_000), ["gzip"], 10_000_000)


async def test_head_and_empty_answers_have_no_body(world: World) -> None:
    world.outer.answer = lambda request: (
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nContent-Encoding: gzip\r\n\r\n"
        if request.line.startswith("HEAD")
        else b"HTTP/1.1 204 No Content\r\n\r\n"
    )
    egress = await world.egress()

    for method in ("HEAD", "GET"):
        answer = await egress.request(method, f"http://outer.example:{world.port}/", timeout=5)
        assert answer.content == b""


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    for piece in (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", *([b"x"] * 1000)):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        writer.write(b"X-%d: y\r\n" % number)
        await writer.drain()
        await asyncio.sleep(0.02)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("raw", [drip, drip_headers, say_nothing])
async def test_the_deadline_is_for_all_of_it_however_slowly_it_drips(
    world: World, raw: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> None:
    world.outer.raw = raw
    egress = await world.egress()

    with pytest.raises(DeadlineExceeded) as raised:
        await egress.request("GET", f"http://outer.example:{world.port}/", timeout=0.2)

    assert raised.value.is_temporary


async def test_endless_headers_are_stopped(world: World) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: " + b"y" * 8000 + b"\r\n")
            await writer.drain()

    world.outer.raw = babble

    with pytest.raises(Unavailable):
        await get(world)


async def test_a_refusal_is_not_worth_another_try(world: World) -> None:
    egress = await world.egress()

    with pytest.raises(EgressRefused) as raised:
        await egress.request("GET", f"http://inner.example:{world.port}/")

    assert not raised.value.is_temporary
    assert raised.value.code == "forbidden"


async def test_a_proxy_of_the_environment_is_not_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{world.port}")

    assert (await get(world)).content == b"hello"


def packed(body: bytes, codings: str) -> bytes:
    for coding in codings.split(", "):
        match coding.lower():
            case "gzip" | "x-gzip":
                body = gzip.compress(body, 6)
            case "deflate":
                body = zlib.compress(body)
            case "raw deflate":
                body = zlib.compress(body, wbits=-zlib.MAX_WBITS)
    return body
