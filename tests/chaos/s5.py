"""S5: whatever address a flow or a connector is given, nothing reaches the inner network.

`python -m tests.chaos.s5 --level ci|nightly [--mutant open_network]` from the root of the repository. Listeners wait at
one port of every address of this machine, and a server beside them, which alone is open, redirects to wherever it is
asked. More than three hundred addresses that lead there, written in every way that URL parsers disagree about, named by
a DNS that says one thing and then another, and behind redirects, are called by a built-in component's `http`, and in
runners by the SDK's, by httpx, urllib and plain sockets, and by `httpRequest`, fetch, http and net; they are where an
account is opened, renewed and looked at, whose webhook a flow calls, and where it hands out its own. The listeners must
hear nobody; the open server must hear those that it is meant for, or nothing would be proved.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from headrace_runtime.egress import EgressPolicy, Resolver
from headrace_sdk import Component, Context

from tests.chaos.confined import LANGUAGES, Language, Verdict, confined
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.chaos.ways_out import accounts, webhooks
from tests.executor.platform import OwnComponent, webhook

OPEN = "127.0.0.9"
TRY_SECONDS = 3
REBINDING = "rebinding.test"
TARGETS = ("127.0.0.1", "127.0.0.2", "127.8.8.8", "127.255.255.254")


@dataclass(frozen=True, slots=True)
class Level:
    """How many of the addresses are tried."""

    count: int | None


LEVELS = {"short": Level(20), "ci": Level(None), "nightly": Level(None)}

PYTHON = f"""
import asyncio, socket, urllib.request
from urllib.parse import urlsplit

import httpx
from headrace_sdk import Component


async def by_context(context, url):
    return (await context.http.get(url)).status


async def by_httpx(context, url):
    async with httpx.AsyncClient(follow_redirects=True, timeout={TRY_SECONDS}) as client:
        return (await client.get(url)).status_code


async def by_urllib(context, url):
    return await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout={TRY_SECONDS}).status)


async def by_socket(context, url):
    found = urlsplit(url)
    place = (found.hostname or "", found.port or 80)
    await asyncio.to_thread(lambda: socket.create_connection(place, {TRY_SECONDS}).close())
    return "open"


class Own(Component):
    async def receive(self, context):
        seen = {{}}
        for url in context.content["data"]:
            for way in (by_context, by_httpx, by_urllib, by_socket):
                try:
                    seen[f"{{way.__name__}} {{url}}"] = str(await way(context, url))
                except Exception as error:
                    seen[f"{{way.__name__}} {{url}}"] = type(error).__name__
        await context.send_json(seen)
"""
JAVASCRIPT = f"""
const http = require('http'), net = require('net');
const within = (promise) => Promise.race([promise,
    new Promise((_, fail) => setTimeout(fail, {TRY_SECONDS * 1000}, new Error('late')))]);
