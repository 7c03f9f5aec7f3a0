"""A look at RabbitMQ from a process that uses it: whether it answers, and how much lies in the queues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from yarl import URL

from headrace_runtime.bus.link import FAILURES, address_of, explained
from headrace_runtime.bus.topology import Topology
from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.running import Check, Subject

_ADVICE = "Start it, or correct HEADRACE_RABBITMQ_URL."


def glance(url: str, topology: Topology, groups: Sequence[tuple[str, str]]) -> Subject:
    """The RabbitMQ at this URL, and the queues of these topics and groups. Nothing is made there."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        connection = aio_pika.Connection(URL(url), client_properties={"connection_name": "headrace health"})
        try:
            yield _checks(connection, URL(url), topology, groups)
        finally:
            await connection.close()

    return Subject("RabbitMQ", opening)


def _checks(
    connection: AbstractConnection, url: URL, topology: Topology, groups: Sequence[tuple[str, str]]
) -> list[Check]:
    async def connect() -> Finding:
        try:
            await connection.connect()
        except FAILURES as failure:
            return error("connection", explained(failure, url), _ADVICE)
        return ok("connection", address_of(url))

    async def queues() -> list[Finding]:
        return [await _queue(connection, topology.queue_name(topic, group)) for topic, group in groups]

    return [Check("connection", connect, _ADVICE, is_needed=True), Check("queues", queues, _ADVICE)]


async def _queue(connection: AbstractConnection, name: str) -> Finding:
    channel = await connection.channel()
    try:
        declared = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return ok(f"queue {name}", "not made yet")
    return ok(f"queue {name}", f"{declared.message_count} messages wait, {declared.consumer_count} consumers")
