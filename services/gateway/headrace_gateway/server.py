"""The HTTP server around the app: bounded heads, one place to listen, a polite end."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from headrace_core import errors
from headrace_core.clock import Clock, SystemClock
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from headrace_gateway.app import Gateway
from headrace_gateway.heads import MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES

HEAD_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 75
BACKLOG = 2048
# The app refuses long heads in its own words; the server only keeps endless ones from filling memory.
_HEAD_CAP = 2 * (MAX_HEAD_BYTES + MAX_TARGET_BYTES)
_HEADER_CAP = 4 * MAX_HEADERS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@asynccontextmanager
async def serve_http(
    app: Gateway,
    host: str,
    port: int,
    *,
    clock: Clock | None = None,
    backlog: int = BACKLOG,
    listener: socket.socket | None = None,
) -> AsyncIterator[Listening]:
    """Serve the app while the block runs. Port 0 takes a free one; the value says which.

    With a `listener` of `listen`, host and port were taken before.

    Leaving the block says not ready, waits `drain_delay` so that balancers notice, stops listening, lets requests
    under way end within `drain_timeout`, and ends what is left. Raises Conflict when the port is taken.
    """
    listener = listener or listen(host, port, backlog)
    bound = listener.getsockname()
    server = _Server(_config(app, backlog))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.until_started(serving)
        app.health.is_serving = True
        logger.info("Listening", extra={"host": bound[0], "port": bound[1]})
        yield Listening(bound[0], bound[1])
    finally:
        app.begin_drain()
        if not serving.done():
            await (clock or SystemClock()).sleep(app.settings.drain_delay.total_seconds())
        server.should_exit = True
        await serving
        await app.drain()


def listen(host: str, port: int, backlog: int = BACKLOG) -> socket.socket:
    """Take the port; callers wait until they are served. Raises Conflict when it is taken or the host is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise errors.Conflict(
            f"Nobody can listen at {host}:{port}: {error.strerror}. Set HEADRACE_PORT to another port, or "
            "HEADRACE_HOST to an address of this machine."
        ) from None
    listener.setblocking(False)
    return listener


def _config(app: Gateway, backlog: int) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # we say ourselves that we listen and stop
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=backlog,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(app.settings.drain_timeout.total_seconds())),
    )


class _Server(uvicorn.Server):
    """uvicorn's server, with the process's signals left to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def until_started(self, serving: "asyncio.Task[None]") -> None:
        """Return when connections are answered. Raises what the server failed with."""
        while not self.started:
            if serving.done():
                serving.result()
                raise errors.Unavailable("The HTTP server ended before it began.")
            await asyncio.sleep(0)


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose heads have an end: in bytes, in headers, and in time."""

    _head_bytes = 0
    _in_head = True
    _head_alarm: asyncio.TimerHandle | None = None
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base does
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._call_off()
        # uvicorn tells only the request that came last; those before it in a pipeline would write to a closed socket.
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEAD_CAP and not self.transport.is_closing():
            self.send_400_response("The head of the request has no end.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) < _HEADER_CAP:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._call_off()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._call_off()
        self._head_alarm = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _call_off(self) -> None:
        if self._head_alarm is not None:
            self._head_alarm.cancel()
            self._head_alarm = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
