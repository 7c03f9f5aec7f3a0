"""Who may call what, whose calls are repeated, and what tools can ask."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from headrace.log.v1 import log_service_pb2 as pb
from headrace.log.v1 import log_service_pb2_grpc as log_rpc
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace.people.v1 import people_service_pb2_grpc as people_rpc
from headrace_core import errors
from headrace_runtime import rpc
from headrace_runtime.rpc import calling, methods

from tests.certificates import identity_of, write_certificates

QUICK = rpc.ServerLimits(notice=timedelta(0), grace=timedelta(seconds=2))


class Log(log_rpc.LogServiceServicer):
    """Stores nothing, and says how many records it was given."""

    async def WriteRecords(self, request: pb.WriteRecordsRequest, context: Any) -> pb.WriteRecordsResponse:
        return pb.WriteRecordsResponse(stored=len(request.records))

    async def QueryRecords(self, request: pb.QueryRecordsRequest, context: Any) -> pb.QueryRecordsResponse:
        return pb.QueryRecordsResponse()

    async def GetRecord(self, request: pb.GetRecordRequest, context: Any) -> pb.GetRecordResponse:
        raise errors.NotFound("log record", request.record_id)

    async def Tail(self, request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        for number in range(2):
            yield pb.TailResponse(records=[pb.LogRecord(record_id=str(number))])


def register(server: grpc.aio.Server) -> None:
    log_rpc.add_LogServiceServicer_to_server(Log(), server)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_certificates(tmp_path, "logging", "executor", "gateway", "operator", "stranger")


def test_the_table_has_every_method_of_the_contracts_and_no_other() -> None:
    found = set()
    for service in calling.services():
        for method in descriptor_pool.Default().FindServiceByName(service).methods:
            found.add(f"/{service}/{method.name}")

    assert set(methods.METHODS) == {path for path in found if path.startswith("/headrace.")}


def test_no_method_that_makes_a_new_thing_each_time_is_repeated() -> None:
    repeated = {row["method"] for row in methods.repeatable()}

    assert not {name for name in repeated if name.startswith(("Create", "Clone", "SignUp", "Open", "Move"))}
    assert {"Accept", "WriteRecords", "FireTimers", "GetFlow"} <= repeated


@pytest.mark.parametrize(
    ("caller", "may_write", "may_query"),
    [("executor", True, False), ("gateway", False, True), ("operator", True, True), ("stranger", False, False)],
)
async def test_each_service_calls_what_the_table_gives_it(
    folder: Path, caller: str, may_write: bool, may_query: bool
) -> None:
    async with (
        rpc.serve("127.0.0.1:0", register, limits=QUICK, identity=identity_of(folder, "logging")) as running,
        rpc.dial(running.address, identity=identity_of(folder, caller), service="logging") as channel,
    ):
        stub = log_rpc.LogServiceStub(channel)
        for call, may in (
            (lambda: stub.WriteRecords(pb.WriteRecordsRequest(), timeout=10), may_write),
            (lambda: stub.QueryRecords(pb.QueryRecordsRequest(), timeout=10), may_query),
        ):
            if may:
                await call()
            else:
                with pytest.raises(errors.Forbidden, match=caller):
                    await call()


async def test_nobody_gets_in_without_a_certificate_of_the_authority(folder: Path, tmp_path: Path) -> None:
    other = write_certificates(tmp_path / "other", "executor")
    async with (
        rpc.serve("127.0.0.1:0", register, limits=QUICK, identity=identity_of(folder, "logging")) as running,
        rpc.dial(running.address) as bare,
        rpc.dial(running.address, identity=identity_of(other, "executor"), service="logging") as foreign,
    ):
        for channel in (bare, foreign):
            with pytest.raises(errors.Unavailable):
                await log_rpc.LogServiceStub(channel).WriteRecords(pb.WriteRecordsRequest(), timeout=5)


async def test_a_caller_talks_to_the_service_it_means_only(folder: Path) -> None:
    async with (
        rpc.serve("127.0.0.1:0", register, limits=QUICK, identity=identity_of(folder, "stranger")) as running,
        rpc.dial(running.address, identity=identity_of(folder, "executor"), service="logging") as channel,
    ):
        with pytest.raises(errors.Unavailable):
            await log_rpc.LogServiceStub(channel).WriteRecords(pb.WriteRecordsRequest(), timeout=5)


def test_half_an_identity_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(errors.ValidationFailed, match="HEADRACE_RPC_KEY"):
        rpc.Peer("logging", {"HEADRACE_RPC_CA": str(folder / "ca.pem"), "HEADRACE_RPC_CERT": str(folder / "x.pem")})
    with pytest.raises(errors.ValidationFailed, match=r"missing\.key"):
        rpc.Peer(
            "logging",
            {
                "HEADRACE_RPC_CA": str(folder / "ca.pem"),
                "HEADRACE_RPC_CERT": str(folder / "logging.pem"),
                "HEADRACE_RPC_KEY": str(folder / "missing.key"),
            },
        )


async def test_a_call_that_must_not_be_repeated_is_made_once() -> None:
    asked: list[str] = []

    class People(people_rpc.PeopleServiceServicer):
        async def SignUp(self, request: people_pb.SignUpRequest, context: Any) -> people_pb.SignUpResponse:
            asked.append("SignUp")
            raise errors.Unavailable()

        async def GetUser(self, request: people_pb.GetUserRequest, context: Any) -> people_pb.GetUserResponse:
            asked.append("GetUser")
            raise errors.Unavailable()

    async with (
        rpc.serve(
            "127.0.0.1:0",
            lambda server: people_rpc.add_PeopleServiceServicer_to_server(People(), server),
            limits=QUICK,
        ) as running,
        rpc.dial(running.address) as channel,
    ):
        stub = people_rpc.PeopleServiceStub(channel)
        with pytest.raises(errors.Unavailable):
            await stub.SignUp(people_pb.SignUpRequest(), timeout=10)
        with pytest.raises(errors.Unavailable):
            await stub.GetUser(people_pb.GetUserRequest(), timeout=10)

    assert asked.count("SignUp") == 1
    assert asked.count("GetUser") > 1


async def test_a_call_is_not_repeated_before_the_time_that_the_servicer_named() -> None:
    asked: list[str] = []

    class People(people_rpc.PeopleServiceServicer):
        async def GetUser(self, request: people_pb.GetUserRequest, context: Any) -> people_pb.GetUserResponse:
            asked.append("GetUser")
            raise errors.Unavailable(retry_after=timedelta(seconds=1))

    async with (
        rpc.serve(
            "127.0.0.1:0",
            lambda server: people_rpc.add_PeopleServiceServicer_to_server(People(), server),
            limits=QUICK,
        ) as running,
        rpc.dial(running.address) as channel,
    ):
        with pytest.raises(errors.Unavailable) as refused:
            await people_rpc.PeopleServiceStub(channel).GetUser(people_pb.GetUserRequest(), timeout=10)

    assert asked == ["GetUser"]
    assert refused.value.retry_after == timedelta(seconds=1)


async def answered(channel: rpc.Channel, method: str, body: str) -> list[str]:
    return [each async for each in calling.call(channel, method, body, 10)]


async def test_any_method_can_be_called_with_json() -> None:
    async with rpc.serve("127.0.0.1:0", register, limits=QUICK) as running, rpc.dial(running.address) as channel:
        service = "headrace.log.v1.LogService"

        [stored] = await answered(channel, f"{service}/WriteRecords", '{"records": [{"recordId": "a"}]}')
        tail = await answered(channel, f"{service}/Tail", "{}")
        [health] = await answered(channel, f"{calling.HEALTH}/Check", "{}")

        assert '"stored": ' in stored
        assert ['"recordId": "0"' in tail[0], '"recordId": "1"' in tail[1]] == [True, True]
        assert '"SERVING"' in health
        with pytest.raises(errors.BadRequest, match="recordId"):
            await answered(channel, f"{service}/GetRecord", '{"nope": 1}')
        with pytest.raises(errors.NotFound, match="log record"):
            await answered(channel, f"{service}/GetRecord", '{"recordId": "r"}')
        for method in ("headrace.log.v1.LogService/Nope", "nope/Nope", ""):
            with pytest.raises(errors.NotFound):
                await answered(channel, method, "{}")


@pytest.mark.parametrize("reflection", [True, False])
async def test_reflection_tells_what_is_registered_where_it_is_switched_on(reflection: bool) -> None:
    async with (
        rpc.serve("127.0.0.1:0", register, limits=QUICK, reflection=reflection) as running,
        grpc.aio.insecure_channel(running.address, options=[("grpc.enable_http_proxy", 0)]) as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        call = stub.ServerReflectionInfo(iter([ask]), timeout=10)
        if not reflection:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call.read()
            assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
            return
        answer = await call.read()

    names = {each.name for each in answer.list_services_response.service}
    assert names == {"headrace.log.v1.LogService", "grpc.reflection.v1alpha.ServerReflection"}
