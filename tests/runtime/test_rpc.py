"""The laws of calls between services. Each holds in process and over gRPC."""

import asyncio
import gc
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc._cython import cygrpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from headrace.log.v1 import log_service_pb2 as pb
from headrace.log.v1 import log_service_pb2_grpc as log_rpc
from headrace_core import errors
from headrace_core.errors import HeadraceError, Problem
from headrace_runtime import logs, rpc
from headrace_runtime.metrics import Metrics
from headrace_runtime.rpc import client, deadlines, server, wire

ROUNDING = 0.11
"""gRPC rounds the time on the wire up: to steps of 10 ms from 1 s on, of 100 ms from 10 s on."""
QUICK = rpc.ServerLimits(notice=timedelta(0), grace=timedelta(seconds=2))
PATIENT = rpc.ServerLimits(notice=timedelta(0), grace=timedelta(seconds=60))
WRITE = "/headrace.log.v1.LogService/WriteRecords"
TAIL = "/headrace.log.v1.LogService/Tail"

Write = Callable[[pb.WriteRecordsRequest, Any], Awaitable[pb.WriteRecordsResponse]]
Tail = Callable[[pb.TailRequest, Any], AsyncIterator[pb.TailResponse]]


class Servicer(log_rpc.LogServiceServicer):
    """A LogService that does what the test says. GetRecord stays as it was generated."""

    def __init__(self) -> None:
        self.write: Write
        self.tail: Tail

    async def WriteRecords(self, request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        return await self.write(request, context)

    async def QueryRecords(self, request: pb.QueryRecordsRequest, context: Any) -> pb.QueryRecordsResponse:
        return pb.QueryRecordsResponse()

    def GetRecord(self, request: pb.GetRecordRequest, context: Any) -> Any:
        raise NotImplementedError

    async def Tail(self, request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        async for each in self.tail(request, context):
            yield each


@dataclass
class House:
    """A servicer and a stub that reaches it."""

    servicer: Servicer
    channel: grpc.aio.Channel
    stub: "log_rpc.LogServiceAsyncStub" = field(init=False)

    def __post_init__(self) -> None:
        self.stub = log_rpc.LogServiceStub(self.channel)


@pytest.fixture(params=["local", "tcp", "unix"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    servicer = Servicer()

    def register(server: grpc.aio.Server) -> None:
        log_rpc.add_LogServiceServicer_to_server(servicer, server)

    async with AsyncExitStack() as stack:
        if request.param == "local":
            server = rpc.LocalServer()
            register(server)
            channel: grpc.aio.Channel = server.channel()
        else:
            address = "127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path}/s"
            running = await stack.enter_async_context(rpc.serve(address, register, limits=QUICK))
            channel = await stack.enter_async_context(rpc.dial(running.address))
        yield House(servicer, channel)


def record(name: str) -> pb.LogRecord:
    return pb.LogRecord(record_id=name, tenant_id="t", fields=b"{}")


def answers(*names: str) -> list[pb.TailResponse]:
    return [pb.TailResponse(records=[record(name)]) for name in names]


async def test_a_unary_call_brings_the_answer(house: House) -> None:
    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        return pb.WriteRecordsResponse(stored=len(request.records))

    house.servicer.write = write

    answer = await house.stub.WriteRecords(pb.WriteRecordsRequest(records=[record("a"), record("b")]))

    assert answer.stored == 2


async def test_a_stream_brings_every_answer_in_order(house: House) -> None:
    sent = answers(*(str(number) for number in range(100)))

    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        for each in sent:
            yield each

    house.servicer.tail = tail

    assert [each async for each in house.stub.Tail(pb.TailRequest(), timeout=10)] == sent


async def test_read_gives_answers_and_then_the_end(house: House) -> None:
    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        yield answers("one")[0]

    house.servicer.tail = tail
    call = house.stub.Tail(pb.TailRequest(), timeout=10)

    assert await call.read() == answers("one")[0]
    assert await call.read() is wire.EOF


SAMPLES: list[HeadraceError] = [
    errors.HeadraceError("something", details={"a": 1}),
    errors.ValidationFailed([Problem("flow.x", "is wrong", "Mend it.", node="n", field="f")]),
    errors.BadRequest("no sense"),
    errors.Unauthenticated(),
    errors.Forbidden("no"),
    errors.NotFound("flow", "f1"),
    errors.Conflict("running"),
    errors.RevisionConflict("saved in between", details={"revision": 3}),
    errors.AlreadyExists("taken"),
    errors.TooLarge("17 MiB of 16"),
    errors.RateLimited(retry_after=timedelta(seconds=7)),
    errors.Unavailable(retry_after=timedelta(seconds=2)),
    errors.DeadlineExceeded("late"),
    errors.Cancelled("stopped: größer ✓"),
    errors.Unsupported("no such thing"),
    errors.Fenced("somebody else"),
    errors.Internal("our mistake"),
]


def test_every_error_class_has_a_sample() -> None:
    assert {type(each) for each in SAMPLES} == set(errors.ALL)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
@pytest.mark.parametrize("kind", ["unary", "stream", "late in a stream"])
async def test_callers_get_the_error_that_the_servicer_raised(house: House, sample: HeadraceError, kind: str) -> None:
    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        raise sample

    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        if kind == "late in a stream":
            yield answers("one")[0]
        raise sample

    house.servicer.write = write
    house.servicer.tail = tail

    with pytest.raises(HeadraceError) as raised:
        if kind == "unary":
            await house.stub.WriteRecords(pb.WriteRecordsRequest(), timeout=20)
        else:
            async for _ in house.stub.Tail(pb.TailRequest(), timeout=20):
                continue

    assert type(raised.value) is type(sample)
    assert errors.to_dict(raised.value) == errors.to_dict(sample)


async def test_an_error_with_more_problems_than_fit_arrives_with_the_first_ones(house: House) -> None:
    problems = [Problem(f"flow.node{number}", "is wrong " * 20) for number in range(2000)]

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        raise errors.ValidationFailed(problems)

    house.servicer.write = write

    with pytest.raises(errors.ValidationFailed) as raised:
        await house.stub.WriteRecords(pb.WriteRecordsRequest())

    count = len(raised.value.problems)
    assert count >= 20
    assert list(raised.value.problems) == problems[:count]


async def test_an_unforeseen_error_is_internal_names_the_request_and_tells_nothing_else(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        raise ValueError("password=hunter2")

    house.servicer.write = write

    with logs.working_on("request-7"), pytest.raises(errors.Internal) as raised:
        await house.stub.WriteRecords(pb.WriteRecordsRequest())

    assert raised.value.details == {"request_id": "request-7"}
    assert "hunter2" not in str(errors.to_dict(raised.value))
    assert "request-7" in caplog.text
    assert "hunter2" in caplog.text  # The log of the service has the traceback.


async def test_an_unforeseen_error_of_a_stream_is_internal(house: House) -> None:
    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        yield answers("one")[0]
        raise KeyError("secret")

    house.servicer.tail = tail
    call = house.stub.Tail(pb.TailRequest(), timeout=10)

    assert await call.read() == answers("one")[0]
    with pytest.raises(errors.Internal) as raised:
        await call.read()
    assert "secret" not in raised.value.message


async def test_a_timeout_inside_the_servicer_is_not_the_callers_deadline(house: House) -> None:
    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        raise TimeoutError

    house.servicer.write = write

    with pytest.raises(errors.Internal):
        await house.stub.WriteRecords(pb.WriteRecordsRequest(), timeout=5)


async def test_a_method_that_nobody_wrote_is_unsupported(house: House) -> None:
    with pytest.raises(errors.Unsupported):
        await house.stub.GetRecord(pb.GetRecordRequest(), timeout=5)


async def test_a_method_that_nobody_registered_is_unsupported(house: House) -> None:
    unary = house.channel.unary_unary("/x.Y/Z", bytes, bytes)
    stream = house.channel.unary_stream("/x.Y/Z", bytes, bytes)

    with pytest.raises(errors.Unsupported):
        await unary(b"", timeout=5)
    with pytest.raises(errors.Unsupported):
        await stream(b"", timeout=5).read()


def test_streams_of_requests_are_refused() -> None:
    for channel in (rpc.LocalServer().channel(),):
        with pytest.raises(errors.Unsupported):
            channel.stream_unary("/x.Y/Z")
        with pytest.raises(errors.Unsupported):
            channel.stream_stream("/x.Y/Z")


async def test_a_unary_call_ends_with_its_deadline_and_so_does_the_servicer(house: House) -> None:
    left = asyncio.Event()

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return pb.WriteRecordsResponse()

    house.servicer.write = write

    with pytest.raises(errors.DeadlineExceeded):
        await house.stub.WriteRecords(pb.WriteRecordsRequest(), timeout=0.1)

    await asyncio.wait_for(left.wait(), 5)


async def test_a_stream_ends_with_its_deadline_and_so_does_the_servicer(house: House) -> None:
    left = asyncio.Event()

    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        try:
            yield answers("one")[0]
            await asyncio.Event().wait()
        finally:
            left.set()

    house.servicer.tail = tail
    call = house.stub.Tail(pb.TailRequest(), timeout=0.2)

    assert await call.read() == answers("one")[0]
    with pytest.raises(errors.DeadlineExceeded):
        await call.read()
    await asyncio.wait_for(left.wait(), 5)


async def test_the_servicer_sees_how_long_is_left_and_what_was_sent_along(house: House) -> None:
    seen: dict[str, Any] = {}

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        seen["left"] = context.time_remaining()
        seen["metadata"] = dict(context.invocation_metadata())
        seen["cancelled"] = context.cancelled()
        return pb.WriteRecordsResponse()

    house.servicer.write = write

    await house.stub.WriteRecords(pb.WriteRecordsRequest(), timeout=5, metadata=(("colour", "blue"),))

    assert 0 < seen["left"] <= 5 + ROUNDING
    assert seen["metadata"]["colour"] == "blue"
    assert seen["cancelled"] is False


async def test_the_request_id_travels_with_the_call(house: House) -> None:
    seen: list[str] = []

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        seen.append(logs.request_id.get())
        return pb.WriteRecordsResponse()

    house.servicer.write = write

    with logs.working_on("request-9"):
        await house.stub.WriteRecords(pb.WriteRecordsRequest())

    assert seen == ["request-9"]


async def test_cancelling_a_unary_call_cancels_the_servicer(house: House) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return pb.WriteRecordsResponse()

    house.servicer.write = write
    task = asyncio.ensure_future(house.stub.WriteRecords(pb.WriteRecordsRequest()))
    await asyncio.wait_for(entered.wait(), 5)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(left.wait(), 5)


class Endless:
    """A stream that counts who is in it."""

    def __init__(self, house: House) -> None:
        self.left = asyncio.Event()
        house.servicer.tail = self.tail

    async def tail(self, request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        try:
            while True:
                yield answers("again")[0]
                await asyncio.sleep(0)
        finally:
            self.left.set()


async def test_cancel_ends_a_stream_at_both_ends(house: House) -> None:
    endless = Endless(house)
    call = house.stub.Tail(pb.TailRequest())
    await call.read()

    assert call.cancel() is True

    await asyncio.wait_for(endless.left.wait(), 5)
    assert call.cancelled()
    assert call.cancel() is False
    with pytest.raises(errors.Cancelled):
        await call.read()


async def test_aclose_ends_a_stream_at_both_ends(house: House) -> None:
    endless = Endless(house)

    # `aclose` is ours: both kinds of stream have it, grpc's types do not know it.
    async with aclosing(cast("Any", house.stub.Tail(pb.TailRequest()))) as call:
        await call.read()

    await asyncio.wait_for(endless.left.wait(), 5)
    await call.aclose()


async def test_a_stream_ends_when_its_reader_breaks_off(house: House) -> None:
    endless = Endless(house)

    async for _ in house.stub.Tail(pb.TailRequest()):
        break

    gc.collect()
    await asyncio.wait_for(endless.left.wait(), 5)


async def test_a_stream_ends_when_its_reader_is_cancelled(house: House) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        entered.set()
        try:
            await asyncio.Event().wait()
            yield answers("never")[0]
        finally:
            left.set()

    async def read() -> None:
        async for _ in house.stub.Tail(pb.TailRequest()):
            continue

    house.servicer.tail = tail
    task = asyncio.create_task(read())
    await asyncio.wait_for(entered.wait(), 5)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(left.wait(), 5)


async def test_a_local_stream_waits_for_a_slow_reader() -> None:
    house, made = local_house(), 0

    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        nonlocal made
        for each in answers(*"abcdefghijklmnopqrstuvwxyz") * 4:
            made += 1
            yield each

    house.servicer.tail = tail
    call = house.stub.Tail(pb.TailRequest())
    await call.read()
    for _ in range(50):
        await asyncio.sleep(0)

    assert made <= 18  # What was read, what is buffered, and the one in the servicer's hand.
    assert len([each async for each in call]) == 103


async def test_a_local_call_hands_the_request_itself_over() -> None:
    house, seen = local_house(), []

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        seen.append(request)
        return pb.WriteRecordsResponse()

    house.servicer.write = write
    request = pb.WriteRecordsRequest()

    await house.stub.WriteRecords(request)

    assert seen[0] is request


async def test_a_local_call_costs_next_to_nothing() -> None:
    house = local_house()
    answer = pb.WriteRecordsResponse()

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        return answer

    house.servicer.write = write
    request = pb.WriteRecordsRequest()

    async def span(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            await house.stub.WriteRecords(request)
        return (time.perf_counter() - began) / count

    assert min([await span(500) for _ in range(10)]) < 15e-6


async def test_servicers_may_be_registered_after_the_stub_was_made() -> None:
    server, servicer = rpc.LocalServer(), Servicer()
    house = House(servicer, server.channel())
    log_rpc.add_LogServiceServicer_to_server(servicer, server)

    assert await house.stub.QueryRecords(pb.QueryRecordsRequest()) == pb.QueryRecordsResponse()

    await server.stop()
    with pytest.raises(errors.Unsupported):
        await house.stub.QueryRecords(pb.QueryRecordsRequest())


def local_house() -> House:
    server, servicer = rpc.LocalServer(), Servicer()
    log_rpc.add_LogServiceServicer_to_server(servicer, server)
    return House(servicer, server.channel())


def registering(servicer: Servicer) -> Callable[[grpc.aio.Server], None]:
    return lambda server: log_rpc.add_LogServiceServicer_to_server(servicer, server)


async def quick_write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
    return pb.WriteRecordsResponse()


async def test_the_server_refuses_calls_without_a_deadline_but_for_endless_streams() -> None:
    servicer = Servicer()
    servicer.write = quick_write

    async def tail(request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        yield answers("one")[0]

    servicer.tail = tail
    async with (
        rpc.serve("127.0.0.1:0", registering(servicer), limits=QUICK) as running,
        grpc.aio.insecure_channel(running.address) as bare,
    ):
        stub = log_rpc.LogServiceStub(bare)

        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.WriteRecords(pb.WriteRecordsRequest())
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "deadline" in str(raised.value.details())

        assert [each async for each in stub.Tail(pb.TailRequest())] == answers("one")


async def test_a_dialled_call_without_a_timeout_gets_the_default_one() -> None:
    servicer, seen = Servicer(), []

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        seen.append(context.time_remaining())
        return pb.WriteRecordsResponse()

    servicer.write = write
    async with (
        rpc.serve("127.0.0.1:0", registering(servicer), limits=QUICK) as running,
        rpc.dial(running.address) as channel,
    ):
        await House(servicer, channel).stub.WriteRecords(pb.WriteRecordsRequest())

    assert 5 < seen[0] <= rpc.DEFAULT_TIMEOUT + ROUNDING


async def test_a_call_made_while_answering_gets_what_is_left_less_a_margin() -> None:
    inner, outer, seen, left = Servicer(), Servicer(), [], []

    async def note(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        seen.append(context.time_remaining())
        return pb.WriteRecordsResponse()

    inner.write = note
    async with (
        rpc.serve("127.0.0.1:0", registering(inner), limits=QUICK) as inside,
        rpc.dial(inside.address) as to_inside,
        rpc.serve("127.0.0.1:0", registering(outer), limits=QUICK) as outside,
        rpc.dial(outside.address) as to_outside,
    ):
        further = House(inner, to_inside).stub

        async def pass_on(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
            await asyncio.create_task(aside())
            left.append(context.time_remaining())
            return await further.WriteRecords(request)

        async def aside() -> None:
            await further.WriteRecords(pb.WriteRecordsRequest())

        outer.write = pass_on
        await House(outer, to_outside).stub.WriteRecords(pb.WriteRecordsRequest(), timeout=3)

    on_the_side, on_the_way = seen
    assert left[0] <= 3 + ROUNDING
    assert on_the_way <= left[0] - deadlines.MARGIN + 0.02  # Between 1 and 10 s it is rounded to 10 ms.
    assert on_the_side > 3  # Work on the side outlives the call, so it has its own time.


async def test_a_server_that_is_away_is_unavailable() -> None:
    async with rpc.dial("127.0.0.1:1") as channel:
        stub = House(Servicer(), channel).stub

        with pytest.raises(errors.Unavailable):
            await stub.WriteRecords(pb.WriteRecordsRequest(), timeout=5)
        with pytest.raises(errors.Unavailable):
            await stub.Tail(pb.TailRequest(), timeout=5).read()


async def test_calls_on_a_closed_channel_are_unavailable() -> None:
    channel = rpc.dial("127.0.0.1:1")
    stub = House(Servicer(), channel).stub

    await channel.close()

    with pytest.raises(errors.Unavailable):
        await stub.WriteRecords(pb.WriteRecordsRequest())
    with pytest.raises(errors.Unavailable):
        stub.Tail(pb.TailRequest())


async def test_only_unavailable_is_asked_again() -> None:
    servicer, asked = Servicer(), []
    failures: list[HeadraceError] = [errors.Unavailable(), errors.Unavailable(), errors.Conflict("no")]

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        asked.append(1)
        raise failures[len(asked) - 1]

    servicer.write = write
    async with (
        rpc.serve("127.0.0.1:0", registering(servicer), limits=QUICK) as running,
        rpc.dial(running.address) as channel,
    ):
        with pytest.raises(errors.Conflict):
            await House(servicer, channel).stub.WriteRecords(pb.WriteRecordsRequest(), timeout=10)

    assert len(asked) == 3


async def test_a_message_over_the_cap_is_too_large() -> None:
    servicer = Servicer()
    servicer.write = quick_write
    async with (
        rpc.serve("127.0.0.1:0", registering(servicer), limits=QUICK) as running,
        rpc.dial(running.address) as channel,
        rpc.dial(running.address, max_message_bytes=2 * wire.MAX_MESSAGE_BYTES) as generous,
    ):
        big = pb.WriteRecordsRequest(records=[pb.LogRecord(fields=b" " * (wire.MAX_MESSAGE_BYTES + 1))])

        for each in (channel, generous):  # One is stopped by its own side, the other by the server.
            with pytest.raises(errors.TooLarge):
                await House(servicer, each).stub.WriteRecords(big)


async def test_more_calls_at_once_than_the_limit_are_refused() -> None:
    servicer, entered, release = Servicer(), asyncio.Event(), asyncio.Event()

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        entered.set()
        await release.wait()
        return pb.WriteRecordsResponse(stored=1)

    servicer.write = write
    # One call is the client's health watch.
    limits = rpc.ServerLimits(max_concurrent_calls=2, notice=timedelta(0))
    async with (
        rpc.serve("127.0.0.1:0", registering(servicer), limits=limits) as running,
        rpc.dial(running.address) as channel,
    ):
        stub = House(servicer, channel).stub
        first = asyncio.ensure_future(stub.WriteRecords(pb.WriteRecordsRequest()))
        await asyncio.wait_for(entered.wait(), 5)

        with pytest.raises(errors.RateLimited):
            await stub.WriteRecords(pb.WriteRecordsRequest())

        release.set()
        assert (await first).stored == 1


async def test_a_draining_server_finishes_what_is_under_way_and_takes_no_more() -> None:
    servicer, entered, release = Servicer(), asyncio.Event(), asyncio.Event()

    async def write(request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        entered.set()
        await release.wait()
        return pb.WriteRecordsResponse(stored=1)

    servicer.write = write
    async with (
        rpc.serve("127.0.0.1:0", registering(servicer), limits=PATIENT) as running,
        rpc.dial(running.address) as channel,
    ):
        stub = House(servicer, channel).stub
        first = asyncio.ensure_future(stub.WriteRecords(pb.WriteRecordsRequest()))
        await asyncio.wait_for(entered.wait(), 5)

        draining = asyncio.create_task(running.drain())
        with pytest.raises((errors.Unavailable, errors.Cancelled)):
            while True:
                await stub.QueryRecords(pb.QueryRecordsRequest(), timeout=5)
        release.set()

        assert (await first).stored == 1
        await draining
        await running.drain()


async def test_health_says_serving_until_told_otherwise() -> None:
    asking = health_pb2.HealthCheckRequest()
    answer = health_pb2.HealthCheckResponse
    async with (
        rpc.serve("127.0.0.1:0", registering(Servicer()), limits=QUICK) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = cast("Any", health_pb2_grpc.HealthStub(channel))

        assert (await stub.Check(asking)).status == answer.SERVING
        await running.set_serving(False)
        assert (await stub.Check(asking)).status == answer.NOT_SERVING


async def test_two_servers_cannot_share_an_address() -> None:
    async with rpc.serve("127.0.0.1:0", registering(Servicer()), limits=QUICK) as running:
        with pytest.raises(errors.Conflict):
            async with rpc.serve(running.address, registering(Servicer()), limits=QUICK):
                raise AssertionError("Two servers listen at one address.")


async def test_a_strange_request_id_is_replaced() -> None:
    assert logs.accept_request_id("abc-1.2_3") == "abc-1.2_3"
    for strange in ("", "a b", "a\nb", "x" * 65, "ü"):
        assert logs.accept_request_id(strange) != strange


async def test_an_error_that_cannot_be_read_is_internal() -> None:
    assert isinstance(wire.decode(b"{"), errors.Internal)
    assert isinstance(wire.decode(b"[]"), errors.Internal)


async def test_the_server_counts_calls_by_what_came_of_them() -> None:
    servicer, metrics = Servicer(), Metrics()
    servicer.write = quick_write

    async with (
        rpc.serve("127.0.0.1:0", registering(servicer), limits=QUICK, metrics=metrics) as running,
        rpc.dial(running.address) as channel,
    ):
        stub = House(servicer, channel).stub
        await stub.WriteRecords(pb.WriteRecordsRequest())
        with pytest.raises(errors.Unsupported):
            await stub.GetRecord(pb.GetRecordRequest())

    calls = metrics.counter("headrace_rpc_calls_total", "", ("method", "outcome"))
    assert calls.value(method="headrace.log.v1.LogService/WriteRecords", outcome="ok") == 1
    assert calls.value(method="headrace.log.v1.LogService/GetRecord", outcome=errors.Unsupported.code) == 1


def test_every_option_of_a_server_or_a_channel_is_one_that_grpc_knows() -> None:
    library = Path(cygrpc.__file__).read_bytes()
    sources = [Path(module.__file__ or "").read_text() for module in (client, server)]
    given = {name for source in sources for name in re.findall(r'"(grpc\.[a-z0-9_.]+)"', source)}

    assert "grpc.keepalive_time_ms" in given
    assert [name for name in sorted(given) if name.encode() not in library] == []
