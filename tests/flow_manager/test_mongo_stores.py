"""Records and files on MongoDB when several flow managers write at once, one dies, or the server does."""

import asyncio
import contextlib
import hashlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core import Json
from headrace_core.errors import AlreadyExists, HeadraceError, NotFound, Unavailable
from headrace_core.ids import derive_id, new_id
from headrace_flow_manager import json_text
from headrace_flow_manager.data_stores.model import Delivery, Listener, Put, Store
from headrace_flow_manager.files.model import Description, File
from headrace_flow_manager.query import ListQuery
from headrace_flow_manager.stores.mongo_outbox import keep_owed
from headrace_runtime.mongo import Mongo

from tests.contracts.data_and_files import Ports, a_database, drop, mongo_ports
from tests.servers import Mongo as MongoServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = "a" * 24
TEXT = Description("a.txt", "text/plain", {})
MUCH = 1_000_000
HEAR_ALL = Listener("flow", "node", ("insert", "update", "delete"))


@pytest.fixture(scope="module")
def database(mongo_url: str) -> Iterator[str]:
    name = a_database()
    yield name
    drop(mongo_url, name)


@pytest.fixture
async def two(mongo_url: str, database: str) -> AsyncIterator[tuple[Ports, Ports]]:
    """The ports of two flow managers on one database, with nothing left to tell."""
    async with mongo_ports(mongo_url, database) as (one, _), mongo_ports(mongo_url, database) as (other, _):
        await one.outbox.settle(await everything_told(one), ())
        yield one, other


@pytest.fixture
async def inside(mongo_url: str, database: str) -> AsyncIterator[tuple[Ports, Mongo]]:
    """One flow manager's ports, and the database behind them."""
    async with mongo_ports(mongo_url, database) as opened:
        await opened[0].outbox.settle(await everything_told(opened[0]), ())
        yield opened


async def new_store(ports: Ports) -> str:
    store_id = new_id()
    await ports.data_stores.add(ANN, Store(store_id, ANN, store_id, NOW))
    await ports.data_stores.listen(ANN, store_id, HEAR_ALL)
    return store_id


async def everything_told(ports: Ports) -> list[Delivery]:
    return list(await ports.outbox.due(NOW, 10_000))


def content_of(delivery: Delivery) -> dict[str, Json]:
    return json_text.decode_object(delivery.content.encode(), "news")


async def test_changes_of_two_flow_managers_at_one_key_follow_each_other(two: tuple[Ports, Ports]) -> None:
    store_id = await new_store(two[0])

    async def write(ports: Ports, begin: int) -> None:
        for number in range(begin, begin + 20):
            await ports.data_stores.put(ANN, Put(store_id, "k", str(number), NOW, f"request {number}"))
            if number % 5 == 0:
                await ports.outbox.due(NOW, 100)

    await asyncio.gather(write(two[0], 0), write(two[1], 100), write(two[0], 200), write(two[1], 300))

    news = [content_of(each) for each in await everything_told(two[0])]
    assert len(news) == 80
    assert [each["oldValue"] for each in news] == [None, *(each["value"] for each in news[:-1])]
    last = await two[1].data_stores.record(ANN, store_id, "k")
    assert last.value == str(news[-1]["value"])


async def test_one_request_at_two_flow_managers_is_one_write_with_one_answer(two: tuple[Ports, Ports]) -> None:
    store_id = await new_store(two[0])

    async def write(number: int) -> str:
        ports = two[number % 2]
        if number % 4 == 3:
            await ports.data_stores.delete(ANN, store_id, ["k"], NOW)
        written = await ports.data_stores.put(ANN, Put(store_id, "k", str(number), NOW, "request"))
        return written.record.value

    answers = await asyncio.gather(*map(write, range(20)))

    assert len(set(answers)) == 1
    kinds = Counter(content_of(each)["type"] for each in await everything_told(two[0]))
    assert kinds["insert"] == 1 and kinds["delete"] <= 1 and kinds["update"] == 0


