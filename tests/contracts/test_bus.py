"""The laws of the bus, for memory and for RabbitMQ."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Protocol

import aio_pika
import pytest
from headrace_core.ports import Bus
from headrace_runtime.bus import BATCH, LocalBus
from headrace_runtime.bus.rabbitmq import RabbitBus

CAPACITY = 50


class CountingBus(Bus, Protocol):
    @property
    def dropped(self) -> int: ...


@pytest.fixture(params=["memory", "rabbitmq"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[CountingBus]:
    if request.param == "memory":
        yield LocalBus(capacity=10_000)
        return
    url = request.getfixturevalue("rabbitmq_url")
    async with rabbit_bus(url, capacity=10_000) as made:
        yield made


@pytest.fixture(params=["memory", "rabbitmq"])
async def narrow(request: pytest.FixtureRequest) -> AsyncIterator[CountingBus]:
    """A bus that keeps CAPACITY things for a group."""
    if request.param == "memory":
        yield LocalBus(capacity=CAPACITY)
        return
    url = request.getfixturevalue("rabbitmq_url")
    async with rabbit_bus(url, capacity=CAPACITY) as made:
        yield made


class rabbit_bus:
    """A bus of names of its own, which are gone afterwards."""

    def __init__(self, url: str, *, capacity: int) -> None:
        self._url = url
        self._namespace = f"test-{uuid.uuid4().hex[:12]}"
        self._connected = RabbitBus.connected(url, namespace=self._namespace, capacity=capacity)

    async def __aenter__(self) -> RabbitBus:
        return await self._connected.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        await self._connected.__aexit__(None, None, None)
        async with await aio_pika.connect(self._url) as connection, connection.channel() as channel:
            for topic in ("t", "other"):
                for group in ("a", "b", "slow"):
                    await channel.queue_delete(f"{self._namespace}.{topic}.{group}")
            await channel.queue_delete(f"{self._namespace}.dead")
            for exchange in (self._namespace, f"{self._namespace}.dead"):
                await channel.exchange_delete(exchange)


async def taken(batches: AsyncIterator[list[bytes]], count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += await anext(batches)
    return found


async def test_every_group_hears_every_payload_in_order(bus: Bus) -> None:
    async with bus.subscribe("t", group="a") as first, bus.subscribe("t", group="b") as second:
        await bus.publish("t", [b"1", b"2"])
        await bus.publish("t", [b"3"])

        assert await taken(first, 3) == [b"1", b"2", b"3"]
        assert await taken(second, 3) == [b"1", b"2", b"3"]


async def test_within_a_group_each_payload_goes_to_one_member(bus: Bus) -> None:
    heard: list[bytes] = []
    done = asyncio.Event()
    said = [str(number).encode() for number in range(40)]

    async def listen(batches: AsyncIterator[list[bytes]]) -> None:
        async for batch in batches:
            heard.extend(batch)
            if len(heard) >= len(said):
                done.set()

    async with (
        asyncio.timeout(20),
        bus.subscribe("t", group="a") as first,
        bus.subscribe("t", group="a") as second,
        asyncio.TaskGroup() as tasks,
    ):
        members = [tasks.create_task(listen(each)) for each in (first, second)]
        for payload in said:
            await bus.publish("t", [payload])
        await done.wait()
        for member in members:
            member.cancel()

    assert sorted(heard) == sorted(said)


async def test_topics_do_not_mix_and_nobody_listening_is_no_error(bus: Bus) -> None:
    await bus.publish("t", [b"unheard"])
    async with bus.subscribe("t", group="a") as batches:
        await bus.publish("other", [b"x"])
        await bus.publish("t", [])
        await bus.publish("t", [b"heard"])

        assert await taken(batches, 1) == [b"heard"]


async def test_a_call_of_many_payloads_arrives_in_bounded_batches_and_in_order(bus: Bus) -> None:
    said = [str(number).encode() for number in range(2 * BATCH + 1)]
    async with bus.subscribe("t", group="a") as batches:
        await bus.publish("t", said)

        found: list[bytes] = []
        async with asyncio.timeout(20):
            while len(found) < len(said):
                batch = await anext(batches)
                assert 0 < len(batch) <= BATCH
                found += batch

    assert found == said


async def test_payloads_may_be_any_bytes(bus: Bus) -> None:
    said = [b"", bytes(range(256)), b"\x00" * 200_000, "grüße".encode()]
    async with bus.subscribe("t", group="a") as batches:
        await bus.publish("t", said)

        assert await taken(batches, len(said)) == said


async def test_publishing_does_not_wait_for_a_group_that_is_full_and_counts_what_is_dropped(
    narrow: CountingBus,
) -> None:
    async with narrow.subscribe("t", group="slow") as batches:
        async with asyncio.timeout(20):
            for number in range(3 * CAPACITY):
                await narrow.publish("t", [str(number).encode()])

        heard = await taken(batches, CAPACITY - 1)

        assert narrow.dropped > 0
        assert len(heard) <= 2 * CAPACITY


async def test_what_the_reader_raises_leaves_the_block_as_it_is(bus: Bus) -> None:
    with pytest.raises(KeyError):
        async with bus.subscribe("t", group="a"):
            raise KeyError("x")


async def test_a_group_can_be_left_and_joined_again(bus: Bus) -> None:
    for said in (b"1", b"2"):
        async with bus.subscribe("t", group="a") as batches:
            await bus.publish("t", [said])

            assert said in await taken(batches, 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await anext(batches)