const ways = {{
    httpRequest: async (context, url) => (await context.httpRequest({{ url, timeout: {TRY_SECONDS * 1000} }})).status,
    fetch: async (context, url) => (await fetch(url)).status,
    http: (context, url) => new Promise((done, fail) => {{
        http.get(url, (answer) => done(answer.statusCode)).on('error', fail);
    }}),
    net: (context, url) => new Promise((done, fail) => {{
        const {{ hostname, port }} = new URL(url);
        net.connect(Number(port) || 80, hostname.replace(/[[\\]]/g, ''), () => done('open')).on('error', fail);
    }})
}};
module.exports = {{
    async receive(context) {{
        const seen = {{}};
        for (const url of context.messages.in.content.data) {{
            for (const [name, way] of Object.entries(ways)) {{
                try {{
                    seen[`${{name}} ${{url}}`] = String(await within(way(context, url)));
                }} catch (error) {{
                    seen[`${{name}} ${{url}}`] = error?.name ?? 'Error';
                }}
            }}
        }}
        await context.sendJson(seen, 'out');
    }}
}};
"""
CODE: Mapping[Language, str] = {"python": PYTHON, "javascript": JAVASCRIPT}


class BuiltIn(Component):
    """Calls as the components that come with Headrace do, in the executor itself."""

    async def receive(self, context: Context) -> None:
        given = context.content
        assert isinstance(given, dict)
        urls = given["data"]
        assert isinstance(urls, list)
        seen = {}
        for url in map(str, urls):
            try:
                seen[f"built in {url}"] = str((await context.http.request("GET", url)).status)
            except Exception as error:
                seen[f"built in {url}"] = type(error).__name__
        await context.send_json({**seen})


@dataclass(slots=True)
class Inner:
    """The inner network: who is heard at its closed port, and who at the open one."""

    port: int
    open_port: int
    heard: Counter[str]
    welcome: Counter[str]


@contextlib.contextmanager
def inner_network() -> Iterator[Inner]:
    """Listeners at one port of all addresses, and the server that redirects."""
    with contextlib.ExitStack() as stack:
        everywhere = stack.enter_context(socket.create_server(("0.0.0.0", 0), backlog=512))
        inner = Inner(everywhere.getsockname()[1], 0, Counter(), Counter())
        opened = stack.enter_context(socket.create_server((OPEN, 0), backlog=512))
        inner.open_port = opened.getsockname()[1]
        listeners = [everywhere, stack.enter_context(socket.create_server(("127.0.0.1", inner.open_port), backlog=512))]
        with contextlib.suppress(OSError):  # there is no IPv6
            listeners.append(socket.create_server(("::", inner.port), family=socket.AF_INET6, backlog=512))
            stack.enter_context(listeners[-1])
        for listener in listeners:
            threading.Thread(target=_listen, args=(listener, inner.heard), daemon=True).start()
        threading.Thread(target=_listen, args=(opened, inner.welcome), daemon=True).start()
        yield inner
        for listener in (*listeners, opened):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _listen(listener: socket.socket, heard: Counter[str]) -> None:
    with contextlib.suppress(OSError):  # it is closed
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(1)
                heard["connections"] += 1
                asked = connection.recv(4096).decode("latin-1").partition(" ")[2].partition(" ")[0]
                head = "HTTP/1.1 200 OK"
                if "/to?" in asked:
                    head = f"HTTP/1.1 302 Found\r\nLocation: {unquote(asked.partition('/to?')[2])}"
                connection.sendall(f"{head}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())


def addresses(inner: Inner) -> list[str]:
    """Every URL that is tried."""
    hosts = [host for target in TARGETS for host in _spellings(target)]
    hosts += ["0", "0.0.0.0", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "[fe80::1%25lo]", "[fec0::1]"]
    hosts += ["localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "ip6-localhost"]
    hosts += [socket.gethostname(), "metadata.google.internal", "169.254.169.254", "[fd00:ec2::254]", "169.254.170.2"]
    port = inner.port
    urls = [f"http://{host}:{port}/" for host in hosts]
    urls += [f"https://{host}:{port}/" for host in hosts[::4]]
    urls += [f"http://x.test@{host}:{port}/" for host in hosts[::3]]
    tricks = ("http://127.0.0.1:{0}#@x.test/", "http://127.0.0.1:{0}\\@x.test/", "http://x.test\\@127.0.0.1:{0}/")
    tricks += ("http://127.0.0.1:{0}?@x.test/", "http:127.0.0.1:{0}/", "http:/127.0.0.1:{0}/", "//127.0.0.1:{0}/")
    tricks += (
        "http://127.0.0.1:{0}:80/",
        "http://127.0.0.1 :{0}/",
        "http://127.0.0.1\t:{0}/",
        "http:///127.0.0.1:{0}/",
    )
    tricks += ("hTTp://127.0.0.1:{0}/", " http://127.0.0.1:{0}/", "http://127.0.0.1:0{0}/", "ftp://127.0.0.1:{0}/")
    tricks += ("gopher://127.0.0.1:{0}/", "dict://127.0.0.1:{0}/", "ws://127.0.0.1:{0}/", "http+unix://127.0.0.1:{0}/")
    urls += [trick.format(port) for trick in tricks]
    urls += [f"http://{REBINDING}:{inner.open_port}/{number}" for number in range(20)]
    urls += [f"http://{OPEN}:{inner.open_port}/to?{quote(url, safe='')}" for url in urls[::2]]
    return list(dict.fromkeys(urls))


def _spellings(target: str) -> Iterator[str]:
    """The ways that some parser or other takes for this IPv4 address."""
    parts = [int(part) for part in target.split(".")]
    number = int.from_bytes(bytes(parts), "big")
    yield target
    yield f"{target}."
    yield from (str(number), hex(number), f"0{number:o}", f"0x{number:08X}")
    yield ".".join(f"0{part:o}" for part in parts)
    yield ".".join(f"{part:03d}" for part in parts)
    yield ".".join(hex(part) for part in parts)
    yield f"{parts[0]}.{number & 0xFFFFFF}"
    yield f"{parts[0]}.{parts[1]}.{number & 0xFFFF}"
    yield "".join(f"%{ord(letter):02x}" for letter in target)
    yield "".join(chr(0xFF10 + int(letter)) if letter.isdigit() else letter for letter in target)
    yield target.replace(".", "\u3002")
    yield target.replace(".", "\uff0e")
    high, low = number >> 16, number & 0xFFFF
    yield from (f"[::ffff:{target}]", f"[::ffff:{high:x}:{low:x}]", f"[0:0:0:0:0:ffff:{high:x}:{low:x}]")
    yield from (f"[::{target}]", f"[64:ff9b::{target}]", f"[64:ff9b:1::{target}]", f"[2002:{high:x}:{low:x}::]")
    yield from (f"[2001::{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]", f"[::ffff:0:{target}]")
    yield from (f"{target}.test", f"{target.replace('.', '-')}.rebinding.test")


async def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Call all of them in every way."""
    verdict = Verdict("S5")
    with inner_network() as inner:
        urls = addresses(inner)
        drawn = random.Random(seed)
        drawn.shuffle(urls)
        chosen = [*urls[: level.count], f"http://{OPEN}:{inner.open_port}/"]
        networks = (f"{OPEN}/32",)
        policy = EgressPolicy(allowed_networks=("0.0.0.0/0", "::/0") if mutant == "open_network" else networks)
        own = OwnComponent(BuiltIn)
        async with confined(
            folder / "executor",
            mutant=mutant,
            policy=policy,
            resolver=rebinding(),
            own=[own],
            egress_networks=networks,
        ) as here:
            source = {"in": {"hook": ["request"]}}
            here.flows.put("f", {"hook": webhook(), "own": {"type": own.type, "source": source, "config": {}}})
            calls = {"built in": here.of_flow("f", chosen)}
            calls |= {each: here.answers(here.publish(each, CODE[each]), chosen) for each in LANGUAGES}
            calls |= {f"accounts in {each}": accounts(here, each, chosen) for each in LANGUAGES}
            calls["webhooks"] = webhooks(here, chosen)
            for place, call in calls.items():
                _judge(place, await call, inner, len(chosen), verdict)
    verdict.told = {"urls": len(chosen), **verdict.told}
    return verdict


