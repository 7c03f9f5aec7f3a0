"""What the bus keeps in RabbitMQ, declared at every start and again after every loss.

    exchange <namespace>               direct; the routing key is the topic
    queue    <namespace>.<topic>.<group>   quorum; one for each group
    exchange <namespace>.dead          fanout; what was delivered too often, or cannot be read
    queue    <namespace>.dead          quorum; for people to look at
    queue    <namespace>.<feed>        quorum; for a program of others, bound to the default exchange alone

A full queue refuses what is published (dead letters at least once ask for it); the refusal reaches the publisher.
"""

from dataclasses import dataclass

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from pamqp.common import FieldTable

DELIVERY_LIMIT = 20
"""How often a message may come back from members that failed before it is a dead letter. Never left to the broker:
its default was unlimited before 4.0."""

FORGET_AFTER_SECONDS = 15 * 60
"""How long the queue of a group lives on without any member."""

DEAD_CAPACITY = 100_000


@dataclass(frozen=True, slots=True)
class Topology:
    """The names and limits of one installation's bus."""

    namespace: str
    capacity: int

    def queue_name(self, topic: str, group: str) -> str:
        """The queue of a group. Raises ValueError where the broker would not take the name."""
        name = f"{self.namespace}.{topic}.{group}"
        if len(name.encode()) > 255:
            raise ValueError(f"The topic {topic!r} and the group {group!r} make a name of more than 255 bytes.")
        return name

    @property
    def dead(self) -> str:
        return f"{self.namespace}.dead"

    def arguments(self) -> FieldTable:
        """How the queue of a group is declared."""
        return {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-max-length": self.capacity,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": self.dead,
            "x-dead-letter-strategy": "at-least-once",
            "x-expires": FORGET_AFTER_SECONDS * 1000,
        }

    async def exchange(self, channel: AbstractChannel) -> AbstractExchange:
        """Where everything is published."""
        return await channel.declare_exchange(self.namespace, ExchangeType.DIRECT, durable=True)

    async def queue(self, channel: AbstractChannel, topic: str, group: str) -> AbstractQueue:
        """The queue of a group, bound to its topic, and everything it needs."""
        exchange = await self.exchange(channel)
        await self._dead_letters(channel)
        queue = await channel.declare_queue(
            self.queue_name(topic, group),
            durable=True,
            arguments=self.arguments(),
        )
        await queue.bind(exchange, topic)
        return queue

    def feed_name(self, name: str) -> str:
        """The queue of a feed."""
        return f"{self.namespace}.{name}"

    async def feed(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        """A queue that is kept without readers too, and everything it needs."""
        await self._dead_letters(channel)
        return await channel.declare_queue(
            self.feed_name(name),
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-max-length": self.capacity,
                "x-overflow": "reject-publish",
                "x-dead-letter-exchange": self.dead,
                "x-dead-letter-strategy": "at-least-once",
            },
        )

    async def _dead_letters(self, channel: AbstractChannel) -> None:
        exchange = await channel.declare_exchange(self.dead, ExchangeType.FANOUT, durable=True)
        queue = await channel.declare_queue(
            self.dead, durable=True, arguments={"x-queue-type": "quorum", "x-max-length": DEAD_CAPACITY}
        )
        await queue.bind(exchange)
