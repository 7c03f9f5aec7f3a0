"""Log records by way of Logstash: found as if the log service had written them, none lost, none twice.

The reader does what deploy/logstash/pipeline/headrace.conf says, on a real broker and a real Elasticsearch.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aio_pika
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.log.v1 import log_service_pb2 as pb
from headrace.log.v1 import log_service_pb2_grpc as grpc_pb
from headrace.scope.v1 import scope_pb2
from headrace_core import Json
from headrace_core.errors import Unavailable
from headrace_core.ids import new_id
from headrace_logging import model
from headrace_logging.model import LogRecord, Scope, Search, SortKey, StoredRecord
from headrace_logging.query import parser
from headrace_logging.store import LogStore
from headrace_logging.stores import elasticsearch
from headrace_logging.stores.elasticsearch_documents import Layout
from headrace_logging.stores.logstash import FEED, LogstashLogStore
from headrace_runtime.bus.feed import Feed
from headrace_runtime.elasticsearch import open_elasticsearch
from yarl import URL

from tests.deploy import logstash
from tests.deploy.logstash import Logstash
from tests.servers import Elasticsearch, RabbitMq
from tests.system.process import wait_for
from tests.system.services import Services

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE = Scope("tenant-a")
IN_TIME = timedelta(seconds=20)
LAYOUT = Layout(replicas=0)

QUERIES = (
    "",
    "paid",
    '"order 17"',
    "pai*",
    "severity:error",
    "deep.field:42",
    "deep.field:>=42",
    "_exists_:err",
    'name\\ with\\ space:"x"',
    "NOT severity:error",
    "gridTimestamp:[2026-03-01 TO 2026-03-01]",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A broker and a cluster, and the name under which a test has both for itself."""

    rabbitmq: str
    elasticsearch: str
    name: str

    def environ(self) -> dict[str, str]:
        """What Logstash is given."""
        broker = URL(self.rabbitmq)
        return {
            "RABBITMQ_HOST": broker.host or "",
            "RABBITMQ_PORT": str(broker.port),
            "RABBITMQ_USER": broker.user or "",
            "RABBITMQ_PASSWORD": broker.password or "",
            "HEADRACE_RABBITMQ_NAMESPACE": self.name,
            "ELASTICSEARCH_HOST": self.elasticsearch,
            "ELASTICSEARCH_PASSWORD": "-",
        }

    def logstash(self, *, crashes_after: int = 0) -> Logstash:
        return Logstash(logstash.read(self.environ()), crashes_after)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[LogstashLogStore]:
        async with (
            elasticsearch.open_store(self.elasticsearch, prefix=self.name, layout=LAYOUT) as keeper,
            Feed.connected(self.rabbitmq, FEED, namespace=self.name) as feed,
        ):
            yield LogstashLogStore(keeper, feed)


@pytest.fixture
async def place(rabbitmq_url: str, elasticsearch_url: str) -> AsyncIterator[Place]:
    """With nothing left of it afterwards."""
    made = Place(rabbitmq_url, elasticsearch_url, f"test-{new_id()}".lower())
    yield made
    await cleared(made)


async def cleared(place: Place) -> None:
    async with open_elasticsearch(place.elasticsearch) as client:
        for index in await client.indices.get(index=f"{place.name}-logs-*"):
            await client.indices.delete(index=index)
        await client.options(ignore_status=404).indices.delete_index_template(name=f"{place.name}-logs")
    async with await aio_pika.connect(place.rabbitmq) as connection, connection.channel() as channel:
        for queue in (FEED, "dead"):
            await channel.queue_delete(f"{place.name}.{queue}")
        await channel.exchange_delete(f"{place.name}.dead")


@pytest.fixture(scope="module")
def broker(servers_folder: Path) -> Iterator[RabbitMq]:
    """One that these tests may hurt; each leaves it running."""
    with RabbitMq(servers_folder / "logstash-broker") as server:
        yield server


@pytest.fixture(scope="module")
def cluster(servers_folder: Path) -> Iterator[Elasticsearch]:
    """One that these tests may hurt; each leaves it running."""
    with Elasticsearch(servers_folder / "logstash-cluster") as server:
        yield server


def record(name: str, at: datetime = NOW, tenant: str = "tenant-a", **fields: Json) -> LogRecord:
    kept = model.cleaned(LogRecord(name, tenant, at, {"msg": f"record {name}", **fields}))
    assert kept is not None
    return kept