async def test_of_two_flow_managers_who_need_an_absent_key_one_gets_it(two: tuple[Ports, Ports]) -> None:
    store_id = await new_store(two[0])

    results = await asyncio.gather(
        *(
            two[number % 2].data_stores.put(ANN, Put(store_id, "k", str(number), NOW, only_if_absent=True))
            for number in range(12)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(each, AlreadyExists) for each in results) == 11
    assert len(await everything_told(two[0])) == 1


async def test_records_that_two_flow_managers_delete_are_counted_and_told_once(two: tuple[Ports, Ports]) -> None:
    store_id = await new_store(two[0])
    for number in range(60):
        await two[0].data_stores.put(ANN, Put(store_id, str(number), "1", NOW))

    deleted = await asyncio.gather(*(ports.data_stores.delete(ANN, store_id, None, NOW) for ports in two))

    assert sum(deleted) == 60
    kinds = Counter(content_of(each)["type"] for each in await everything_told(two[0]))
    assert kinds == {"insert": 60, "delete": 60}


async def test_a_record_that_two_flow_managers_move_is_in_one_place(two: tuple[Ports, Ports]) -> None:
    store_id = await new_store(two[0])
    await two[0].data_stores.put(ANN, Put(store_id, "k", "1", NOW))

    moves = await asyncio.gather(
        *(
            two[number % 2].data_stores.move(ANN, (store_id, "k"), (store_id, f"to {number}"), NOW)
            for number in range(6)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(each, NotFound) for each in moves) == 5
    assert (await two[0].data_stores.records(ANN, store_id, ListQuery())).total == 1
    assert [content_of(each)["type"] for each in await everything_told(two[0])] == ["insert", "delete", "insert"]


async def test_two_relays_lose_nothing_and_what_they_see_twice_has_one_id(two: tuple[Ports, Ports]) -> None:
    store_id = await new_store(two[0])
    heard: list[str] = []

    async def relay(ports: Ports) -> None:
        while batch := await ports.outbox.due(NOW, 7):
            heard.extend(each.change_id for each in batch)
            await ports.outbox.settle(batch[:5], [(each, NOW) for each in batch[5:]])

    for number in range(40):
        await two[0].data_stores.put(ANN, Put(store_id, str(number), "1", NOW))
    await asyncio.gather(*map(relay, two))

    assert len(set(heard)) == 40
    assert await everything_told(two[0]) == []


async def test_a_change_is_told_by_another_when_its_writer_died_before_it_could(mongo_url: str, database: str) -> None:
    async with mongo_ports(mongo_url, database) as (ports, _):
        store_id = await new_store(ports)
        await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))

    async with mongo_ports(mongo_url, database) as (ports, _):
        told = [content_of(each) for each in await everything_told(ports)]
        assert [each["value"] for each in told if each["storeId"] == store_id] == [1]


async def test_who_copies_a_change_late_brings_back_what_its_receiver_knows(inside: tuple[Ports, Mongo]) -> None:
    ports, mongo = inside
    store_id = await new_store(ports)
    await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))
    async with mongo.asking() as database:
        seen = await database["store_records"].find_one({"store_id": store_id})
        assert seen is not None
        (first,) = await everything_told(ports)
        await ports.outbox.settle([first], ())

        await keep_owed(database, [seen])

    assert await everything_told(ports) == [first]


async def test_settling_again_counts_one_attempt(two: tuple[Ports, Ports]) -> None:
    store_id = await new_store(two[0])
    await two[0].data_stores.put(ANN, Put(store_id, "k", "1", NOW))
    (delivery,) = await everything_told(two[0])

    for ports in (*two, *two):
        await ports.outbox.settle((), [(delivery, NOW)])

    assert [each.attempts for each in await everything_told(two[0])] == [1]


async def test_a_late_write_into_a_removed_store_is_swept(inside: tuple[Ports, Mongo]) -> None:
    ports, mongo = inside
    store_id = await new_store(ports)
    await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW, "request"))
    await everything_told(ports)
    async with mongo.asking() as database:
        late = await database["store_records"].find_one({"store_id": store_id})
        await ports.data_stores.remove(ANN, store_id)
        assert late is not None
        await database["store_records"].insert_one(late)

        for _ in range(3):
            await ports.data_stores.prune(NOW)

        left = [await database[name].count_documents({"store_id": store_id}) for name in PARTS_OF_A_STORE]
        assert left == [0, 0, 0] and await database["stores"].find_one({"_id": store_id}) is None


PARTS_OF_A_STORE = ("store_records", "store_requests", "store_listeners")


async def test_values_are_texts_whose_keys_never_reach_the_server(inside: tuple[Ports, Mongo]) -> None:
    ports, mongo = inside
    store_id = await new_store(ports)
    value = json_text.encode({"$where": "1", "a.b": {"$gt": ""}})
    await ports.data_stores.put(ANN, Put(store_id, "$ne", value, NOW))

    async with mongo.asking() as database:
        kept = await database["store_records"].find_one({"store_id": store_id})

    assert kept is not None and kept["value"] == value and kept["key"] == "$ne"


