"""Listening to a topic in RabbitMQ, through every loss of connection, channel or queue."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from headrace_runtime.bus.link import CLOSE_SECONDS, FAILURES, Link
from headrace_runtime.bus.local import BATCH
from headrace_runtime.bus.packing import Malformed, unpack
from headrace_runtime.bus.topology import Topology

PREFETCH = 16
"""Messages on their way to one member. Each may carry hundreds of hints."""

DECLARE_SECONDS = 10.0
DELETE_SECONDS = 15.0
REST_SECONDS = 0.5

log = logging.getLogger(__name__)


class Subscription:
    """One member of a group. What it hands out is acknowledged when the next batch is asked for.

    A member that goes before gives its batch back: another one gets it, or it is a dead letter after too many times.
    """

    def __init__(self, link: Link, topology: Topology, topic: str, group: str) -> None:
        self._link = link
        self._topology = topology
        self._topic = topic
        self._group = group
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._listening = asyncio.Event()
        topology.queue_name(topic, group)

    async def wait_until_listening(self, seconds: float) -> None:
        """Return when the queue is there and consumed from, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._listening.wait()

    async def run(self) -> None:
        """Consume until cancelled; declare and begin again after every loss."""
        while True:
            connection = await self._link.wait()
            try:
                await self._consume(connection)
            except TimeoutError:
                await self._begin_anew(connection)
            except FAILURES as error:
                log.debug("%s of group %s is not heard: %s", self._topic, self._group, error)
                await asyncio.sleep(REST_SECONDS)

    async def _consume(self, connection: AbstractConnection) -> None:
        lost = asyncio.Event()
        async with asyncio.timeout(DECLARE_SECONDS):
            channel = await connection.channel(publisher_confirms=False)
            channel.close_callbacks.add(lambda *_: lost.set())
            underlay = await channel.get_underlay_channel()
            # The broker tells so that the queue was deleted.
            underlay.on_consumer_cancel_callbacks.add(lambda _: lost.set())
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await self._topology.queue(channel, self._topic, self._group)
            await queue.consume(self._arrived.put)
        self._listening.set()
        try:
            await lost.wait()
        finally:
            self._listening.clear()
            self._forget_unread()
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(CLOSE_SECONDS):
                    # What was not acknowledged goes back to the queue.
                    await channel.close()

    async def _begin_anew(self, connection: AbstractConnection) -> None:
        """Delete a queue that answers nobody.

        A broker killed moments after a quorum queue was declared may come back with the queue and without its log.
        Whoever publishes to it waits in vain then. It held hints; deleting it loses nothing that is not found again.
        """
        name = self._topology.queue_name(self._topic, self._group)
        log.warning("The queue %s does not answer within %s s. It is deleted and made anew", name, DECLARE_SECONDS)
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(DELETE_SECONDS):
                channel = await connection.channel(publisher_confirms=False)
                await channel.queue_delete(name)
        self._link.drop(f"the queue {name} does not answer", connection)

    def _forget_unread(self) -> None:
        """The broker gives them to somebody again; here they cannot be acknowledged any more."""
        while not self._arrived.empty():
            self._arrived.get_nowait()

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """What arrives, for ever."""
        while True:
            message = await self._arrived.get()
            try:
                payloads = unpack(message.body)
            except Malformed as error:
                log.warning("A message to %s that cannot be read is a dead letter now: %s", self._topic, error)
                await _settle(message.reject(requeue=False))
                continue
            for begin in range(0, len(payloads), BATCH):
                yield payloads[begin : begin + BATCH]
            await _settle(message.ack())


async def _settle(settling: Awaitable[None]) -> None:
    # Where the channel is gone the broker has taken the message back by itself.
    with contextlib.suppress(*FAILURES):
        await settling
