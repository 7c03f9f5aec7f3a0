"""The bus between processes: hints over RabbitMQ's quorum queues.

    async with RabbitBus.connected(url) as bus:
        await bus.publish("flow.changed", [b"f1"])

It never stands in the way: without a broker publishing raises Unavailable at once, subscribers wait, and both come
back by themselves. Hints may be lost or arrive twice.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from headrace_runtime.bus.link import Link
from headrace_runtime.bus.publishing import Publisher
from headrace_runtime.bus.subscription import Subscription
from headrace_runtime.bus.topology import Topology
from headrace_runtime.metrics import Metrics
from headrace_runtime.settings import load, setting

FIRST_SECONDS = 5.0
"""How long a start waits for the broker. After that it goes on without, and the bus comes when the broker does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitSettings:
    """Where RabbitMQ is, and how much it keeps."""

    url: str | None = setting(
        None, env="HEADRACE_RABBITMQ_URL", help="RabbitMQ, as amqp://user:password@host:5672/vhost.", secret=True
    )
    namespace: str = setting(
        "headrace", env="HEADRACE_RABBITMQ_NAMESPACE", help="Begin of the names of all exchanges and queues."
    )
    capacity: int = setting(
        10_000, env="HEADRACE_RABBITMQ_CAPACITY", help="Messages that wait for a group of readers at most.", minimum=1
    )


class RabbitBus:
    """A `headrace_core.ports.Bus` that processes share. One connection publishes, another one consumes."""

    def __init__(self, url: str, *, namespace: str = "headrace", capacity: int = 10_000) -> None:
        self._topology = Topology(namespace, capacity)
        self._to = Link(url, "publishing")
        self._from = Link(url, "consuming")
        self._publisher = Publisher(self._to, self._topology)

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, namespace: str = "headrace", capacity: int = 10_000
    ) -> AsyncIterator["RabbitBus"]:
        """A bus that keeps itself connected while the block runs.

        A broker that is away, refuses the password or is too old is told in one line, and tried again for ever.
        """
        bus = cls(url, namespace=namespace, capacity=capacity)
        async with beside(bus._to.run(), bus._from.run()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_SECONDS):
                    await bus._to.wait()
            yield bus

    @property
    def messages(self) -> int:
        """Messages that the broker confirmed."""
        return self._publisher.messages

    @property
    def unheard(self) -> int:
        """Messages that nobody had subscribed to."""
        return self._publisher.unheard

    @property
    def dropped(self) -> int:
        """Messages that at least one group had no room for."""
        return self._publisher.refused

    @property
    def connects(self) -> int:
        """Connections made so far; two is one for each direction."""
        return self._to.connects + self._from.connects

    def count_in(self, metrics: Metrics) -> None:
        """Show among these metrics what was published and what was lost."""
        follow = metrics.follow
        follow("headrace_bus_messages_total", "Messages that the broker confirmed.", lambda: self.messages)
        follow("headrace_bus_unheard_total", "Messages that nobody had subscribed to.", lambda: self.unheard)
        follow("headrace_bus_dropped_total", "Messages that a group had no room for.", lambda: self.dropped)
        follow("headrace_bus_connects_total", "Connections made to the broker.", lambda: self.connects)

    async def publish(self, topic: str, payloads: Sequence[bytes]) -> None:
        """As the port says, when the broker has confirmed. Raises Unavailable; it may have arrived all the same."""
        if payloads:
            await self._publisher.publish(topic, payloads)

    @asynccontextmanager
    async def subscribe(self, topic: str, *, group: str) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """As the port says. Without a broker the block is entered after a few seconds, and hears when it is back."""
        subscription = Subscription(self._from, self._topology, topic, group)
        async with beside(subscription.run()):
            await subscription.wait_until_listening(FIRST_SECONDS)
            yield subscription.batches()


@asynccontextmanager
async def open_bus(environ: Mapping[str, str], metrics: Metrics | None = None) -> AsyncIterator[RabbitBus | None]:
    """The bus that the environment names, connected while the block runs; None where it names none.

    What it publishes is counted in the metrics.     Raises ValidationFailed for wrong settings.
    """
    chosen = load(RabbitSettings, environ)
    if chosen.url is None:
        yield None
        return
    async with RabbitBus.connected(chosen.url, namespace=chosen.namespace, capacity=chosen.capacity) as bus:
        if metrics is not None:
            bus.count_in(metrics)
        yield bus


@asynccontextmanager
async def beside(*running: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these while the block runs. What the block raises comes out as it is, not in a group."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(each) for each in running]
        try:
            yield
        except Exception as error:
            failure = error
        finally:
            for each in started:
                each.cancel()
    if failure is not None:
        raise failure
