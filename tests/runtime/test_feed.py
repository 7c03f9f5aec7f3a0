"""A feed refuses what its queue does not keep, and finds its queue again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aio_pika
import pytest
from headrace_core.errors import Unavailable
from headrace_core.ids import new_id
from headrace_runtime.bus.feed import Feed

from tests.servers import RabbitMq


@pytest.fixture(scope="module")
def broker(servers_folder: Path) -> Iterator[RabbitMq]:
    """One that these tests may hurt; each leaves it running."""
    with RabbitMq(servers_folder / "feed") as server:
        yield server


@pytest.fixture
async def feed(broker: RabbitMq) -> AsyncIterator[Feed]:
    async with Feed.connected(broker.url, "records", namespace=f"test-{new_id()}") as made:
        yield made


async def sent(feed: Feed, body: bytes, within: float) -> int:
    """Send as soon as the feed takes it; how often it refused."""
    refusals = 0
    async with asyncio.timeout(within):
        while True:
            try:
                await feed.send([body])
                return refusals
            except Unavailable:
                refusals += 1
                await asyncio.sleep(0.1)


async def taken(url: str, queue: str) -> list[bytes]:
    """Everything that waits in the queue."""
    bodies = []
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        found = await channel.get_queue(queue)
        while (message := await found.get(fail=False)) is not None:
            bodies.append(message.body)
            await message.ack()
    return bodies


async def test_what_was_sent_waits_without_a_reader(feed: Feed, broker: RabbitMq) -> None:
    await feed.send([b"1", b"2"])

    assert await taken(broker.url, feed.queue) == [b"1", b"2"]


async def test_the_queue_is_there_before_anything_is_sent(feed: Feed, broker: RabbitMq) -> None:
    assert await taken(broker.url, feed.queue) == []


async def test_a_full_queue_refuses_and_says_so(broker: RabbitMq) -> None:
    async with Feed.connected(broker.url, "records", namespace=f"test-{new_id()}", capacity=5) as feed:
        with pytest.raises(Unavailable, match="is full"):
            for each in range(50):  # the bound of a quorum queue is passed by a few
                await feed.send([str(each).encode()])

        await taken(broker.url, feed.queue)
        await sent(feed, b"room again", 20)


async def test_a_deleted_queue_is_declared_again_and_a_closed_connection_comes_back(
    feed: Feed, broker: RabbitMq
) -> None:
    async with await aio_pika.connect(broker.url) as connection, connection.channel() as channel:
        await channel.queue_delete(feed.queue)
    await feed.send([b"declared"])
    await asyncio.to_thread(broker.control, "close_all_connections", "test")
    await sent(feed, b"connected", 20)

    assert await taken(broker.url, feed.queue) == [b"declared", b"connected"]


async def test_what_was_confirmed_survives_a_broker_that_is_killed(feed: Feed, broker: RabbitMq) -> None:
    for each in range(400):
        await feed.send([str(each).encode()])
        await asyncio.sleep(0.01)  # a queue that is killed as a newborn may come back without its log
    broker.kill()
    with pytest.raises(Unavailable):
        await feed.send([b"away"])
    await asyncio.to_thread(broker.start)
    await sent(feed, b"back", 60)

    kept = await taken(broker.url, feed.queue)
    assert {str(each).encode() for each in range(400)} <= set(kept)
    assert kept[-1] == b"back"


async def test_a_frozen_broker_is_unavailable_within_seconds(feed: Feed, broker: RabbitMq) -> None:
    await feed.send([b"before"])
    broker.pause()
    try:
        async with asyncio.timeout(9):
            with pytest.raises(Unavailable, match="no confirmation in time"):
                await feed.send([b"frozen"])
    finally:
        broker.resume()
    await sent(feed, b"after", 60)
