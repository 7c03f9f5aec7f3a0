"""Where a service shows its metrics: `GET /metrics` at an address of its own, off unless the operator names one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from headrace_core.clock import SystemClock
from headrace_core.errors import Conflict, Problem, ValidationFailed

from headrace_runtime.metrics import Metrics, watch_loop_lag
from headrace_runtime.settings import load, setting

MAX_HEAD_BYTES = 8 * 1024
MAX_CONNECTIONS = 16
PATIENCE_SECONDS = 5.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Whether and where a process shows its metrics."""

    listen: str = setting(
        "",
        env="HEADRACE_METRICS_LISTEN",
        help="Address at which a service's process shows its metrics to anybody at GET /metrics, as 127.0.0.1:9464, "
        "or :9464 for the loopback address; empty shows them nowhere.",
    )

    @property
    def place(self) -> tuple[str, int] | None:
        """Host and port; None when nothing is shown. Raises ValidationFailed."""
        if not self.listen:
            return None
        host, _, port = self.listen.rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            raise ValidationFailed(
                [Problem("HEADRACE_METRICS_LISTEN", "It is no address.", "Write it as 127.0.0.1:9464 or :9464.")]
            )
        return host.strip("[]") or "127.0.0.1", int(port)


@asynccontextmanager
async def open_metrics(environ: Mapping[str, str]) -> AsyncIterator[Metrics]:
    """The metrics of this process, shown while the block runs where the environment says so.

    Raises ValidationFailed for an address that is none, Conflict for one that is taken.
    """
    place = load(MetricsSettings, environ).place
    metrics = Metrics()
    if place is None:
        yield metrics
        return
    async with serve_metrics(metrics, *place):
        lag = asyncio.create_task(watch_loop_lag(metrics, SystemClock()), name="loop lag")
        try:
            yield metrics
        finally:
            lag.cancel()


@asynccontextmanager
async def serve_metrics(metrics: Metrics, host: str, port: int) -> AsyncIterator[int]:
    """Answer `GET /metrics` while the block runs; the value is the port. Raises Conflict when the address is taken."""
    listener = _Listener(metrics)
    try:
        server = await asyncio.start_server(listener.answer, host, port, limit=MAX_HEAD_BYTES)
    except OSError as error:
        raise Conflict(
            f"Nobody can listen at {host}:{port}: {error.strerror}. Set HEADRACE_METRICS_LISTEN to another address."
        ) from None
    bound = server.sockets[0].getsockname()[1]
    _log.info("Metrics are shown", extra={"host": host, "port": bound})
    async with server:
        yield bound


class _Listener:
    """One answer a connection. More connections than a few are closed unanswered."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._connections = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                # A caller who is gone, slow or speaks something else gets nothing.
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        head = await reader.readuntil(b"\r\n\r\n")
                        writer.write(await self._said(head))
                        await writer.drain()
        finally:
            self._connections -= 1
            writer.close()

    async def _said(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _response("404 Not Found", "There is /metrics.\n")
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "GET it.\n")
        return _response("200 OK", await self._metrics.text(), with_body=method == b"GET")


def _response(status: str, text: str, *, with_body: bool = True) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