def mixed() -> list[LogRecord]:
    """Records of several days and kinds, with names and values that a pipeline could trip over."""
    return [
        record("a", severity="error", err="no", flowId="F1", componentId="c"),
        record("b", msg="paid order 17", deep={"field": 42, "list": [1, "two", None]}, portType="out"),
        record("c", NOW - timedelta(days=1), **{"name with space": "x", "[odd][name]": "%{y}", "@timestamp": "mine"}),
        record("d", NOW - timedelta(days=2), tags=["one"], event={"original": "o"}, _id="own", _index="own", big=2**60),
        record("e", tenant="tenant-b", msg="paid", **{"@metadata": {"index": "elsewhere"}, "@version": "7"}),
        record("ü" * 40, NOW.replace(microsecond=123456), msg="ünïcode ✓ \u0000 \U0001f600", text="t", record="r"),
    ]


async def found(store: LogStore, query: str = "", scope: Scope = MINE) -> list[StoredRecord]:
    search = Search(scope, node=parser.parse(query, NOW), size=1000, sort=(SortKey("_id"),))
    return list((await store.search(search, within=IN_TIME)).records)


async def until(store: LogStore, count: int, within: float = 60, scope: Scope = MINE) -> None:
    """Return when that many records are found."""
    async with asyncio.timeout(within):
        while True:
            if len(await found(store, scope=scope)) >= count:
                return
            await asyncio.sleep(0.1)


async def written_at_last(store: LogStore, records: list[LogRecord], within: float = 90) -> None:
    """Write as the executor does, again and again."""
    async with asyncio.timeout(within):
        while True:
            try:
                await store.write(records, NOW)
                return
            except Unavailable:
                await asyncio.sleep(0.2)


async def test_what_logstash_brings_is_found_exactly_as_what_the_service_writes(place: Place) -> None:
    direct = Place(place.rabbitmq, place.elasticsearch, f"{place.name}d")
    all_tenants = Scope("tenant-a", all_tenants=True)
    async with (
        place.store() as store,
        elasticsearch.open_store(
            direct.elasticsearch, prefix=direct.name, layout=LAYOUT, is_seen_at_once=True
        ) as expected,
        place.logstash().running() as reader,
    ):
        written = await store.write(mixed(), NOW)
        assert written == await expected.write(mixed(), NOW)
        await until(store, len(mixed()), scope=all_tenants)

        for query in QUERIES:
            assert await found(store, query) == await found(expected, query), query
        assert await found(store, scope=all_tenants) == await found(expected, scope=all_tenants)
        assert reader.dead_letters == []
    await cleared(direct)


async def test_a_record_is_shown_once_and_written_once_per_tenant(place: Place) -> None:
    async with place.store() as store, place.logstash().running() as reader:
        first = await store.write([record("a"), record("a"), record("b")], NOW)
        again = await store.write([record("a", msg="other"), record("a", tenant="tenant-b")], NOW)
        await until(store, 3, scope=Scope("tenant-a", all_tenants=True))

        assert (len(first.stored), first.known) == (2, 1)
        assert [each.record.tenant_id for each in again.stored] == ["tenant-b"]
        assert reader.created == 3


async def test_what_is_sent_or_delivered_twice_is_one_record(place: Place) -> None:
    batch = [record(str(each)) for each in range(20)]
    async with place.store() as store, place.store() as another, place.store() as third:
        for sender in (store, another, third):
            await sender.write(batch, NOW)
        async with place.logstash(crashes_after=2).running() as reader:
            await reader.until(lambda reader: reader.created + reader.known >= 4 * len(batch))

        await until(store, len(batch))
        assert reader.redelivered > 0
        assert (reader.created, reader.dead_letters) == (len(batch), [])
        assert len(await found(store)) == len(batch)


async def test_records_too_far_ahead_are_refused_by_their_id(place: Place) -> None:
    async with place.store() as store:
        written = await store.write([record("a"), record("wild", NOW + timedelta(days=30))], NOW)

        assert [each.record.record_id for each in written.stored] == ["a"]
        assert written.refused_ids == ("wild",)


@pytest.mark.timeout(300)
async def test_a_broker_that_is_killed_makes_logs_late_and_loses_none(broker: RabbitMq, elasticsearch_url: str) -> None:
    place = Place(broker.url, elasticsearch_url, f"test-{new_id()}".lower())
    async with place.store() as store:
        async with place.logstash().running() as reader:
            for each in range(200):
                await store.write([record(f"before-{each}")], NOW)
                await asyncio.sleep(0.01)  # a queue that is killed as a newborn may come back without its log
            broker.kill()
            with pytest.raises(Unavailable):
                await store.write([record("away")], NOW)
            await asyncio.to_thread(broker.start)
            await written_at_last(store, [record("away"), record("after")])

            await until(store, 202)

        assert reader.dead_letters == []
        assert len(await found(store)) == 202
    await cleared(place)


