"""Asks RabbitMQ."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from pamqp.common import FieldTable
from yarl import URL

from headrace_runtime.bus.link import FAILURES, address_of, explained
from headrace_runtime.bus.topology import Topology
from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.rules import rabbitmq as rules
from headrace_runtime.doctor.running import Check, Subject

NAME = "RabbitMQ"
PUBLISH_SECONDS = 2.0

_RIGHTS = "Let the user configure, write and read what begins with HEADRACE_RABBITMQ_NAMESPACE."


def rabbitmq(url: str, topology: Topology, groups: Sequence[tuple[str, str]]) -> Subject:
    """The RabbitMQ at this URL. `groups` are the topics and groups whose queues have names known beforehand."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        # The driver logs traces for what is told in findings.
        for name in ("aiormq", "aio_pika"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        asking = _Asking(url, topology, groups)
        try:
            yield asking.checks()
        finally:
            await asking.close()

    return Subject(NAME, opening)


class _Asking:
    def __init__(self, url: str, topology: Topology, groups: Sequence[tuple[str, str]]) -> None:
        self._url = url
        self._topology = topology
        self._groups = groups
        self._connections: list[AbstractConnection] = []

    def checks(self) -> list[Check]:
        return [
            Check("connection", self._connection, "Start it, or correct HEADRACE_RABBITMQ_URL.", is_needed=True),
            Check("version", self._version, "Correct HEADRACE_RABBITMQ_URL.", is_needed=True),
            Check("node", self._node, _RIGHTS),
            Check("quorum queues", self._quorum_queues, _RIGHTS),
            Check("queues", self._queues, _RIGHTS),
            Check("alarms", self._alarms, _RIGHTS),
        ]

    async def close(self) -> None:
        for each in self._connections:
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(1):
                    await each.close()

    async def _connect(self) -> AbstractConnection:
        connection = aio_pika.Connection(URL(self._url), client_properties={"connection_name": "headrace doctor"})
        self._connections.append(connection)
        await connection.connect()
        return connection

    async def _connection(self) -> Finding:
        try:
            await self._connect()
        except FAILURES as failure:
            advice = "Start it, or correct HEADRACE_RABBITMQ_URL."
            return error("connection", explained(failure, URL(self._url)), advice)
        return ok("connection", address_of(URL(self._url)))

    async def _version(self) -> Finding:
        return rules.version(self._properties())

    async def _node(self) -> Finding:
        return rules.node(self._properties())

    async def _quorum_queues(self) -> Finding:
        """One of our own kind, declared and deleted."""
        name = f"{self._topology.namespace}.doctor.{secrets.token_hex(4)}"
        channel = await self._connections[0].channel()
        arguments: FieldTable = {"x-queue-type": "quorum", "x-delivery-limit": 1, "x-expires": 60_000}
        queue = await channel.declare_queue(name, durable=True, arguments=arguments)
        await queue.delete(if_unused=False, if_empty=False)
        return ok("quorum queues", "can be declared")

    async def _queues(self) -> list[Finding]:
        findings = []
        for topic, group in self._groups:
            findings += await self._queue(topic, group)
        return findings or [ok("queues", "none of ours yet: made at the first start")]

    async def _queue(self, topic: str, group: str) -> list[Finding]:
        """Whether a queue that is there has our arguments. Only declaring it once more tells."""
        name = self._topology.queue_name(topic, group)
        if not await self._exists(name):
            return []
        channel = await self._connections[0].channel()
        try:
            await self._topology.queue(channel, topic, group)
        except ChannelPreconditionFailed as refused:
            blamed = self._topology.dead if f"'{self._topology.dead}'" in str(refused) else name
            return [rules.other_arguments(blamed, str(refused))]
        return [ok(f"queue {name}", "quorum, with our delivery limit and dead letters")]

    async def _exists(self, name: str) -> bool:
        channel = await self._connections[0].channel()
        try:
            await channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            return False
        return True

    async def _alarms(self) -> Finding:
        """Messages to nobody, by a connection of their own: a broker in distress stops reading from whoever publishes.

        It does so after the first.
        """
        connection = await self._connect()
        channel = await connection.channel(publisher_confirms=True)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                nowhere = f"{self._topology.namespace}.doctor.nobody"
                for _ in range(2):
                    await channel.default_exchange.publish(aio_pika.Message(b""), nowhere, mandatory=False)
        except TimeoutError:
            advice = "Look at `rabbitmq-diagnostics alarms`, then make room on its disk or give it memory."
            return error("alarms", "it takes no messages, as with an alarm for memory or disk", advice)
        return ok("alarms", "none: messages are confirmed")

    def _properties(self) -> Mapping[str, str]:
        """What the server said of itself when the connection opened."""
        transport = self._connections[0].transport
        told = getattr(transport.connection, "server_properties", {}) if transport else {}
        return {name: each.decode() if isinstance(each, bytes) else str(each) for name, each in told.items()}