async def test_chunks_of_two_flow_managers_are_one_content(two: tuple[Ports, Ports]) -> None:
    content = hashlib.shake_256(b"seed").digest(400)
    file_id = new_id()
    uploads = {await ports.files.open(ANN, new_id(), file_id, TEXT, NOW) for ports in two}
    (upload_id,) = uploads
    await two[0].files.write(ANN, upload_id, 0, content[:20], MUCH)

    writes = [
        two[at // 20 % 2].files.write(ANN, upload_id, at, content[at : at + 20], MUCH) for at in range(20, 400, 20)
    ]
    await asyncio.gather(*writes)
    digest = await two[1].files.digest(ANN, upload_id)
    finished = await asyncio.gather(
        *(ports.files.finish(ANN, upload_id, digest, NOW) for ports in two), return_exceptions=True
    )

    (file,) = (each for each in finished if isinstance(each, File))
    assert sum(isinstance(each, NotFound) for each in finished) == 1
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert await two[1].files.read(ANN, file_id, 0, 400) == content


async def test_files_that_are_replaced_and_read_at_once_are_whole(two: tuple[Ports, Ports]) -> None:
    file_id = new_id()
    contents = [bytes([number]) * 40 for number in range(12)]

    async def save(ports: Ports, content: bytes) -> None:
        upload_id = await ports.files.open(ANN, new_id(), file_id, TEXT, NOW)
        for offset in range(0, 40, 10):
            await ports.files.write(ANN, upload_id, offset, content[offset : offset + 10], MUCH)
        await ports.files.finish(ANN, upload_id, await ports.files.digest(ANN, upload_id), NOW)

    async def replace() -> None:
        for content in contents[1:]:
            await save(two[0], content)

    await save(two[0], contents[0])
    async with asyncio.TaskGroup() as tasks:
        replacing = tasks.create_task(replace())
        while not replacing.done():
            assert await two[1].files.read(ANN, file_id, 5, 30) in [each[5:35] for each in contents]


async def test_chunks_of_a_writer_who_was_overtaken_by_an_opening_are_not_in_the_content(
    inside: tuple[Ports, Mongo],
) -> None:
    ports, mongo = inside
    file_id = new_id()
    upload_id = await ports.files.open(ANN, new_id(), file_id, TEXT, NOW)
    await ports.files.write(ANN, upload_id, 0, b"old", MUCH)
    async with mongo.asking() as database:
        # A writer that died after its entry stood in the log and before it counted.
        seen = await database["file_chunks"].find_one({"content_id": upload_id})
        assert seen is not None
        await database["file_chunks"].insert_one(
            {**seen, "_id": derive_id("chunk", ANN, upload_id, 2), "number": 2, "offset": 3}
        )

    await ports.files.open(ANN, new_id(), file_id, TEXT, NOW)
    await ports.files.write(ANN, upload_id, 0, b"new", MUCH)

    digest = await ports.files.digest(ANN, upload_id)
    assert (digest.size_bytes, digest.sha256) == (3, hashlib.sha256(b"new").hexdigest())


async def test_nothing_is_left_of_contents_that_nobody_sees(inside: tuple[Ports, Mongo]) -> None:
    ports, mongo = inside
    file_id = new_id()

    async def write(data: bytes) -> str:
        upload_id = await ports.files.open(ANN, new_id(), file_id, TEXT, NOW)
        for _ in range(2):
            await ports.files.write(ANN, upload_id, 0, data, MUCH)
        return upload_id

    uploads = [await write(b"first")]
    await ports.files.finish(ANN, uploads[0], await ports.files.digest(ANN, uploads[0]), NOW)
    uploads.append(await write(b"second"))
    await ports.files.finish(ANN, uploads[1], await ports.files.digest(ANN, uploads[1]), NOW)
    uploads.append(await write(b"third"))
    await ports.files.delete(ANN, file_id)
    uploads.append(await write(b"fourth"))
    async with mongo.asking() as database:
        # A chunk that came late, after its content was dropped.
        await database["file_bytes"].insert_one({"_id": new_id(), "tenant_id": ANN, "content_id": uploads[0]})
        for _ in range(4):
            await ports.files.prune(NOW + timedelta(seconds=1))

        for part in ("file_chunks", "file_bytes"):
            assert await database[part].count_documents({"content_id": {"$in": uploads}}) == 0
        assert await database["file_remains"].count_documents({"_id": {"$in": uploads}}) == 0


async def test_what_a_killed_server_answered_is_kept_and_no_change_is_without_its_news(tmp_path: Path) -> None:
    with MongoServer(tmp_path) as server:
        async with mongo_ports(server.url, "killed", timedelta(seconds=2)) as (ports, _):
            store_id = await new_store(ports)
            writer = Writer(ports, store_id)
            async with asyncio.TaskGroup() as tasks:
                for number in range(4):
                    tasks.create_task(writer.write(number))
                for acknowledged in (40, 120):
                    await writer.reach(acknowledged)
                    failed_before = len(writer.unknown)
                    await asyncio.to_thread(server.kill)
                    await writer.fail(failed_before)
                    await asyncio.to_thread(server.start)
                await writer.reach(200)
                writer.is_enough = True

        async with mongo_ports(server.url, "killed") as (ports, _):
            page = await ports.data_stores.records(ANN, store_id, ListQuery(limit=1000))
            kept = {record.key: record.value for record in page.items}
            told = [content_of(each) for each in await everything_told(ports)]

    assert server.kills >= 2 and writer.unknown
    assert writer.acknowledged.items() <= kept.items()
    assert kept.keys() <= writer.acknowledged.keys() | writer.unknown
    assert Counter(str(each["key"]) for each in told) == Counter(kept.keys())
    assert all(each["type"] == "insert" for each in told)


class Writer:
    """Puts records one after the other, each with a request id that is repeated until it is answered or given up."""

    def __init__(self, ports: Ports, store_id: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.is_enough = False
        self._ports = ports
        self._store_id = store_id
        self._news = asyncio.Event()

    async def write(self, writer: int) -> None:
        """Write until it is enough."""
        for number in itertools.takewhile(lambda _: not self.is_enough, itertools.count()):
            key = f"{writer} {number}"
            put = Put(self._store_id, key, str(number), NOW, f"request {key}")
            try:
                await self._ports.data_stores.put(ANN, put)
            except Unavailable:
                self.unknown.add(key)
                self._news.set()
                if number % 2:  # half of them are never repeated
                    continue
                await self._repeat(put)
            self.acknowledged[key] = put.value
            self._news.set()

    async def _repeat(self, put: Put) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                written = await self._ports.data_stores.put(ANN, put)
                assert written.old_value is None
                return

    async def reach(self, count: int) -> None:
        """Wait until so many are acknowledged."""
        await self._wait(lambda: len(self.acknowledged) >= count)

    async def fail(self, before: int) -> None:
        """Wait until somebody more than `before` heard that the server is away."""
        await self._wait(lambda: len(self.unknown) > before)

    async def _wait(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_so():
                self._news.clear()
                await self._news.wait()


Call = Callable[[Ports, str, str], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "add": lambda ports, store, _: ports.data_stores.add(ANN, Store(new_id(), ANN, "n", NOW)),
    "get": lambda ports, store, _: ports.data_stores.get(ANN, store),
    "put": lambda ports, store, _: ports.data_stores.put(ANN, Put(store, "k", "2", NOW)),
    "move": lambda ports, store, _: ports.data_stores.move(ANN, (store, "k"), (store, "l"), NOW),
    "delete": lambda ports, store, _: ports.data_stores.delete(ANN, store, None, NOW),
    "records": lambda ports, store, _: ports.data_stores.records(ANN, store, ListQuery()),
    "due": lambda ports, store, _: ports.outbox.due(NOW, 10),
    "open": lambda ports, _, upload: ports.files.open(ANN, new_id(), "g", TEXT, NOW),
    "write": lambda ports, _, upload: ports.files.write(ANN, upload, 0, b"x", MUCH),
    "digest": lambda ports, _, upload: ports.files.digest(ANN, upload),
    "page": lambda ports, _, upload: ports.files.page(ANN, ListQuery()),
}
"""One of each kind of what the ports do."""


async def test_a_frozen_server_is_unavailable_in_time_and_serves_again_when_it_goes_on(tmp_path: Path) -> None:
    with MongoServer(tmp_path) as server:
        async with mongo_ports(server.url, "frozen", timedelta(seconds=1.5)) as (ports, _):
            store_id = await new_store(ports)
            await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))
            upload_id = await ports.files.open(ANN, new_id(), "f", TEXT, NOW)
            server.pause()

            calls = [timed(call(ports, store_id, upload_id)) for call in CALLS.values()]
            took = dict(zip(CALLS, await asyncio.gather(*calls), strict=True))

            server.resume()
            assert all(isinstance(error, Unavailable) for error, _ in took.values()), took
            assert max(seconds for _, seconds in took.values()) < 2.5, took
            await again(lambda: ports.data_stores.get(ANN, store_id))
            await ports.files.write(ANN, upload_id, 0, b"y", MUCH)


async def timed(call: Awaitable[Any]) -> tuple[HeadraceError | None, float]:
    began = time.monotonic()
    try:
        await call
    except HeadraceError as error:
        return error, time.monotonic() - began
    return None, time.monotonic() - began


async def again(call: Callable[[], Awaitable[Any]]) -> None:
    """Do it until it can be done."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(Unavailable):
                await call()
                return
