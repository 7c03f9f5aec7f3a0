"""What a runner asks of the executor, over RPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

import orjson
from headrace.runner.v1 import runner_pb2 as data_pb
from headrace.runner.v1 import runner_service_pb2 as pb
from headrace.runner.v1 import runner_service_pb2_grpc as rpc
from headrace_core import Json
from headrace_core.errors import TooLarge
from headrace_runtime.failures import Failure, error_of
from headrace_runtime.rpc import Channel
from headrace_sdk.errors import CancelError

from headrace_runner.asking import RoomName, Sent, as_json

TIMEOUT = 60.0
FILE_TIMEOUT = 180.0
LISTEN_TIMEOUT = 120.0
"""A plugin may have to be started first."""

CALL_TIMEOUT = 90.0
"""Longer than the executor lets another component take: it says better what was wrong."""

_ROOMS = {
    "node": data_pb.ROOM_NODE,
    "flow": data_pb.ROOM_FLOW,
    "service": data_pb.ROOM_SERVICE,
    "run": data_pb.ROOM_RUN,
}


class HostClient:
    """The executor."""

    def __init__(self, channel: Channel) -> None:
        self._stub = rpc.HostServiceStub(channel)

    async def report_ready(self) -> None:
        await self._stub.ReportReady(pb.ReportReadyRequest(), timeout=TIMEOUT)

    def asking(self, call_id: str) -> CallAsk:
        """The questions of one call."""
        return CallAsk(self._stub, call_id)


class CallAsk:
    """Keeps `asking.Ask`. Its questions are numbered in the order in which they are asked."""

    def __init__(self, stub: rpc.HostServiceAsyncStub, call_id: str) -> None:
        self._stub = stub
        self._call_id = call_id
        self._number = 0

    async def state(self, room: RoomName, verb: str, key: str, value: Json) -> Json:
        question = data_pb.StateQuestion(room=_ROOMS[room], verb=verb, key=key, value=as_json(value, "the state"))
        return _answer(await self._ask(pb.AskRequest(state=question)))

    async def store(self, verb: str, **arguments: Json) -> Json:
        question = data_pb.StoreQuestion(verb=verb, arguments=as_json(dict(arguments), "the record"))
        return _answer(await self._ask(pb.AskRequest(store=question)))

    async def task(self, verb: str, **arguments: Json) -> Json:
        question = data_pb.TaskQuestion(verb=verb, arguments=as_json(dict(arguments), "the task"))
        return _answer(await self._ask(pb.AskRequest(task=question)))

    async def file(
        self,
        verb: str,
        file_id: str = "",
        *,
        filename: str | None = None,
        content_type: str | None = None,
        content: bytes = b"",
        offset: int = 0,
        upload_id: str = "",
    ) -> tuple[Json, bytes]:
        question = data_pb.FileQuestion(
            verb=verb,
            file_id=file_id,
            filename=filename,
            content_type=content_type,
            content=content,
            offset=offset,
            upload_id=upload_id,
        )
        answer = await self._ask(pb.AskRequest(file=question), FILE_TIMEOUT)
        return _answer(answer), answer.content

    async def scope(self) -> Json:
        return _answer(await self._ask(pb.AskRequest(scope=data_pb.ScopeQuestion())))

    async def listen(self, verb: str, event: str, params: Json) -> Json:
        packed = as_json(params, "what a listener gives along")
        question = data_pb.ListenQuestion(verb=verb, event=event, params=packed)
        return _answer(await self._ask(pb.AskRequest(listen=question), LISTEN_TIMEOUT))

    async def trigger(
        self, flow_id: str, node_id: str, content: Json, correlation_id: str, waits: bool, event: str
    ) -> Json:
        question = data_pb.TriggerQuestion(
            flow_id=flow_id,
            node_id=node_id,
            content=as_json(content, "what a component is fired with"),
            correlation_id=correlation_id,
            waits=waits,
            event=event,
        )
        return _answer(await self._ask(pb.AskRequest(trigger=question)))

    async def signal(self, content: Json) -> None:
        question = data_pb.SignalQuestion(content=as_json(content, "the signal"))
        await self._ask(pb.AskRequest(signal=question))

    async def api(self, method: str, end_point: str, query: Mapping[str, Json], body: Json) -> Json:
        question = data_pb.ApiQuestion(
            method=method,
            end_point=end_point,
            query=as_json(dict(query), "the query"),
            body=b"" if body is None else as_json(body, "the body"),
        )
        return _answer(await self._ask(pb.AskRequest(api=question), LISTEN_TIMEOUT))

    async def outputs(self, outputs: Sequence[Sent]) -> None:
        sent = [data_pb.Output(**each._asdict()) for each in outputs]
        await self._ask(pb.AskRequest(outputs=data_pb.OutputsQuestion(outputs=sent)), FILE_TIMEOUT)

    async def call(
        self,
        component_type: str,
        port: str,
        messages: Mapping[str, Json],
        properties: Mapping[str, Json],
        transform: str,
    ) -> Json:
        question = data_pb.CallQuestion(
            type=component_type,
            out_port=port,
            messages=as_json(dict(messages), "what a component is called with"),
            properties=as_json(dict(properties), "what a component is called with"),
            transform=transform,
        )
        return _answer(await self._ask(pb.AskRequest(call=question), CALL_TIMEOUT))

    async def set_timeout(self, content: bytes, due: datetime) -> str:
        question = data_pb.TimeoutQuestion(content=content)
        question.due.FromDatetime(due)
        return cast("str", _answer(await self._ask(pb.AskRequest(timeout=question))))

    async def clear_timeout(self, timeout_id: str) -> None:
        await self._ask(pb.AskRequest(timeout=data_pb.TimeoutQuestion(timeout_id=timeout_id)))

    async def acquire_lock(self, name: str, ttl: timedelta, retry_delay: float, retries: int) -> str:
        question = data_pb.LockQuestion(verb="acquire", name=name, retry_delay=retry_delay, retries=retries)
        question.ttl.FromTimedelta(ttl)
        patience = TIMEOUT + retry_delay * retries
        return cast("str", _answer(await self._ask(pb.AskRequest(lock=question), patience)))

    async def extend_lock(self, name: str, handle: str, ttl: timedelta) -> None:
        question = data_pb.LockQuestion(verb="extend", name=name, handle=handle)
        question.ttl.FromTimedelta(ttl)
        await self._ask(pb.AskRequest(lock=question))

    async def release_lock(self, name: str, handle: str) -> None:
        await self._ask(pb.AskRequest(lock=data_pb.LockQuestion(verb="release", name=name, handle=handle)))

    async def _ask(self, request: pb.AskRequest, timeout: float = TIMEOUT) -> pb.AskResponse:
        self._number += 1
        request.call_id = self._call_id
        request.number = self._number
        try:
            answer = await self._stub.Ask(request, timeout=timeout)
        except TooLarge as error:
            raise CancelError(f"That is more than fits between a component and the platform: {error}") from None
        if answer.HasField("failure"):
            raise error_of(_failure(answer.failure))
        return answer


def _answer(answer: pb.AskResponse) -> Json:
    return cast("Json", orjson.loads(answer.answer)) if answer.answer else None


def _failure(failure: data_pb.Failure) -> Failure:
    return Failure(
        kind=failure.kind,
        name=failure.name,
        message=failure.message,
        code=failure.code,
        data=orjson.loads(failure.data) if failure.data else None,
        retry_after=failure.retry_after.ToTimedelta() if failure.HasField("retry_after") else None,
        status=failure.status,
        which=failure.which,
    )
