"""The load generator: numbered events over keep-alive connections, the same for every peer.

Each caller sends its next event as soon as the last one is answered. An event counts as answered when its whole
2xx answer was read.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

EVENT: Mapping[str, str | int | float] = {
    "id": 1,
    "n": 0,
    "name": "Ada Lovelace",
    "email": "ADA@Example.ORG",
    "amount": 12.5,
}
PATIENCE_SECONDS = 60.0  # for the last answers, once nothing more is sent


@dataclass(slots=True)
class Load:
    """What came of it. Moments are seconds since 1970, latencies milliseconds."""

    began: float = 0.0
    ended: float = 0.0
    failed: int = 0  # refused, broken off, or never answered
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return len(self.latencies_ms)

    @property
    def rate(self) -> float:
        """Answers a second, from the first request to the last answer."""
        return self.answered / (self.ended - self.began) if self.answered else 0.0

    def percentile(self, share: float) -> float:
        """The latency that `share` of the answers did not exceed; nan without answers."""
        ordered = sorted(self.latencies_ms)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def drive(url: str, *, callers: int, seconds: float, events: int | None = None) -> Load:
    """Send events to `url` for `seconds`, at most `events` of them, and wait for the answers."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_drive(url, callers, seconds, events))


async def _drive(url: str, callers: int, seconds: float, events: int | None) -> Load:
    load = Load(began=time.time())
    until = time.perf_counter() + seconds
    numbers = iter(range(1, events + 1)) if events else itertools.count(1)
    tasks = [asyncio.create_task(_call_on(url, numbers, until, load)) for _ in range(callers)]
    done, waiting = await asyncio.wait(tasks, timeout=seconds + PATIENCE_SECONDS)
    load.failed += len(waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for task in done:
        task.result()
    return load


async def _call_on(url: str, numbers: Iterator[int], until: float, load: Load) -> None:
    """One caller. A lost connection is one failed event; the caller goes on over a new one."""
    while time.perf_counter() < until:
        try:
            if await _converse(url, numbers, until, load):
                return
        except ConnectionError:
            load.failed += 1
            await asyncio.sleep(0.01)  # a server that refuses connections is not hammered


async def _converse(url: str, numbers: Iterator[int], until: float, load: Load) -> bool:
    """Call over one connection until nothing is left to send (True) or the server closes it (False).

    Raises ConnectionError when it is lost before an answer was complete.
    """
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
    try:
        while time.perf_counter() < until:
            if connection.is_closing:
                return False
            number = next(numbers, None)
            if number is None:
                break
            sent = time.perf_counter()
            status = await connection.post(parts.path, json.dumps({**EVENT, "id": number}).encode())
            if 200 <= status < 300:
                load.latencies_ms.append((time.perf_counter() - sent) * 1000)
                load.ended = time.time()
            else:
                load.failed += 1
        return True
    finally:
        connection.close()


class Connection(asyncio.Protocol):
    """A keep-alive connection. One request at a time; the parser calls back when its answer is complete."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None
        self._host = ""
        self.is_closing = False

    async def post(self, path: str, body: bytes) -> int:
        """Send JSON; the status, once all of the answer is there. Raises ConnectionError when the server leaves."""
        if self._transport is None:
            raise ConnectionResetError
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answer = answer
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
        self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return await answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # those of uvloop are none by their class
        self._host = ":".join(map(str, transport.get_extra_info("peername")[:2]))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.is_closing = not self._parser.should_keep_alive()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closing = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())
