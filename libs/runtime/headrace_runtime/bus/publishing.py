"""Publishing to RabbitMQ: confirmed, routable, and never longer than a few seconds."""

import asyncio
from collections.abc import Sequence

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import ChannelInvalidStateError, ChannelNotFoundEntity, DeliveryError, PublishError
from headrace_core.errors import Unavailable

from headrace_runtime.bus.link import FAILURES, RETRY_HINT, Link
from headrace_runtime.bus.packing import CONTENT_TYPE, chunks, pack
from headrace_runtime.bus.topology import Topology

PUBLISH_SECONDS = 5.0
MAX_OUTSTANDING = 200
"""Messages that may wait for their confirmation at once; further ones wait for their turn."""


class Publisher:
    """Publishes on a connection that nobody consumes from.

    A broker in distress stops reading from connections that publish; consumers must not stand behind that.
    """

    def __init__(self, link: Link, topology: Topology) -> None:
        self._link = link
        self._topology = topology
        self._slots = asyncio.Semaphore(MAX_OUTSTANDING)
        self._declaring = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self.messages = 0
        self.unheard = 0
        self.refused = 0

    async def publish(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Return when the broker has them all. Raises Unavailable, and then it may have them all the same."""
        for chunk in chunks(payloads):
            message = Message(pack(chunk), content_type=CONTENT_TYPE, delivery_mode=DeliveryMode.PERSISTENT)
            await self._send(topic, message)

    async def _send(self, topic: str, message: Message) -> None:
        connection = self._link.use()
        try:
            async with asyncio.timeout(PUBLISH_SECONDS), self._slots:
                await self._publish(connection, topic, message)
            self.messages += 1
        except PublishError:
            self.unheard += 1  # nobody has subscribed, which is no error
        except DeliveryError:
            self.refused += 1  # the queue of a group is full: what comes faster than it reads is dropped
        except FAILURES as error:
            why = "no confirmation in time" if isinstance(error, TimeoutError) else type(error).__name__
            self._link.drop(f"{why} for a message to {topic!r}", connection)
            raise Unavailable(self._link.why_away, retry_after=RETRY_HINT) from error

    async def _publish(self, connection: AbstractConnection, topic: str, message: Message) -> None:
        exchange = await self._declared(connection)
        try:
            await exchange.publish(message, topic, mandatory=True, timeout=PUBLISH_SECONDS)
        except (ChannelNotFoundEntity, ChannelInvalidStateError):
            # Somebody deleted the exchange, which closes the channel: once more from the start.
            exchange = await self._declared(connection)
            await exchange.publish(message, topic, mandatory=True, timeout=PUBLISH_SECONDS)

    async def _declared(self, connection: AbstractConnection) -> AbstractExchange:
        async with self._declaring:
            is_open = self._channel is not None and not self._channel.is_closed
            if self._exchange is None or connection is not self._connection or not is_open:
                self._channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchange = await self._topology.exchange(self._channel)
                self._connection = connection
            return self._exchange
