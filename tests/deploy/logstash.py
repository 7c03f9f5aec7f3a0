"""Reads the queue as Logstash would: whatever deploy/logstash/pipeline says is done, and nothing else.

Logstash itself cannot be had where the tests run. Its grammar is checked by a parser of others; what its plugins do
with these options is written down here, so that a wrong pipeline file turns the tests red.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
from aio_pika.abc import AbstractIncomingMessage
from logstash_pipeline_parser import Pipeline
from yarl import URL

PIPELINE = Path(__file__).parents[2] / "deploy" / "logstash" / "pipeline" / "headrace.conf"
CREATED, KNOWN = frozenset({200, 201}), 409
DEAD = frozenset({400, 404})
PAUSE_SECONDS = 0.2
_VARIABLE = re.compile(r"\$\{(\w+)(?::([^}]*))?\}")
_FIELD = re.compile(r"%\{([^}]+)\}")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plugins:
    """The pipeline's one input, its filters in order, and its one output, each by name with its options."""

    input: tuple[str, Mapping[str, Any]]
    filters: tuple[tuple[str, Mapping[str, Any]], ...]
    output: tuple[str, Mapping[str, Any]]


def read(environ: Mapping[str, str], path: Path = PIPELINE) -> Plugins:
    """The file with the variables of the environment in it. A variable without value or default is a KeyError."""
    sections = dict(Pipeline(path.read_text()).parse())
    found = {
        section: tuple((name, {key: _value(each, environ) for key, each in options}) for name, options in plugins)
        for section, plugins in sections.items()
    }
    (reading,), (writing,) = found["input"], found["output"]
    return Plugins(reading, found["filter"], writing)


def variables(path: Path = PIPELINE) -> set[str]:
    """Every variable of the environment that the file uses."""
    return {found[0] for found in _VARIABLE.findall(path.read_text())}


def _value(parsed: list[Any], environ: Mapping[str, str]) -> Any:
    """An option's value: a text, number or claim, a list of texts, a hash, or a codec with its options."""
    (value,) = parsed
    if not isinstance(value, list):
        return _given(value, environ)
    if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], list):
        codec, options = value
        return {codec: {key: _value(each, environ) for key, each in options}}
    if isinstance(value[0], list):
        return {str(key): _value(inner, environ) for key, inner in value}
    return [_given(each, environ) for each in value]


def _given(value: Any, environ: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(
        lambda found: environ[found[1]] if found[2] is None else environ.get(found[1], found[2]), value
    )


@dataclass(slots=True)
class Logstash:
    """One reader. `crashes_after` messages it loses its connection with everything written and nothing acknowledged."""

    plugins: Plugins
    crashes_after: int = 0
    created: int = 0
    known: int = 0
    dead_letters: list[Event] = field(default_factory=list)
    redelivered: int = 0
    _messages: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, is_so: Callable[[Logstash], bool], within: float = 60) -> None:
        """Return when that is true of what it has brought."""
        async with asyncio.timeout(within):
            while not is_so(self):
                self._news.clear()
                await self._news.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Logstash]:
        """It reads while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._run())
            try:
                yield self
            finally:
                reading.cancel()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError):
                await self._read()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        name, options = self.plugins.input
        assert name == "rabbitmq"
        url = URL.build(
            scheme="amqp",
            host=options["host"],
            port=int(options["port"]),
            user=options["user"],
            password=options["password"],
            path="/" + options["vhost"].replace("/", "%2F"),
            encoded=True,
        )
        async with _connected(url) as connection, connection.channel() as channel, _session() as session:
            lost = asyncio.Event()
            channel.close_callbacks.add(lambda *_: lost.set())
            await channel.set_qos(prefetch_count=options["prefetch_count"])
            queue = await channel.declare_queue(
                options["queue"], passive=options.get("passive", False), durable=options.get("durable", False)
            )
            arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            await queue.consume(arrived.put, no_ack=not options["ack"])
            waiting = asyncio.create_task(lost.wait())
            while not lost.is_set():
                coming = asyncio.create_task(arrived.get())
                await asyncio.wait({coming, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    return
                message = coming.result()
                self.redelivered += bool(message.redelivered)
                await self._write(session, [self._filtered(each) for each in self._decoded(message.body)])
                self._messages += 1
                if self._messages == self.crashes_after:
                    return
                if options["ack"]:
                    await message.ack()

    def _decoded(self, body: bytes) -> list[Event]:
        assert list(self.plugins.input[1]["codec"]) == ["json"], "only this codec is written down here"
        found = json.loads(body)
        # The codec makes an event of each element of an array.
        return [{"@version": "1", **each} for each in (found if isinstance(found, list) else [found])]

    def _filtered(self, event: Event) -> Event:
        for name, options in self.plugins.filters:
            assert name == "mutate", "only this filter is written down here"
            for old, new in options.get("rename", {}).items():
                if old in event:
                    _set(event, new, event.pop(old))
            for gone in options.get("remove_field", []):
                event.pop(gone, None)
        return event

    async def _write(self, session: aiohttp.ClientSession, events: list[Event]) -> None:
        name, options = self.plugins.output
        assert name == "elasticsearch"
        while events:
            lines: list[Event] = []
            for event in events:
                address = {"_index": _filled(options["index"], event), "_id": _filled(options["document_id"], event)}
                lines += ({options["action"]: address}, {key: kept for key, kept in event.items() if key[:2] != "@m"})
            body = "".join(json.dumps(line) + "\n" for line in lines)
            answers = await self._asked(session, options, body)
            events = [event for event, status in zip(events, answers, strict=True) if not self._is_over(event, status)]
            self._news.set()

    async def _asked(self, session: aiohttp.ClientSession, options: Mapping[str, Any], body: str) -> list[int]:
        """The status of each item. Asks again for ever, as the plugin does."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(
                    options["hosts"][0] + options["bulk_path"],
                    data=body,
                    headers={
                        "Content-Type": "application/x-ndjson",
                        "Authorization": aiohttp.encode_basic_auth(options["user"], options["password"]),
                    },
                ) as answer:
                    if answer.status == 200:
                        items = (await answer.json())["items"]
                        return [item[options["action"]]["status"] for item in items]
            await asyncio.sleep(PAUSE_SECONDS)

    def _is_over(self, event: Event, status: int) -> bool:
        self.created += status in CREATED
        self.known += status == KNOWN
        if status in DEAD:
            self.dead_letters.append(event)
        return status in CREATED or status in DEAD or status == KNOWN


@asynccontextmanager
async def _connected(url: URL) -> AsyncIterator[aio_pika.Connection]:
    """A connection that is closed even where it was never made: what is collected instead complains."""
    async with aio_pika.Connection(url) as connection:
        await connection.connect()
        yield connection


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))


def _set(event: Event, reference: str, value: object) -> None:
    *outer, last = re.findall(r"\[([^\]]+)\]", reference) or [reference]
    for each in outer:
        event = event.setdefault(each, {})
    event[last] = value


def _filled(template: str, event: Event) -> str:
    """The template with fields of the event. What the event does not have stays as it is, as in Logstash."""

    def found(reference: re.Match[str]) -> str:
        value: Any = event
        for each in re.findall(r"\[([^\]]+)\]", reference[1]) or [reference[1]]:
            value = value.get(each) if isinstance(value, dict) else None
        return reference[0] if value is None else str(value)

    return _FIELD.sub(found, template)
