"""RabbitMQ as it is, and as it should not be."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import pytest
from headrace_runtime.bus.topology import Topology
from headrace_runtime.doctor.rabbitmq import rabbitmq

from tests.doctor.asked import asked, levels
from tests.servers import RabbitMq
from tests.servers.places import free_port

GROUPS = [("run.ready", "executors")]


@pytest.fixture(scope="module")
def server(servers_folder: Path) -> Iterator[RabbitMq]:
    """One that these tests may hurt; each leaves it running."""
    with RabbitMq(servers_folder / "hurt-rabbitmq") as running:
        yield running


@pytest.fixture
def topology() -> Topology:
    return Topology(f"doctor-{uuid.uuid4().hex[:8]}", 100)


def queues(server: RabbitMq, topology: Topology) -> list[str]:
    listed = server.control("list_queues", "--no-table-headers", "name").split()
    return [each for each in listed if each.startswith(topology.namespace)]


async def test_a_broker_as_it_should_be_has_no_errors_and_keeps_nothing_of_it(
    server: RabbitMq, topology: Topology
) -> None:
    found = await asked(rabbitmq(server.url, topology, GROUPS))

    names = ("connection", "version", "node", "quorum queues", "queues", "alarms")
    assert levels(found) == dict.fromkeys(names, "ok")
    assert "made at the first start" in found["queues"].found
    assert queues(server, topology) == []


async def test_queues_of_ours_are_known_again(server: RabbitMq, topology: Topology) -> None:
    async with await aio_pika.connect(server.url) as connection:
        await topology.queue(await connection.channel(), *GROUPS[0])

    found = await asked(rabbitmq(server.url, topology, GROUPS))

    assert found[f"queue {topology.namespace}.run.ready.executors"].level == "ok"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"x-delivery-limit": 3}, "x-delivery-limit is 3, not 20"),
        ({"x-dead-letter-strategy": None}, "x-dead-letter-strategy is not set, not at-least-once"),
        ({"x-max-length": 7}, "x-max-length is 7, not 100"),
        (
            {"x-queue-type": "classic", "x-delivery-limit": None, "x-dead-letter-strategy": None},
            "x-queue-type is classic",
        ),
        (dict.fromkeys(("x-delivery-limit", "x-expires", "x-overflow", "x-dead-letter-strategy")), "is not set"),
    ],
)
async def test_a_queue_of_other_arguments_is_named_with_how_to_mend_it(
    server: RabbitMq, topology: Topology, changed: dict[str, str | int | None], told: str
) -> None:
    name = topology.queue_name(*GROUPS[0])
    arguments = {key: each for key, each in {**topology.arguments(), **changed}.items() if each is not None}
    async with await aio_pika.connect(server.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(name, durable=True, arguments=arguments)

    found = await asked(rabbitmq(server.url, topology, GROUPS))

    wrong = found[f"queue {name}"]
    assert wrong.level == "error"
    assert told in wrong.found
    assert f"rabbitmqctl delete_queue {name}" in wrong.advice
    server.control("delete_queue", name)
    assert (await asked(rabbitmq(server.url, topology, GROUPS)))["queues"].level == "ok"


async def test_a_queue_of_dead_letters_with_other_arguments_is_the_one_that_is_named(
    server: RabbitMq, topology: Topology
) -> None:
    async with await aio_pika.connect(server.url) as connection:
        channel = await connection.channel()
        await topology.queue(channel, *GROUPS[0])
        await channel.queue_delete(topology.dead)
        await channel.declare_queue(topology.dead, durable=True)

    found = await asked(rabbitmq(server.url, topology, GROUPS))

    assert found[f"queue {topology.dead}"].level == "error"


async def test_a_broker_in_distress_is_told(server: RabbitMq, topology: Topology) -> None:
    server.control("set_disk_free_limit", "9000GB")
    try:
        found = await asked(rabbitmq(server.url, topology, GROUPS))
    finally:
        server.control("set_disk_free_limit", "50MB")

    assert found["alarms"].level == "error"
    assert "rabbitmq-diagnostics alarms" in found["alarms"].advice


async def test_wrong_credentials_are_told_without_them(server: RabbitMq, topology: Topology) -> None:
    url = server.url.replace("headrace:headrace@", "headrace:a-secret-of-mine@")

    found = await asked(rabbitmq(url, topology, GROUPS))

    assert levels(found) == {"connection": "error"}
    assert "refuses the user" in found["connection"].found
    assert "a-secret-of-mine" not in str(found)


async def test_one_that_is_away_or_frozen_is_told_in_time(server: RabbitMq, topology: Topology) -> None:
    away = await asked(rabbitmq(f"amqp://127.0.0.1:{free_port()}/", topology, GROUPS))
    server.pause()
    began = time.monotonic()
    frozen = await asked(rabbitmq(server.url, topology, GROUPS))
    took = time.monotonic() - began
    server.resume()

    assert levels(away) == levels(frozen) == {"connection": "error"}
    assert "HEADRACE_RABBITMQ_URL" in away["connection"].advice
    assert took < 8