@pytest.mark.timeout(300)
async def test_without_elasticsearch_records_of_a_known_day_wait_in_the_queue(
    rabbitmq_url: str, cluster: Elasticsearch
) -> None:
    place = Place(rabbitmq_url, cluster.url, f"test-{new_id()}".lower())
    async with place.store() as store, place.logstash().running():
        await store.write([record("before")], NOW)
        await until(store, 1)
        cluster.kill()

        await store.write([record("meanwhile")], NOW)
        with pytest.raises(Unavailable, match="A new day"):
            await store.write([record("new day", NOW + timedelta(days=1))], NOW)
        await asyncio.to_thread(cluster.start)
        await written_at_last(store, [record("new day", NOW + timedelta(days=1))])

        await until(store, 3)
        assert len(await found(store)) == 3


@pytest.mark.timeout(300)
async def test_nothing_is_written_to_an_index_that_nobody_laid_out(rabbitmq_url: str, cluster: Elasticsearch) -> None:
    place = Place(rabbitmq_url, cluster.url, f"test-{new_id()}".lower())
    async with place.store() as store, open_elasticsearch(cluster.url) as client:
        async with place.logstash().running() as reader:
            await store.write([record("before")], NOW)
            await until(store, 1)
            await client.indices.delete(index=f"{place.name}-logs-20260301")

            await store.write([record("homeless")], NOW)
            await reader.until(lambda reader: bool(reader.dead_letters))

            assert [each["recordId"] for each in reader.dead_letters] == ["homeless"]
            assert not await client.indices.exists(index=f"{place.name}-logs-20260301-write")
        # Another process looks at once; this one does within seconds.
        async with place.store() as another, place.logstash().running():
            await another.write([record("laid out")], NOW)
            await until(another, 1)


@pytest.mark.system
@pytest.mark.timeout(180)
def test_the_service_hands_records_to_logstash_shows_them_live_and_finds_them(
    place_sync: Place, tmp_path: Path
) -> None:
    services = Services(
        tmp_path,
        HEADRACE_LOG_INDEXING="logstash",
        HEADRACE_ELASTICSEARCH_URL=place_sync.elasticsearch,
        HEADRACE_ELASTICSEARCH_PREFIX=place_sync.name,
        HEADRACE_ELASTICSEARCH_REPLICAS="0",
        HEADRACE_RABBITMQ_URL=place_sync.rabbitmq,
        HEADRACE_RABBITMQ_NAMESPACE=place_sync.name,
    )
    at = Timestamp()
    at.FromDatetime(NOW)
    scope = scope_pb2.TenantScope(tenant_id="tenant-a")
    sent = pb.LogRecord(record_id="a", tenant_id="tenant-a", at=at, fields=b'{"msg": "here"}')
    try:
        services.start(["logging"])
        with grpc.insecure_channel(f"127.0.0.1:{services.ports['logging']}") as channel:
            stub = grpc_pb.LogServiceStub(channel)
            tail = stub.Tail(pb.TailRequest(scope=scope), timeout=60)
            next(tail)
            written = stub.WriteRecords(pb.WriteRecordsRequest(records=[sent, sent]), timeout=20)
            live = [each.record_id for each in next(tail).records]
            asyncio.run(bring(place_sync))
            asked = pb.QueryRecordsRequest(scope=scope, query="here")
            wait_for(lambda: stub.QueryRecords(asked, timeout=10).total == 1, 20)
            tail.cancel()

        assert (written.stored, written.known) == (1, 1)
        assert live == ["a"]
        assert "Traceback" not in services.log("logging")
        assert services.ask_to_stop(["logging"]) == {"logging": 0}
    finally:
        services.end()


@pytest.fixture
def place_sync(rabbitmq_url: str, elasticsearch_url: str) -> Iterator[Place]:
    made = Place(rabbitmq_url, elasticsearch_url, f"test-{new_id()}".lower())
    yield made
    asyncio.run(cleared(made))


async def bring(place: Place) -> None:
    """Let Logstash bring one record."""
    async with place.logstash().running() as reader:
        await reader.until(lambda reader: reader.created > 0)


def test_without_broker_or_cluster_the_service_says_what_is_missing(tmp_path: Path) -> None:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")},
        "HEADRACE_LOG_INDEXING": "logstash",
        "HEADRACE_DATA_DIR": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "headrace_logging"], env=environ, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert "HEADRACE_ELASTICSEARCH_URL: It is not set. HEADRACE_LOG_INDEXING=logstash needs both" in ended.stderr
    assert "(and 1 more problem)" in ended.stderr
    assert "Traceback" not in ended.stderr
