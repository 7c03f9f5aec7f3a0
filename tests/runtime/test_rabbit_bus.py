"""The bus over RabbitMQ, with the broker hurt in every way a test can hurt it."""

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aio_pika
import pytest
from headrace_core.errors import Unavailable
from headrace_runtime.bus.link import Link
from headrace_runtime.bus.packing import Malformed, pack, unpack
from headrace_runtime.bus.publishing import PUBLISH_SECONDS
from headrace_runtime.bus.rabbitmq import RabbitBus
from headrace_runtime.bus.topology import DELIVERY_LIMIT

from tests.servers import RabbitMq


@pytest.fixture(scope="module")
def broker(servers_folder: Path) -> Iterator[RabbitMq]:
    with RabbitMq(servers_folder / "hurt") as server:
        yield server


@pytest.fixture
async def bus(broker: RabbitMq) -> AsyncIterator[RabbitBus]:
    async with RabbitBus.connected(broker.url) as made:
        yield made


class Listener:
    """Remembers what a group heard."""

    def __init__(self) -> None:
        self.heard: Counter[bytes] = Counter()
        self._news = asyncio.Event()

    async def listen(self, batches: AsyncIterator[list[bytes]]) -> None:
        async for batch in batches:
            self.heard.update(batch)
            self._news.set()

    async def until(self, payload: bytes, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while payload not in self.heard:
                self._news.clear()
                await self._news.wait()


async def published(bus: RabbitBus, topic: str, payload: bytes, seconds: float) -> None:
    """Publish as soon as the bus takes it again."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await bus.publish(topic, [payload])
            except Unavailable:
                await asyncio.sleep(0.1)


async def test_what_was_confirmed_survives_a_broker_that_is_killed_under_load(bus: RabbitBus, broker: RabbitMq) -> None:
    confirmed: list[bytes] = []
    refused = 0
    is_over = asyncio.Event()
    listener = Listener()

    async def load() -> None:
        nonlocal refused
        while not is_over.is_set():
            payload = f"{len(confirmed)}-{refused}".encode()
            try:
                await bus.publish("load", [payload])
                confirmed.append(payload)
            except Unavailable:
                refused += 1
            await asyncio.sleep(0.005)

    async with bus.subscribe("load", group="a") as batches, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listener.listen(batches))
        loading = tasks.create_task(load())
        await listener.until(b"400-0", 60)  # the queue is no newborn
        before = len(confirmed)

        await asyncio.to_thread(broker.restart)

        async with asyncio.timeout(60):
            while len(confirmed) < before + 50:
                await published(bus, "load", b"again", 60)
        is_over.set()
        await loading
        await published(bus, "load", b"last", 20)
        await listener.until(b"last", 30)
        listening.cancel()

    assert refused > 0, "the broker was not away"
    assert bus.connects >= 4
    assert not [each for each in confirmed if each not in listener.heard]


async def test_a_queue_that_a_killed_broker_brings_back_without_its_log_is_made_anew(tmp_path: Path) -> None:
    listener = Listener()
    with RabbitMq(tmp_path) as broker:
        async with (
            RabbitBus.connected(broker.url) as bus,
            bus.subscribe("newborn", group="a") as batches,
            asyncio.TaskGroup() as tasks,
        ):
            listening = tasks.create_task(listener.listen(batches))
            await bus.publish("newborn", [b"before"])

            await asyncio.to_thread(broker.restart)

            async with asyncio.timeout(80):
                while b"after" not in listener.heard:
                    await published(bus, "newborn", b"after", 60)
                    await asyncio.sleep(0.1)
            listening.cancel()


async def test_closed_connections_come_back(bus: RabbitBus, broker: RabbitMq) -> None:
    listener = Listener()
    async with bus.subscribe("closed", group="a") as batches, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listener.listen(batches))
        await bus.publish("closed", [b"before"])
        await listener.until(b"before", 20)

        await asyncio.to_thread(broker.control, "close_all_connections", "test")

        await published(bus, "closed", b"after", 20)
        await listener.until(b"after", 20)
        listening.cancel()
    assert bus.connects >= 4


async def test_a_deleted_queue_and_a_deleted_exchange_are_declared_again(bus: RabbitBus, broker: RabbitMq) -> None:
    listener = Listener()
    async with bus.subscribe("deleted", group="a") as batches, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listener.listen(batches))
        await bus.publish("deleted", [b"before"])
        await listener.until(b"before", 20)

        async with await aio_pika.connect(broker.url) as connection, connection.channel() as channel:
            await channel.queue_delete("headrace.deleted.a")
            await channel.exchange_delete("headrace")

        async with asyncio.timeout(20):
            while b"after" not in listener.heard:
                await published(bus, "deleted", b"after", 5)
                await asyncio.sleep(0.1)
        listening.cancel()
    assert bus.connects == 2


async def test_a_broker_that_lost_everything_is_set_up_again(bus: RabbitBus, broker: RabbitMq) -> None:
    listener = Listener()
    async with bus.subscribe("wiped", group="a") as batches, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listener.listen(batches))
        await bus.publish("wiped", [b"before"])
        await listener.until(b"before", 20)

        await asyncio.to_thread(broker.wipe)
        await asyncio.to_thread(broker.start)

        async with asyncio.timeout(40):
            while b"after" not in listener.heard:
                await published(bus, "wiped", b"after", 20)
                await asyncio.sleep(0.1)
        listening.cancel()


async def test_what_kills_its_readers_becomes_a_dead_letter(bus: RabbitBus, broker: RabbitMq) -> None:
    async with bus.subscribe("poison", group="a"):
        pass
    await bus.publish("poison", [b"deadly"])

    tries = 0
    async with asyncio.timeout(60):
        while not await dead_letters(broker):
            async with bus.subscribe("poison", group="a") as batches:
                try:
                    async with asyncio.timeout(1):
                        assert await anext(batches) == [b"deadly"]
                        tries += 1  # and leaves without asking for more
                except TimeoutError:
                    continue

    assert tries == DELIVERY_LIMIT + 1
    assert await dead_letters(broker, take=True) == [[b"deadly"]]


async def test_what_cannot_be_read_becomes_a_dead_letter_at_once(bus: RabbitBus, broker: RabbitMq) -> None:
    listener = Listener()
    async with bus.subscribe("foreign", group="a") as batches, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listener.listen(batches))
        async with await aio_pika.connect(broker.url) as connection, connection.channel() as channel:
            exchange = await channel.get_exchange("headrace")
            await exchange.publish(aio_pika.Message(b"\xff\xff\xff\xffabc"), "foreign")

        await bus.publish("foreign", [b"good"])
        await listener.until(b"good", 20)
        async with asyncio.timeout(20):
            while not (found := await dead_letters(broker, take=True, is_packed=False)):
                await bus.publish("foreign", [b"good"])
        listening.cancel()
    assert found == [[b"\xff\xff\xff\xffabc"]]
    assert set(listener.heard) == {b"good"}


async def dead_letters(broker: RabbitMq, *, take: bool = False, is_packed: bool = True) -> list[list[bytes]]:
    """What lies in the queue of dead letters."""
    found = []
    async with await aio_pika.connect(broker.url) as connection, connection.channel() as channel:
        queue = await channel.get_queue("headrace.dead")
        while (message := await queue.get(fail=False)) is not None:
            found.append(unpack(message.body) if is_packed else [message.body])
            if take:
                await message.ack()
        return found


async def test_a_frozen_broker_costs_one_publish_its_patience_and_the_next_ones_nothing(
    bus: RabbitBus, broker: RabbitMq
) -> None:
    await bus.publish("frozen", [b"x"])
    broker.pause()
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no confirmation in time"):
            await bus.publish("frozen", [b"x"])
        assert PUBLISH_SECONDS - 0.5 < time.monotonic() - began < PUBLISH_SECONDS + 2

        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(Unavailable):
                await bus.publish("frozen", [b"x"])
        assert time.monotonic() - began < 0.5
    finally:
        broker.resume()

    await published(bus, "frozen", b"y", 20)


async def test_without_a_broker_a_line_says_so_once_and_subscribers_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    broker = RabbitMq(tmp_path)
    listener = Listener()
    async with RabbitBus.connected(broker.url) as bus:
        with pytest.raises(Unavailable, match=f"RabbitMQ at 127.0.0.1:{broker.port} does not answer"):
            await bus.publish("late", [b"x"])
        async with bus.subscribe("late", group="a") as batches, asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listener.listen(batches))
            with broker:
                async with asyncio.timeout(30):
                    while b"x" not in listener.heard:
                        await published(bus, "late", b"x", 20)
                        await asyncio.sleep(0.1)
                listening.cancel()

    said = [record for record in caplog.records if record.levelno >= logging.WARNING and "does not" in record.message]
    assert len(said) == 2, "one for each connection"
    gc.collect()
    open_still = sum(isinstance(each, aio_pika.Connection) and not each.is_closed for each in gc.get_objects())
    assert not open_still, "what is left open closes itself when it is collected, loop or not"
    assert not any(record.exc_info for record in caplog.records if record.name.startswith("headrace"))
    assert any("serves again" in record.message for record in caplog.records)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("headrace:headrace", "headrace:wrong"), "refuses the user 'headrace' or its password"),
        (("/", "/missing"), "does not let 'headrace' use the virtual host '/missing'"),
    ],
)
async def test_a_wrong_url_is_told_in_a_line_without_the_password(
    broker: RabbitMq, change: tuple[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    head, _, tail = broker.url.rpartition(change[0])
    async with RabbitBus.connected(f"{head}{change[1]}{tail}") as bus:
        with pytest.raises(Unavailable, match=said):
            await bus.publish("t", [b"x"])

    assert any(said in record.message for record in caplog.records)
    assert not any("wrong" in record.message for record in caplog.records)
    # What asyncio says of connections of other tests may come now.
    assert not any(record.exc_info for record in caplog.records if record.name.startswith("headrace"))


async def test_a_broker_that_is_too_old_is_told_in_a_line(broker: RabbitMq) -> None:
    link = Link(broker.url, "test", minimum=(99, 1))
    running = asyncio.create_task(link.run())
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await link.wait()
        assert "is version 3." in link.why_away
        assert link.why_away.endswith(": 99.1 or newer is needed.")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_a_name_the_broker_would_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 255 bytes"):
        RabbitBus("amqp://127.0.0.1/")._topology.queue_name("t" * 200, "g" * 60)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x00\x00\x05abc", pack([b"x"])[:-1]])
def test_foreign_bytes_are_no_hints(body: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(body)
