"""The log service as its callers see it: through generated stubs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.log.v1 import log_service_pb2 as pb
from headrace.log.v1 import log_service_pb2_grpc as grpc_pb
from headrace.scope.v1 import scope_pb2
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_core.errors import BadRequest, Forbidden, NotFound, RateLimited
from headrace_logging.app import LoggingApp, open_app
from headrace_logging.model import Scope
from headrace_logging.settings import LoggingSettings
from headrace_logging.stores.sqlite import open_store
from headrace_runtime.rpc import LocalServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINE = scope_pb2.TenantScope(tenant_id="tenant-a")


@asynccontextmanager
async def running(
    directory: Path, clock: TestClock | None = None, settings: LoggingSettings | None = None
) -> AsyncIterator[tuple[LoggingApp, "grpc_pb.LogServiceAsyncStub"]]:
    store = await open_store(directory / "log.db")
    try:
        async with open_app(store, clock=clock or TestClock(NOW), settings=settings or LoggingSettings()) as app:
            server = LocalServer()
            app.register(server)
            yield app, grpc_pb.LogServiceStub(server.channel())
    finally:
        await store.close()


def record(name: str, tenant: str = "tenant-a", at: datetime = NOW, **fields: Json) -> pb.LogRecord:
    written = Timestamp()
    written.FromDatetime(at)
    return pb.LogRecord(
        record_id=name, tenant_id=tenant, at=written, fields=json.dumps({"msg": f"said {name}", **fields}).encode()
    )


async def test_a_batch_is_counted_as_stored_known_and_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, stub):
        broken = record("c")
        broken.fields = b"[1]"
        early = record("d", at=datetime(1969, 1, 1, tzinfo=UTC))

        first = await stub.WriteRecords(pb.WriteRecordsRequest(records=[record("a"), broken, early, record("")]))
        again = await stub.WriteRecords(pb.WriteRecordsRequest(records=[record("a"), record("b")]))

    assert (first.stored, first.known, sorted(first.refused_ids)) == (1, 0, ["", "c", "d"])
    assert (again.stored, again.known) == (1, 1)


async def test_a_record_is_shown_with_the_fields_of_the_public_api(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, stub):
        await stub.WriteRecords(
            pb.WriteRecordsRequest(
                records=[record("a", flowId="f1", msg={"n": 1}, port=None, _id="forged", gridTimestamp="forged")]
            )
        )
        answer = await stub.GetRecord(pb.GetRecordRequest(scope=MINE, record_id="a"))

    assert json.loads(answer.record.fields) == {
        "severity": "info",
        "msg": '{"n":1}',
        "flowId": "f1",
        "gridTimestamp": "2026-01-01T00:00:00.000Z",
        "@timestamp": "2026-01-01T00:00:00.000Z",
        "_id": "a",
        "_index": "headrace-20260101",
    }


async def test_a_long_message_is_cut_with_a_mark(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, stub):
        await stub.WriteRecords(pb.WriteRecordsRequest(records=[record("a", msg="é" * 60_000)]))
        answer = await stub.GetRecord(pb.GetRecordRequest(scope=MINE, record_id="a"))

    message = json.loads(answer.record.fields)["msg"]
    assert len(message.encode()) <= 51_200
    assert message.endswith("… [cut, 120000 bytes in all]")


async def test_a_query_answers_a_page_a_total_and_bars(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, stub):
        await stub.WriteRecords(
            pb.WriteRecordsRequest(
                records=[record(f"r{n}", at=NOW + timedelta(minutes=n), componentId=f"c{n % 2}") for n in range(10)]
            )
        )
        answer = await stub.QueryRecords(
            pb.QueryRecordsRequest(
                scope=MINE, query="componentId:c1", size=2, includes=["component*"], excludes=["componentType"]
            )
        )

    assert [each.record_id for each in answer.records] == ["r9", "r7"]
    assert json.loads(answer.records[0].fields) == {
        "componentId": "c1",
        "_id": "r9",
        "_index": "headrace-20260101",
    }
    assert answer.total == 5
    assert sum(bucket.count for bucket in answer.buckets) == 5


@pytest.mark.parametrize(
    "request_",
    [
        pb.QueryRecordsRequest(scope=MINE, query="(a"),
        pb.QueryRecordsRequest(scope=MINE, size=1001),
        pb.QueryRecordsRequest(scope=MINE, offset=-1),
        pb.QueryRecordsRequest(scope=MINE, port_type="sideways"),
        pb.QueryRecordsRequest(scope=MINE, sort=[pb.LogSort(field="msg")]),
        pb.QueryRecordsRequest(scope=MINE, search_after=b"[1]"),
        pb.QueryRecordsRequest(scope=MINE, search_after=b"nonsense"),
        pb.QueryRecordsRequest(scope=MINE, search_after=b'["soon", "a"]'),
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(tmp_path: Path, request_: pb.QueryRecordsRequest) -> None:
    async with running(tmp_path) as (_, stub):
        with pytest.raises(BadRequest):
            await stub.QueryRecords(request_)


async def test_a_call_without_a_tenant_sees_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, stub):
        with pytest.raises(Forbidden):
            await stub.QueryRecords(pb.QueryRecordsRequest())
        with pytest.raises(NotFound):
            await stub.GetRecord(pb.GetRecordRequest(scope=MINE, record_id="nobody's"))


async def test_a_tail_shows_what_is_written_from_then_on_and_nothing_else(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, stub), asyncio.timeout(10):
        await stub.WriteRecords(pb.WriteRecordsRequest(records=[record("before")]))
        tail = aiter(stub.Tail(pb.TailRequest(scope=MINE, query="said", flow_ids=["F1"])))
        assert not (await anext(tail)).records
        await stub.WriteRecords(
            pb.WriteRecordsRequest(
                records=[
                    record("mine", flowId="f1"),
                    record("before", flowId="f1"),
                    record("other flow", flowId="f2"),
                    record("trace", flowId="f1", severity="trace"),
                    record("other tenant", tenant="tenant-b", flowId="f1"),
                    record("other words", flowId="f1", msg="else"),
                ]
            )
        )

        seen = await anext(tail)
        await app.drain()

        assert [each.record_id for each in seen.records] == ["mine"]
        assert [answer async for answer in tail] == []


async def test_a_slow_reader_loses_the_oldest_and_hears_how_many(tmp_path: Path) -> None:
    async with running(tmp_path, settings=LoggingSettings(tail_queue=3)) as (app, stub), asyncio.timeout(10):
        with app.service.follow(Scope("tenant-a"), "", ()) as reader:
            await stub.WriteRecords(pb.WriteRecordsRequest(records=[record(f"r{n}") for n in range(10)]))
            batch = await anext(reader.batches())

    assert [stored.record.record_id for stored in batch.records] == ["r7", "r8", "r9"]
    assert batch.dropped == 7


async def test_readers_beyond_the_limit_are_refused_until_one_leaves(tmp_path: Path) -> None:
    async with running(tmp_path, settings=LoggingSettings(max_tails=1)) as (app, _):
        with (
            app.service.follow(Scope("tenant-a"), "", ()),
            pytest.raises(RateLimited),
            app.service.follow(Scope("tenant-a"), "", ()),
        ):
            pass
        with app.service.follow(Scope("tenant-a"), "", ()):
            pass


async def test_old_records_are_forgotten_while_the_service_runs(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    async with running(tmp_path, clock) as (app, stub):
        await stub.WriteRecords(pb.WriteRecordsRequest(records=[record("old")]))
        clock.advance(timedelta(days=40))
        await stub.WriteRecords(pb.WriteRecordsRequest(records=[record("new", at=clock.now())]))

        removed = await app.service.trim()
        left = await stub.QueryRecords(pb.QueryRecordsRequest(scope=MINE))

    assert removed == 1
    assert [each.record_id for each in left.records] == ["new"]


async def test_a_tenant_who_is_gone_is_forgotten_and_nobody_is_not(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, log):
        records = [pb.LogRecord(record_id=str(number), tenant_id="tenant-a", fields=b"{}") for number in range(3)]
        await log.WriteRecords(pb.WriteRecordsRequest(records=records))

        forgotten = await log.ForgetTenant(pb.ForgetTenantRequest(scope=MINE))

        assert (forgotten.removed, forgotten.more) == (3, False)
        assert (await log.QueryRecords(pb.QueryRecordsRequest(scope=MINE))).total == 0
        with pytest.raises(BadRequest):
            await log.ForgetTenant(pb.ForgetTenantRequest())
