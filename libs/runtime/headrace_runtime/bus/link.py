"""A connection to RabbitMQ that comes back by itself, and says in one line why it is away."""

import asyncio
import contextlib
import logging
import random
import re
from datetime import timedelta

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, AuthenticationError, ProbableAuthenticationError
from headrace_core.errors import Unavailable
from yarl import URL

MINIMUM_VERSION = (3, 10)
"""Quorum queues dead-letter at least once, and know a time to live, from here on."""

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0
HEARTBEAT_SECONDS = 5
FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
RETRY_HINT = timedelta(seconds=2)

FAILURES = (AMQPError, OSError, TimeoutError, RuntimeError)
"""What the driver raises when a broker is away or goes away in the middle."""

log = logging.getLogger(__name__)
_VERSION = re.compile(r"(\d+)\.(\d+)")


class WrongVersion(Exception):
    """The broker is older than what the queues need."""


class Link:
    """One connection. `run` keeps it; `use` hands it out; `drop` makes it new."""

    def __init__(self, url: str, purpose: str, *, minimum: tuple[int, int] = MINIMUM_VERSION) -> None:
        self._url = URL(url).update_query(heartbeat=HEARTBEAT_SECONDS, name=f"headrace {purpose}")
        self._purpose = purpose
        self._minimum = minimum
        self._connection: AbstractConnection | None = None
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._complaint = ""
        self.connects = 0

    @property
    def address(self) -> str:
        """Host and port, without the password."""
        return address_of(self._url)

    @property
    def why_away(self) -> str:
        """Why there is no connection, for people."""
        return self._complaint or f"RabbitMQ at {self.address} is not connected yet."

    def use(self) -> AbstractConnection:
        """The connection. Raises Unavailable at once when there is none."""
        if self._connection is None:
            raise Unavailable(self.why_away, retry_after=RETRY_HINT)
        return self._connection

    async def wait(self) -> AbstractConnection:
        """The connection, as soon as there is one."""
        while self._connection is None:
            await self._connected.wait()
        return self._connection

    def drop(self, reason: str, connection: AbstractConnection) -> None:
        """Distrust this connection: nobody gets it any more, and a new one is made."""
        if connection is self._connection:
            self._complain(f"RabbitMQ at {self.address} is given up: {reason}.")
            self._forget()

    async def run(self) -> None:
        """Keep connected until cancelled."""
        # The driver logs traces for what is told here in a line.
        for name in ("aiormq", "aio_pika"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        delay = FIRST_DELAY
        while True:
            try:
                connection = await self._connect()
            except (*FAILURES, WrongVersion) as error:
                self._complain(explained(error, self._url))
            else:
                delay = FIRST_DELAY
                await self._keep(connection)
            # Full jitter: a fleet that lost its broker does not come back in one moment.
            await asyncio.sleep(random.uniform(0.05, delay))
            delay = min(LONGEST_DELAY, delay * 2)

    async def _connect(self) -> AbstractConnection:
        # One that is not closed closes itself when it is collected, where there may be no loop to do it in.
        connection = aio_pika.Connection(URL(self._url))
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.connect()
            self._check_version(connection)
        except BaseException:
            await _close(connection)
            raise
        return connection

    def _check_version(self, connection: AbstractConnection) -> None:
        transport = connection.transport
        properties = getattr(transport.connection, "server_properties", {}) if transport else {}
        told = properties.get("version", b"")
        version = told.decode() if isinstance(told, bytes) else str(told)
        found = _VERSION.match(version)
        if found and (int(found[1]), int(found[2])) < self._minimum:
            needed = ".".join(map(str, self._minimum))
            raise WrongVersion(f"is version {version}: {needed} or newer is needed.")

    async def _keep(self, connection: AbstractConnection) -> None:
        self._lost.clear()
        connection.close_callbacks.add(self._on_close)
        self._connection = connection
        self._connected.set()
        self.connects += 1
        if self._complaint:
            log.info("RabbitMQ at %s serves again (%s)", self.address, self._purpose)
            self._complaint = ""
        try:
            await self._lost.wait()
        finally:
            self._forget()
            await _close(connection)

    def _on_close(self, connection: AbstractConnection | None, error: BaseException | None) -> None:
        if connection is self._connection:
            self._complain(f"RabbitMQ at {self.address} closed the connection: {_short(error)}.")
            self._forget()

    def _forget(self) -> None:
        self._connection = None
        self._connected.clear()
        self._lost.set()

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            log.warning("%s Trying again (%s)", complaint, self._purpose)


def explained(error: BaseException, url: URL) -> str:
    """Why there is no connection to the broker at the URL, for people and without the password."""
    address = address_of(url)
    match error:
        case WrongVersion():
            return f"RabbitMQ at {address} {error}"
        case AuthenticationError() | ProbableAuthenticationError():
            return f"RabbitMQ at {address} refuses the user {url.user!r} or its password: check HEADRACE_RABBITMQ_URL."
        case _ if isinstance(error, TimeoutError) or "Connect call failed" in str(error):
            return f"RabbitMQ at {address} does not answer."
        case _ if "ACCESS_REFUSED" in str(error):
            return f"RabbitMQ at {address} refuses the user {url.user!r} or its password: check HEADRACE_RABBITMQ_URL."
        case _ if "Connection.OpenOk" in str(error):
            # The broker closes the connection instead of opening the virtual host.
            return f"RabbitMQ at {address} does not let {url.user!r} use the virtual host {url.path!r}."
        case _:
            return f"RabbitMQ at {address} cannot be reached: {_short(error)}."


def address_of(url: URL) -> str:
    """Host and port, without the password."""
    return f"{url.host}:{url.port or 5672}"


def _short(error: BaseException | None) -> str:
    text = " ".join(str(error).split()) if error is not None else ""
    return text[:200] or type(error).__name__


async def _close(connection: AbstractConnection) -> None:
    with contextlib.suppress(*FAILURES):
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.close()
