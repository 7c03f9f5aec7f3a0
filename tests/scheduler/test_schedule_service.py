"""The scheduler as its callers see it: through generated stubs, with an executor behind a channel."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.execution.v1 import execution_service_pb2 as execution_pb
from headrace.execution.v1 import execution_service_pb2_grpc as execution_grpc
from headrace.schedule.v1 import schedule_service_pb2 as pb
from headrace.schedule.v1 import schedule_service_pb2_grpc as grpc_pb
from headrace_core import schedules
from headrace_core.clock import TestClock
from headrace_core.errors import BadRequest, Conflict, Fenced, ValidationFailed
from headrace_runtime.rpc import LocalServer
from headrace_scheduler.app import SchedulerApp, open_app
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.stores.sqlite import open_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Executor(execution_grpc.ExecutionServiceServicer):
    """Records what it is sent; the flow named `gone` is gone."""

    def __init__(self) -> None:
        self.fires: list[execution_pb.Fire] = []

    async def FireTimers(
        self, request: execution_pb.FireTimersRequest, context: object
    ) -> execution_pb.FireTimersResponse:
        self.fires += request.fires
        gone = [fire.flow_id == "gone" for fire in request.fires]
        return execution_pb.FireTimersResponse(
            outcomes=[execution_pb.FireOutcome(recorded=not each, gone=each) for each in gone]
        )


@asynccontextmanager
async def running(
    directory: Path, clock: TestClock, executor: Executor | None = None
) -> AsyncIterator[tuple[SchedulerApp, "grpc_pb.ScheduleServiceAsyncStub"]]:
    server = LocalServer()
    # Only FireTimers is asked for; the other methods answer that nobody wrote them.
    execution_grpc.add_ExecutionServiceServicer_to_server(executor or Executor(), server)  # type: ignore[abstract]
    store = await open_store(directory / "scheduler.db")
    try:
        async with open_app(
            store, execution_channel=server.channel(), clock=clock, settings=SchedulerSettings()
        ) as app:
            app.register(server)
            yield app, grpc_pb.ScheduleServiceStub(server.channel())
    finally:
        await store.close()


def timer(name: str, schedule: schedules.Schedule | None = None, flow: str = "flow", **more: object) -> pb.Timer:
    stored = schedules.to_json(schedule or schedules.Interval(timedelta(minutes=1), NOW))
    plain = pb.Timer(
        timer_id=name,
        group_id=flow,
        tenant_id="tenant",
        schedule=json.dumps(stored).encode(),
        flow_id=flow,
        node_id="node",
        port="tick",
    )
    plain.MergeFrom(pb.Timer(**more))  # type: ignore[arg-type]  # each test names fields of Timer
    return plain


def seconds(count: float) -> Duration:
    length = Duration()
    length.FromTimedelta(timedelta(seconds=count))
    return length


def moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


async def test_a_timer_that_is_put_fires_with_its_target_and_neighbours(tmp_path: Path) -> None:
    clock, executor = TestClock(NOW), Executor()  # type: ignore[abstract]  # in the stubs only
    async with running(tmp_path, clock, executor) as (app, stub):
        kept = await stub.PutTimers(pb.PutTimersRequest(timers=[timer("t"), timer("g", flow="gone")]))
        clock.advance(60)
        await app.firing.fire_due()
        listed = await stub.ListTimers(pb.ListTimersRequest())

    assert [moment(each.next_at) for each in kept.timers] == [NOW + timedelta(minutes=1)] * 2
    fire = next(fire for fire in executor.fires if fire.timer_id == "t")
    assert (fire.flow_id, fire.node_id, fire.port, fire.HasField("previous_at")) == ("flow", "node", "tick", False)
    assert moment(fire.next_at) - moment(fire.nominal_at) == timedelta(minutes=1)
    assert [(each.timer_id, moment(each.next_at)) for each in listed.timers] == [("t", NOW + timedelta(minutes=2))]


async def test_timers_of_a_group_are_listed_and_removed_together(tmp_path: Path) -> None:
    async with running(tmp_path, TestClock(NOW)) as (_, stub):
        await stub.PutTimers(pb.PutTimersRequest(timers=[timer("a"), timer("b"), timer("c", flow="other")]))

        page = await stub.ListTimers(pb.ListTimersRequest(group_id="flow", after_timer_id="a"))
        removed = await stub.RemoveTimers(pb.RemoveTimersRequest(group_ids=["flow"]))
        again = await stub.RemoveTimers(pb.RemoveTimersRequest(group_ids=["flow"]))

    assert [each.timer_id for each in page.timers] == ["b"]
    assert (removed.removed, again.removed) == (2, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        timer(""),
        timer("t", run_id="run"),
        pb.Timer(timer_id="t", group_id="g", tenant_id="u", schedule=timer("t").schedule),
        pb.Timer(timer_id="t", schedule=b'{"kind": "never"}'),
        pb.Timer(timer_id="t", schedule=b"{"),
        timer("t", misfire=9),
    ],
)
async def test_a_wrong_timer_is_refused_with_its_name(tmp_path: Path, wrong: pb.Timer) -> None:
    async with running(tmp_path, TestClock(NOW)) as (_, stub):
        with pytest.raises((BadRequest, ValidationFailed)):
            await stub.PutTimers(pb.PutTimersRequest(timers=[timer("fine"), wrong]))

        assert not (await stub.ListTimers(pb.ListTimersRequest())).timers


async def test_a_timer_id_of_another_tenant_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path, TestClock(NOW)) as (_, stub):
        await stub.PutTimers(pb.PutTimersRequest(timers=[timer("t")]))
        theirs = timer("t")
        theirs.tenant_id = "other"

        with pytest.raises(Conflict):
            await stub.PutTimers(pb.PutTimersRequest(timers=[theirs]))


async def test_a_lock_has_one_holder_and_tells_who_waits_when_it_ends(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    async with running(tmp_path, clock) as (_, stub):
        mine = await stub.AcquireLock(pb.AcquireLockRequest(name="n", holder="me", ttl=seconds(20)))
        theirs = await stub.AcquireLock(pb.AcquireLockRequest(name="n", holder="you", ttl=seconds(20)))
        clock.advance(20)
        with pytest.raises(Fenced):
            await stub.ExtendLock(pb.ExtendLockRequest(name="n", holder="me", ttl=seconds(20)))
        later = await stub.AcquireLock(pb.AcquireLockRequest(name="n", holder="you", ttl=seconds(20)))
        await stub.ReleaseLock(pb.ReleaseLockRequest(name="n", holder="you"))
        await stub.ReleaseLock(pb.ReleaseLockRequest(name="n", holder="you"))

    assert (mine.acquired, theirs.acquired, later.acquired) == (True, False, True)
    assert moment(theirs.expires_at) == NOW + timedelta(seconds=20)
    assert later.fencing_token > mine.fencing_token


async def test_a_lease_does_not_end_when_the_wall_clock_is_set_forward(tmp_path: Path) -> None:
    class Wall(TestClock):
        offset = timedelta()

        def now(self) -> datetime:
            return super().now() + self.offset

    clock = Wall(NOW)
    async with running(tmp_path, clock) as (_, stub):
        await stub.AcquireLock(pb.AcquireLockRequest(name="n", holder="me", ttl=seconds(20)))
        clock.offset = timedelta(hours=2)
        theirs = await stub.AcquireLock(pb.AcquireLockRequest(name="n", holder="you", ttl=seconds(20)))

    assert not theirs.acquired
    assert moment(theirs.expires_at) == NOW + timedelta(hours=2, seconds=20)


async def test_a_quota_says_when_to_ask_again(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    window = pb.QuotaWindow(name="w", limit=1, window=seconds(10))
    async with running(tmp_path, clock) as (_, stub):
        first = await stub.AcquireQuota(pb.AcquireQuotaRequest(windows=[window], request_id="a"))
        second = await stub.AcquireQuota(pb.AcquireQuotaRequest(windows=[window], request_id="b"))

    assert first.granted
    assert not first.HasField("retry_at") and not first.HasField("starts_in")
    assert not second.granted
    assert timedelta(seconds=9) < moment(second.retry_at) - NOW < timedelta(seconds=10), "a little before its turn"


async def test_a_call_that_begins_soon_is_granted_ahead(tmp_path: Path) -> None:
    window = pb.QuotaWindow(name="w", limit=1, window=seconds(0.5))
    async with running(tmp_path, TestClock(NOW)) as (_, stub):
        await stub.AcquireQuota(pb.AcquireQuotaRequest(windows=[window], request_id="a"))
        second = await stub.AcquireQuota(pb.AcquireQuotaRequest(windows=[window], request_id="b"))

    assert second.granted
    assert second.starts_in.ToTimedelta() == timedelta(seconds=0.55), "with what calls may differ in their ways"


@pytest.mark.parametrize(
    "window",
    [
        pb.QuotaWindow(name="", limit=1, window=seconds(1)),
        pb.QuotaWindow(name="w", limit=0, window=seconds(1)),
        pb.QuotaWindow(name="w", limit=1, window=seconds(0)),
        pb.QuotaWindow(name="w", limit=1, window=seconds(40 * 86400)),
    ],
)
async def test_a_quota_that_makes_no_sense_is_refused(tmp_path: Path, window: pb.QuotaWindow) -> None:
    async with running(tmp_path, TestClock(NOW)) as (_, stub):
        with pytest.raises(BadRequest):
            await stub.AcquireQuota(pb.AcquireQuotaRequest(windows=[window], request_id="a"))


async def test_what_ran_out_is_forgotten(tmp_path: Path) -> None:
    clock = TestClock(NOW)
    async with running(tmp_path, clock) as (app, stub):
        await stub.AcquireLock(pb.AcquireLockRequest(name="n", holder="me", ttl=seconds(1)))
        await stub.AcquireQuota(
            pb.AcquireQuotaRequest(windows=[pb.QuotaWindow(name="w", limit=1, window=seconds(1))], request_id="a")
        )
        clock.advance(1.05)

        assert await app.scheduler.tidy() == 2
        assert await app.scheduler.tidy() == 0


async def test_starting_and_draining_twice_is_as_once(tmp_path: Path) -> None:
    async with running(tmp_path, TestClock(NOW)) as (app, _):
        await app.start()
        await app.start()
        await app.drain()
        await app.drain()
