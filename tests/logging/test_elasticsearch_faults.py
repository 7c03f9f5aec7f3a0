"""Elasticsearch missing, killed, frozen, wiped, blocked and refusing: late logs, no lost and no double ones."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.log.v1 import log_service_pb2 as pb
from headrace.log.v1 import log_service_pb2_grpc as grpc_pb
from headrace.scope.v1 import scope_pb2
from headrace_core.errors import DeadlineExceeded, Unavailable, ValidationFailed
from headrace_logging import model
from headrace_logging.model import LogRecord, Scope, Search
from headrace_logging.stores import elasticsearch
from headrace_logging.stores.elasticsearch import ElasticsearchLogStore
from headrace_logging.stores.elasticsearch_documents import Layout
from headrace_runtime.elasticsearch import open_elasticsearch, shown

from tests.doors import door
from tests.servers import Elasticsearch
from tests.servers.places import free_port
from tests.system.process import wait_for
from tests.system.services import Services

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE = Scope("tenant-a")
SOON = timedelta(seconds=1)
LAYOUT = Layout(replicas=0)


@pytest.fixture(scope="module")
def server(servers_folder: Path) -> Iterator[Elasticsearch]:
    """One that these tests may hurt; each leaves it running."""
    with Elasticsearch(servers_folder / "hurt") as running:
        yield running


def opened(server: Elasticsearch, prefix: str) -> contextlib.AbstractAsyncContextManager[ElasticsearchLogStore]:
    return elasticsearch.open_store(
        server.url, prefix=prefix, layout=LAYOUT, patience=timedelta(seconds=60), is_seen_at_once=True
    )


def record(name: str, at: datetime = NOW) -> LogRecord:
    kept = model.cleaned(LogRecord(name, "tenant-a", at, {"msg": f"record {name}", "mine": {"a": 1}}))
    assert kept is not None
    return kept


async def written_at_last(store: ElasticsearchLogStore, records: list[LogRecord], *, within: float = 90) -> int:
    """Write as the executor does, again and again; how often it was unavailable."""
    refusals = 0
    async with asyncio.timeout(within):
        while True:
            try:
                await store.write(records, NOW)
                return refusals
            except Unavailable:
                refusals += 1
                await asyncio.sleep(0.2)


async def count(store: ElasticsearchLogStore) -> int:
    return (await store.search(Search(MINE, size=1), within=timedelta(seconds=30))).total


async def test_what_could_not_be_written_is_not_held_on_to(server: Elasticsearch) -> None:
    """A log service tries again and again while its store is away: nothing of a try may wait for a collection."""
    async with opened(server, "held") as store:
        await store.write([record("before")], NOW)
        server.kill()
        gc.collect()
        gc.disable()
        try:
            for number in range(5):
                with pytest.raises(Unavailable):
                    await store.write([record(f"held-{number}-{each}") for each in range(20)], NOW)
            held = sum(isinstance(each, LogRecord) and "held" in each.record_id for each in gc.get_objects())
        finally:
            gc.enable()
            server.start()

    assert held < 20  # not one try of the five


@pytest.mark.timeout(300)
async def test_killed_under_writes_it_loses_no_answered_record_and_has_none_twice(server: Elasticsearch) -> None:
    async with opened(server, "killed") as store:
        unavailable = 0

        async def write_all(writer: int) -> None:
            nonlocal unavailable
            for batch in range(40):
                unavailable += await written_at_last(store, [record(f"{writer}-{batch}-{each}") for each in range(10)])
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as tasks:
            for writer in range(3):
                tasks.create_task(write_all(writer))
            await asyncio.sleep(0.7)
            kills = server.kills
            await asyncio.to_thread(server.restart)

        again = await store.write([record(f"1-{batch}-3") for batch in range(40)], NOW)

        assert server.kills == kills + 1
        assert unavailable > 0
        assert await count(store) == 1200
        assert (len(again.stored), again.known) == (0, 40)


@pytest.mark.timeout(300)
async def test_wiped_it_is_laid_out_anew_by_the_next_write(server: Elasticsearch) -> None:
    async with opened(server, "wiped") as store:
        await store.write([record("before")], NOW)
        server.wipe()
        await asyncio.to_thread(server.start)

        assert await count(store) == 0
        assert await store.get(MINE, "before") is None
        await written_at_last(store, [record("after")])

        assert await count(store) == 1
        async with open_elasticsearch(server.url) as client:
            mapping = await client.indices.get_mapping(index="wiped-logs")
            assert mapping["wiped-logs-20260301"]["mappings"]["dynamic"] == "strict"
            assert await client.indices.exists_index_template(name="wiped-logs")


async def test_a_dropped_day_is_made_anew_and_other_days_stay(server: Elasticsearch) -> None:
    yesterday = NOW - timedelta(days=1)
    async with opened(server, "dropped") as store, open_elasticsearch(server.url) as client:
        await store.write([record("a"), record("b", yesterday)], NOW)
        await client.indices.delete(index="dropped-logs-20260301")

        written = await store.write([record("a"), record("b", yesterday)], NOW)

        assert ([each.record.record_id for each in written.stored], written.known) == (["a"], 1)


async def test_a_day_that_is_just_made_is_searched_without_a_refusal(server: Elasticsearch) -> None:
    for number in range(5):
        found = 0
        async with opened(server, f"fresh{number}") as store:
            writing = asyncio.create_task(store.write([record("first")], NOW))
            while not writing.done() or not found:
                # Each refusal raises: nothing is away, the day's shard is only coming up.
                found = (await store.search(Search(MINE), within=timedelta(seconds=10))).total
                await asyncio.sleep(0)
            await writing

        assert found == 1


async def test_frozen_it_is_unavailable_in_time_and_serves_when_it_goes_on(server: Elasticsearch) -> None:
    async with opened(server, "frozen") as store:
        await store.write([record("a")], NOW)
        server.pause()
        try:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await store.write([record("b")], NOW)
            with pytest.raises((Unavailable, DeadlineExceeded)):
                await store.search(Search(MINE), within=SOON)
            assert time.monotonic() - began < 20
        finally:
            server.resume()

        await written_at_last(store, [record("b")])
        assert await count(store) == 2


async def test_blocked_writes_are_told_once_and_left_alone_for_a_while(
    server: Elasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server, "blocked") as store, open_elasticsearch(server.url) as client:
        await store.write([record("a")], NOW)
        # What the flood stage of a full disk does to an index.
        await client.indices.put_settings(index="blocked-logs", settings={"index.blocks.read_only_allow_delete": True})

        for _ in range(3):
            with pytest.raises(Unavailable, match="blocks writes") as refused:
                await store.write([record("b")], NOW)
            assert refused.value.retry_after == elasticsearch.REST

        assert [each.levelno for each in caplog.records if "blocks writes" in each.getMessage()] == [logging.ERROR]
        assert await count(store) == 1


async def test_what_it_cannot_index_is_refused_alone_with_a_line(
    server: Elasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    wild = record("wild", NOW + timedelta(days=30))
    async with opened(server, "refusing") as store, open_elasticsearch(server.url) as client:
        # An older layout in which one of our fields is a number: the rest of the batch must not suffer.
        await client.indices.create(
            index="refusing-logs-20260301", mappings={"properties": {"recordId": {"type": "long"}}}
        )

        written = await store.write([record("not a number"), record("17"), wild], NOW)

        assert [each.record.record_id for each in written.stored] == ["17"]
        assert sorted(written.refused_ids) == ["not a number", "wild"]
        lines = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
        assert ["'not a number'" in line and "refuses 1 log records" in line for line in lines] == [True]


@pytest.mark.system
@pytest.mark.timeout(300)
def test_the_service_waits_for_it_at_its_start_and_then_keeps_records_there(
    server: Elasticsearch, tmp_path: Path
) -> None:
    services = Services(
        tmp_path,
        HEADRACE_ELASTICSEARCH_URL=server.url,
        HEADRACE_ELASTICSEARCH_PREFIX="alone",
        HEADRACE_ELASTICSEARCH_REPLICAS="0",
    )
    server.kill()
    try:
        with ThreadPoolExecutor(1) as beside:
            starting = beside.submit(services.start, ["logging"])
            wait_for(lambda: (tmp_path / "logging.log").exists() and "trying again" in services.log("logging"), 30)
            server.start()
            starting.result(60)
        at = Timestamp()
        at.FromDatetime(NOW)
        sent = pb.LogRecord(record_id="a", tenant_id="tenant-a", at=at, fields=b'{"msg": "here"}')
        asked = pb.QueryRecordsRequest(scope=scope_pb2.TenantScope(tenant_id="tenant-a"), query="here")
        with grpc.insecure_channel(f"127.0.0.1:{services.ports['logging']}") as channel:
            stub = grpc_pb.LogServiceStub(channel)
            written = stub.WriteRecords(pb.WriteRecordsRequest(records=[sent, sent]), timeout=20)
            wait_for(lambda: stub.QueryRecords(asked, timeout=10).total == 1, 10)

        assert (written.stored, written.known) == (1, 1)
        assert "Traceback" not in services.log("logging")
        assert services.ask_to_stop(["logging"]) == {"logging": 0}
        assert not (tmp_path / "logging" / "logging").exists()
    finally:
        services.end()
        server.start()


async def test_it_is_waited_for_with_a_line_for_each_try_and_not_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with pytest.raises(Unavailable, match="does not serve"):
        async with open_elasticsearch(f"http://127.0.0.1:{port}", patience=SOON):
            raise AssertionError("Nobody listens there.")
    lines = [each.getMessage() for each in caplog.records]
    assert lines
    assert all(str(port) in line and "trying again" in line for line in lines)


@pytest.mark.parametrize("status", [401, 403])
async def test_wrong_credentials_are_waited_for_and_stay_unsaid(status: int, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    async with door(status, seen) as address:
        with pytest.raises(Unavailable, match=f"{address} refuses the credentials") as refused:
            async with open_elasticsearch(f"http://nobody:a-secret-of-mine@{address}", patience=SOON):
                raise AssertionError("It let us in.")

    assert "trying again" in caplog.text
    assert "a-secret-of-mine" not in str(refused.value) + caplog.text
    assert any("authorization: basic" in each.lower() for each in seen)
    assert shown(f"http://nobody:a-secret-of-mine@{address}") == address


async def test_a_certificate_file_that_is_none_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match="HEADRACE_ELASTICSEARCH_CA"):
        async with open_elasticsearch("https://127.0.0.1:9200", ca=str(tmp_path / "none.pem")):
            raise AssertionError("There is no such file.")


@pytest.mark.parametrize("url", ["localhost:9200", "redis://localhost", "http://", "http://host:port"])
async def test_what_is_no_address_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ValidationFailed, match="HEADRACE_ELASTICSEARCH_URL"):
        async with open_elasticsearch(url):
            raise AssertionError("There is no such address.")


@pytest.mark.parametrize("prefix", ["", "Upper", "a*", "-a", "a,b", "a" * 65])
async def test_a_prefix_that_names_no_index_is_a_wrong_setting(prefix: str) -> None:
    with pytest.raises(ValidationFailed, match="HEADRACE_ELASTICSEARCH_PREFIX"):
        async with elasticsearch.open_store("http://127.0.0.1:1", prefix=prefix):
            raise AssertionError("No index can be called so.")