def _judge(place: str, seen: object, inner: Inner, count: int, verdict: Verdict) -> None:
    heard, welcome = inner.heard.pop("connections", 0), inner.welcome.pop("connections", 0)
    verdict.told[f"{place.replace(' ', '_')}_connections"] = heard
    if heard:
        verdict.wrong.append(f"{place}: {heard} connections arrived in the inner network")
    if not welcome:
        verdict.wrong.append(f"{place}: the open server heard nobody, so nothing is proved")
    if not isinstance(seen, dict) or len(seen) < count:
        verdict.wrong.append(f"{place}: not all were tried: {str(seen)[:300]}")
        return
    verdict.told[f"{place.replace(' ', '_')}_calls"] = len(seen)
    inner_ones = (each for each, words in seen.items() if words in ("200", "open") and not _may_be_answered(each))
    verdict.wrong += [f"{place}: {each} was answered" for each in inner_ones]


def _may_be_answered(call: str) -> bool:
    """What the open server answers is not the inner network's."""
    return OPEN in call or REBINDING in call


def rebinding() -> Resolver:
    """A DNS that answers first with the open address, and then with another one of this machine."""
    turns = itertools.cycle([OPEN, "127.0.0.1"])

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host.endswith(REBINDING):
            return [next(turns)] if host == REBINDING else ["127.0.0.1"]
        return ["127.0.0.1"] if host.endswith(".test") or "localhost" in host else []

    return resolve


def main() -> int:
    chosen = command(__doc__, LEVELS, "open_network").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        told = ["addresses of the inner network, by nine ways to call, five of accounts and two of webhooks"]
        return play(chosen, told, lambda: asyncio.run(run(folder, level, chosen.seed, chosen.mutant)))


if __name__ == "__main__":
    sys.exit(main())
