"""Names that a runner looks up: DNS over TCP, answered by what the executor's own system finds.

A runner has no other way to look up a name. So a name that it may not call has no address there, and every address that
a name led to is known to the fence.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import OrderedDict
from ipaddress import ip_address

from headrace_core.errors import Forbidden
from headrace_runtime.egress import EgressPolicy, Resolver, resolve_by_system
from headrace_runtime.egress.addresses import Address, unmapped

from headrace_executor.runners.pacing import Pace

MAX_KNOWN = 10_000
LOOKUP_SECONDS = 10.0
IDLE_SECONDS = 30.0
AT_ONCE = 4
PER_SECOND, BURST = 200, 200
TTL_SECONDS = 5

_HEADER = struct.Struct("!HHHHHH")
_A, _AAAA, _INTERNET = 1, 28, 1
_RESPONSE, _RECURSES, _WANTS_RECURSION = 0x8000, 0x0080, 0x0100
_FAILED, _NO_SUCH_NAME = 2, 3
_LONGEST_NAME = 253


class Names:
    """Looks names up for one runner, as far as its policy lets it call them."""

    def __init__(self, policy: EgressPolicy, resolver: Resolver = resolve_by_system) -> None:
        self._policy = policy
        self._resolver = resolver
        self._known: OrderedDict[Address, str] = OrderedDict()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._pace = Pace(PER_SECOND, BURST)
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it answers, on the loopback address."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        talks = [*self._talks]
        for each in talks:
            each.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    def of(self, address: Address) -> str:
        """A name that led to the address; "" where none did."""
        return self._known.get(address, "")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                while True:
                    async with asyncio.timeout(IDLE_SECONDS):
                        (size,) = struct.unpack("!H", await reader.readexactly(2))
                        asked = await reader.readexactly(size)
                    await self._pace.turn()
                    answer = await self._answer(asked)
                    writer.write(struct.pack("!H", len(answer)) + answer)
                    await writer.drain()
        finally:
            self._talks.discard(task)
            writer.close()

    async def _answer(self, asked: bytes) -> bytes:
        """Raises ValueError for what is no question."""
        name, kind, question = _question(asked)
        code, found = 0, list[Address]()
        if kind in (_A, _AAAA):
            try:
                found = await self._look_up(name)
            except Forbidden:
                code = _NO_SUCH_NAME
            except TimeoutError:
                code = _FAILED
            except (OSError, UnicodeError) as error:
                passes = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
                code = _FAILED if passes else _NO_SUCH_NAME
        version = 4 if kind == _A else 6
        packed = [each.packed for each in found if each.version == version]
        (number,) = struct.unpack_from("!H", asked)
        head = _HEADER.pack(number, _RESPONSE | _RECURSES | _WANTS_RECURSION | code, 1, len(packed), 0, 0)
        about = struct.pack("!HHHI", 0xC000 | _HEADER.size, kind, _INTERNET, TTL_SECONDS)
        return head + question + b"".join(about + struct.pack("!H", len(each)) + each for each in packed)

    async def _look_up(self, name: str) -> list[Address]:
        self._policy.check_host(name)
        async with self._room, asyncio.timeout(LOOKUP_SECONDS):
            found = [unmapped(ip_address(each.partition("%")[0])) for each in await self._resolver(name, 0)]
        for address in found:
            self._known[address] = name
            self._known.move_to_end(address)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return found


def _question(asked: bytes) -> tuple[str, int, bytes]:
    """The one name asked for, in lower case, what of it, and the question as it stands. Raises ValueError."""
    if len(asked) < _HEADER.size or _HEADER.unpack_from(asked)[2] != 1:
        raise ValueError("That is no message with one question.")
    labels, place = list[str](), _HEADER.size
    while place < len(asked) and (size := asked[place]):
        label = asked[place + 1 : place + 1 + size]
        if size > 63 or len(label) < size:
            raise ValueError("That is no name.")
        labels.append(label.decode("ascii"))
        place += 1 + size
    end = place + 5
    name = ".".join(labels).lower()
    if len(asked) < end or not name or len(name) > _LONGEST_NAME:
        raise ValueError("That is no question.")
    (kind,) = struct.unpack_from("!H", asked, place + 1)
    return name, kind, asked[_HEADER.size : end]
