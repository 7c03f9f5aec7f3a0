"""The laws of the bus, as LocalBus keeps them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from headrace_core.ports import Bus
from headrace_runtime.bus import BATCH, LocalBus


async def taken(batches: AsyncIterator[list[bytes]], count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += await anext(batches)
    return found


async def test_every_group_hears_every_payload_in_order() -> None:
    bus: Bus = LocalBus()
    async with bus.subscribe("t", group="a") as first, bus.subscribe("t", group="b") as second:
        await bus.publish("t", [b"1", b"2"])
        await bus.publish("t", [b"3"])

        assert await taken(first, 3) == [b"1", b"2", b"3"]
        assert await taken(second, 3) == [b"1", b"2", b"3"]


async def test_within_a_group_each_payload_goes_to_one_member() -> None:
    bus = LocalBus()
    async with bus.subscribe("t", group="a") as first, bus.subscribe("t", group="a") as second:
        reading = [asyncio.create_task(taken(each, 1)) for each in (first, second)]
        await asyncio.sleep(0)
        await bus.publish("t", [b"1"])
        done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        await bus.publish("t", [b"2"])

        assert len(done) == 1
        assert sorted(await asyncio.gather(*reading)) == [[b"1"], [b"2"]]


async def test_topics_do_not_mix_and_nobody_listening_is_no_error() -> None:
    bus = LocalBus()
    await bus.publish("t", [b"unheard"])
    async with bus.subscribe("t", group="a") as batches:
        await bus.publish("other", [b"x"])
        await bus.publish("t", [])
        await bus.publish("t", [b"heard"])

        assert await anext(batches) == [b"heard"]


async def test_a_slow_group_loses_the_oldest_and_the_bus_counts_them() -> None:
    bus = LocalBus(capacity=3)
    async with bus.subscribe("t", group="slow") as batches:
        await bus.publish("t", [b"1", b"2"])
        await bus.publish("t", [b"3", b"4", b"5"])

        assert await anext(batches) == [b"3", b"4", b"5"]
        assert bus.dropped == 2


async def test_batches_are_bounded() -> None:
    bus = LocalBus()
    async with bus.subscribe("t", group="a") as batches:
        await bus.publish("t", [b"x"] * (BATCH + 1))

        assert len(await anext(batches)) == BATCH
        assert len(await anext(batches)) == 1


async def test_a_group_is_forgotten_with_its_last_member() -> None:
    bus = LocalBus()
    async with bus.subscribe("t", group="a"):
        await bus.publish("t", [b"old"])
    async with bus.subscribe("t", group="a") as batches:
        await bus.publish("t", [b"new"])

        assert await anext(batches) == [b"new"]


def test_a_bus_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        LocalBus(capacity=0)
