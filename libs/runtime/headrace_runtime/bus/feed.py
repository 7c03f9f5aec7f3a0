"""What a program of others reads from RabbitMQ: a queue of JSON texts, each kept until the reader acknowledges it.

    async with Feed.connected(url, "log-records") as feed:
        await feed.send([b'[{"msg": "a"}, {"msg": "b"}]'])

The bus drops what has no room and forgets what nobody hears: hints are found again. A feed refuses instead, so that
whoever sends keeps what the broker did not take.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import ChannelInvalidStateError, DeliveryError, PublishError
from headrace_core.errors import Unavailable

from headrace_runtime.bus.link import FAILURES, RETRY_HINT, Link
from headrace_runtime.bus.rabbitmq import FIRST_SECONDS, beside
from headrace_runtime.bus.topology import Topology

SEND_SECONDS = 5.0
CONTENT_TYPE = "application/json"


class Feed:
    """One queue under `<namespace>.<name>`, and a connection that only publishes to it."""

    def __init__(self, url: str, name: str, *, namespace: str = "headrace", capacity: int = 10_000) -> None:
        self._topology = Topology(namespace, capacity)
        self._name = name
        self._link = Link(url, f"feeding {name}")
        self._declaring = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, name: str, *, namespace: str = "headrace", capacity: int = 10_000
    ) -> AsyncIterator["Feed"]:
        """A feed that keeps itself connected while the block runs. Its queue is there once the broker was.

        A broker that is away is told in one line and tried again for ever; the block is entered all the same.
        """
        feed = cls(url, name, namespace=namespace, capacity=capacity)
        async with beside(feed._link.run()):
            with contextlib.suppress(TimeoutError, Unavailable, *FAILURES):
                async with asyncio.timeout(FIRST_SECONDS):
                    await feed._declared(await feed._link.wait())
            yield feed

    @property
    def queue(self) -> str:
        """What the queue is called, for its reader."""
        return self._topology.feed_name(self._name)

    async def send(self, messages: Sequence[bytes]) -> None:
        """Return when the broker has confirmed that the queue keeps all of them.

        Raises Unavailable unless it has; some of them, or all, may be there then. Sending them again is safe where
        the reader knows doubles.
        """
        for body in messages:
            await self._send(Message(body, content_type=CONTENT_TYPE, delivery_mode=DeliveryMode.PERSISTENT))

    async def _send(self, message: Message) -> None:
        connection = self._link.use()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._publish(connection, message)
        except PublishError as error:
            raise Unavailable(f"RabbitMQ has lost the queue {self.queue!r}.", retry_after=RETRY_HINT) from error
        except DeliveryError as error:
            why = f"The queue {self.queue!r} is full: whoever reads it does not follow."
            raise Unavailable(why, retry_after=RETRY_HINT) from error
        except FAILURES as error:
            why = "no confirmation in time" if isinstance(error, TimeoutError) else type(error).__name__
            self._link.drop(f"{why} for a message to {self.queue!r}", connection)
            raise Unavailable(self._link.why_away, retry_after=RETRY_HINT) from error

    async def _publish(self, connection: AbstractConnection, message: Message) -> None:
        exchange = await self._declared(connection)
        try:
            await exchange.publish(message, self.queue, mandatory=True, timeout=SEND_SECONDS)
        except (PublishError, ChannelInvalidStateError):
            # Somebody deleted the queue, or closed the channel: once more from the start.
            self._channel = None
            exchange = await self._declared(connection)
            await exchange.publish(message, self.queue, mandatory=True, timeout=SEND_SECONDS)

    async def _declared(self, connection: AbstractConnection) -> AbstractExchange:
        async with self._declaring:
            is_open = self._channel is not None and not self._channel.is_closed
            if self._exchange is None or connection is not self._connection or not is_open:
                self._channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                await self._topology.feed(self._channel, self._name)
                self._exchange = self._channel.default_exchange
                self._connection = connection
            return self._exchange
