"""Proto in: decode, call, encode."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any, Protocol, cast

import orjson
from headrace.runner.v1 import runner_pb2 as data_pb
from headrace.runner.v1 import runner_service_pb2 as pb
from headrace.runner.v1 import runner_service_pb2_grpc as rpc
from headrace_core import Json
from headrace_core.errors import BadRequest, HeadraceError
from headrace_runtime.failures import Failure, failure_of
from headrace_runtime.rpc import Server
from headrace_sdk.context import Message

from headrace_runner.asking import Ask, as_json
from headrace_runner.auth import ABSENT
from headrace_runner.calls import Calls, Result, VerbName
from headrace_runner.context import Done, Told
from headrace_runner.folders import Asked
from headrace_runner.plugins import HostPluginContext, listener_of

MAX_SHEETS = 256

_VERBS: dict[data_pb.Verb.ValueType, VerbName] = {
    data_pb.VERB_RECEIVE: "receive",
    data_pb.VERB_TICK: "tick",
    data_pb.VERB_START: "start",
    data_pb.VERB_STOP: "stop",
    data_pb.VERB_RECONCILE: "reconcile",
    data_pb.VERB_SIGNAL: "signal",
    data_pb.VERB_TEST: "test",
}
_NUMBERS = {name: number for number, name in _VERBS.items()}


class Asking(Protocol):
    """Makes what asks for one call."""

    def asking(self, call_id: str) -> Ask: ...


class RunnerServicer(rpc.RunnerServiceServicer):
    """Keeps `RunnerService`."""

    def __init__(self, calls: Calls, host: Asking) -> None:
        self._calls = calls
        self._host = host
        self._sheets: OrderedDict[str, data_pb.FlowSheet] = OrderedDict()

    def register(self, server: Server) -> None:
        rpc.add_RunnerServiceServicer_to_server(self, server)

    async def DescribeComponent(
        self, request: pb.DescribeComponentRequest, context: Any
    ) -> pb.DescribeComponentResponse:
        try:
            found = self._calls.describe(request.root)
        except Exception as error:  # of the component's module
            return pb.DescribeComponentResponse(failure=_failure(failure_of(error)))
        return pb.DescribeComponentResponse(
            fires_on_start=found.fires_on_start,
            answers_caller=found.answers_caller,
            hears_errors=found.hears_errors,
            has_schedule=found.has_schedule,
            verbs=[_NUMBERS[verb] for verb in found.verbs],
            transforms=found.transforms,
        )

    async def ScheduleNode(self, request: pb.ScheduleNodeRequest, context: Any) -> pb.ScheduleNodeResponse:
        try:
            schedule, immediate = self._calls.schedule(request.root, _object(request.properties))
        except Exception as error:  # of the component
            return pb.ScheduleNodeResponse(failure=_failure(failure_of(error)))
        return pb.ScheduleNodeResponse(
            schedule=b"" if schedule is None else orjson.dumps(schedule), immediate=immediate
        )

    async def TransformValue(self, request: pb.TransformValueRequest, context: Any) -> pb.TransformValueResponse:
        try:
            value = await self._calls.transform(request.root, request.name, orjson.loads(request.value))
            return pb.TransformValueResponse(value=orjson.dumps(value))
        except Exception as error:  # of the component
            return pb.TransformValueResponse(failure=_failure(failure_of(error)))

    async def InvokeBatch(self, request: pb.InvokeBatchRequest, context: Any) -> AsyncIterator[pb.InvokeBatchResponse]:
        answers: asyncio.Queue[pb.NumberedAnswer] = asyncio.Queue(len(request.calls))
        tasks = [asyncio.create_task(self._numbered(*each, answers)) for each in enumerate(request.calls)]
        try:
            left = len(tasks)
            while left:
                ready = [await answers.get()]
                while not answers.empty():
                    ready.append(answers.get_nowait())
                left -= len(ready)
                yield pb.InvokeBatchResponse(answers=ready)
        finally:
            for task in tasks:
                task.cancel()

    async def _numbered(self, index: int, request: pb.InvokeRequest, answers: asyncio.Queue[pb.NumberedAnswer]) -> None:
        try:
            answer = await self.Invoke(request, None)
        except HeadraceError as error:
            answer = pb.InvokeResponse(failure=_failure(failure_of(error)))
        except asyncio.CancelledError:
            answers.put_nowait(pb.NumberedAnswer(index=index))  # nobody waits for it any more
            raise
        answers.put_nowait(pb.NumberedAnswer(index=index, answer=answer))

    async def Invoke(self, request: pb.InvokeRequest, context: Any) -> pb.InvokeResponse:
        sheet = self._sheet(request.step)
        if sheet is None:
            return pb.InvokeResponse(lacks_sheet=True)
        verb = _VERBS.get(request.verb)
        if verb is None:
            raise BadRequest(f"This runner knows no verb {request.verb}.")
        ask = self._host.asking(request.call_id)
        return _response(await self._calls.invoke(request.call_id, request.root, verb, _told(request.step, sheet), ask))

    async def CancelCall(self, request: pb.CancelCallRequest, context: Any) -> pb.CancelCallResponse:
        await self._calls.cancel(request.call_id)
        return pb.CancelCallResponse()

    async def Beat(self, request: pb.BeatRequest, context: Any) -> pb.BeatResponse:
        return pb.BeatResponse(calls=self._calls.count)

    async def DescribeFolder(self, request: pb.DescribeFolderRequest, context: Any) -> pb.DescribeFolderResponse:
        found = self._calls.folders.describe(request.folder)
        return pb.DescribeFolderResponse(
            auth=_written(found.auth),
            quota=_written(found.quota),
            plugin=_written(found.plugin if request.call_id else None),
            failures=[pb.ModuleFailure(file=file, failure=_failure(each)) for file, each in found.failures.items()],
        )

    async def CallAuth(self, request: pb.CallAuthRequest, context: Any) -> pb.CallAuthResponse:
        try:
            found = await self._calls.auth.call(request.folder, request.name, _object(request.given))
            return pb.CallAuthResponse(value=b"" if found is ABSENT else orjson.dumps(found))
        except Exception as error:  # of the module
            return pb.CallAuthResponse(failure=_failure(failure_of(error)))

    async def CallRoute(self, request: pb.CallRouteRequest, context: Any) -> pb.CallRouteResponse:
        asked = Asked(
            method=request.method,
            path=request.path,
            headers=dict(request.headers),
            query=_object(request.query),
            body=request.body,
            user=_object(request.user) or None,
            hostname=request.hostname,
        )
        own = self._own(request)
        try:
            work = self._calls.folders.call_route(request.folder, asked, own)
            status, headers, body = await self._calls.plugged(request.call_id, own, work)
        except Exception as error:  # of the route
            return pb.CallRouteResponse(failure=_failure(failure_of(error)), logs=_lines(own.logs))
        return pb.CallRouteResponse(
            answer=pb.RouteAnswer(status=status, headers=headers, body=body), logs=_lines(own.logs)
        )

    async def AcceptListener(self, request: pb.AcceptListenerRequest, context: Any) -> pb.AcceptListenerResponse:
        own, listener = self._own(request), listener_of(_object(request.listener))
        try:
            work = self._calls.folders.accept(request.folder, listener, own)
            params = as_json(await self._calls.plugged(request.call_id, own, work), "what is kept of a listener")
        except Exception as error:  # of the plugin
            return pb.AcceptListenerResponse(failure=_failure(failure_of(error)), logs=_lines(own.logs))
        return pb.AcceptListenerResponse(params=params, logs=_lines(own.logs))

    async def RunJob(self, request: pb.RunJobRequest, context: Any) -> pb.RunJobResponse:
        own = self._own(request)
        try:
            await self._calls.plugged(
                request.call_id, own, self._calls.folders.run_job(request.folder, request.id, own)
            )
        except Exception as error:  # of the job
            return pb.RunJobResponse(failure=_failure(failure_of(error)), logs=_lines(own.logs))
        return pb.RunJobResponse(logs=_lines(own.logs))

    def _own(self, request: pb.CallRouteRequest | pb.RunJobRequest | pb.AcceptListenerRequest) -> HostPluginContext:
        ask = self._host.asking(request.call_id)
        return self._calls.folders.context(ask, _object(request.config), request.api_url)

    def _sheet(self, step: data_pb.Step) -> data_pb.FlowSheet | None:
        if step.HasField("sheet"):
            self._sheets[step.sheet_id] = step.sheet
            if len(self._sheets) > MAX_SHEETS:
                self._sheets.popitem(last=False)
        elif step.sheet_id in self._sheets:
            self._sheets.move_to_end(step.sheet_id)
        return self._sheets.get(step.sheet_id)


def _told(step: data_pb.Step, sheet: data_pb.FlowSheet) -> Told:
    messages: dict[str, list[Message]] = {}
    for each in step.messages:
        headers = _object(each.headers)
        message = Message(orjson.loads(each.content), each.node_id, each.out_port, each.correlation_id, headers)
        messages.setdefault(each.port, []).append(message)
    return Told(
        tenant_id=step.tenant_id,
        flow_id=step.flow_id,
        flow_name=step.flow_name,
        node_id=step.node_id,
        component_type=step.component_type,
        label=step.label,
        run_id=step.run_id,
        correlation_id=step.correlation_id,
        step_id=step.step_id,
        attempt=step.attempt,
        now=step.now.ToDatetime(tzinfo=UTC),
        port=step.port,
        content=orjson.loads(step.content),
        messages=messages,
        properties=_object(step.properties),
        out_ports=frozenset(step.out_ports),
        any_out_port=step.any_out_port,
        webhook_base=step.webhook_base,
        descriptor=sheet.descriptor_json,
        custom_fields=sheet.custom_fields,
        auth=_object(step.account),
        config=_object(step.config),
    )


def _response(result: Result) -> pb.InvokeResponse:
    response = pb.InvokeResponse(effects=_effects(result.done), happened=result.happened)
    if result.failure is not None:
        response.failure.CopyFrom(_failure(result.failure))
    return response


def _written(value: dict[str, Json] | None) -> bytes:
    return b"" if value is None else orjson.dumps(value)


def _lines(logs: list[tuple[str, bytes]]) -> list[data_pb.LogLine]:
    return [data_pb.LogLine(level=level, message=message) for level, message in logs]


def _effects(done: Done) -> data_pb.Effects:
    effects = data_pb.Effects(
        outputs=[data_pb.Output(**each._asdict()) for each in done.outputs],
        logs=_lines(done.logs),
        answers=done.answers,
        wakes=[data_pb.Wake(timeout_id=name, content=content) for name, content in done.wakes],
        stops_flow=done.stops_flow,
    )
    if done.response is not None:
        body, status, headers = done.response
        effects.response.CopyFrom(data_pb.HttpAnswer(body=body, status=status, headers=headers))
    if done.call is not None:
        flow_id, node_id, content = done.call
        effects.call.CopyFrom(data_pb.FlowCall(flow_id=flow_id, node_id=node_id, content=content))
    return effects


def _failure(failure: Failure) -> data_pb.Failure:
    found = data_pb.Failure(
        kind=failure.kind,
        name=failure.name,
        message=failure.message,
        code=failure.code,
        data=b"" if failure.data is None else orjson.dumps(failure.data),
        status=failure.status,
        which=failure.which,
    )
    if failure.retry_after is not None:
        found.retry_after.FromTimedelta(failure.retry_after)
    return found


def _object(text: bytes) -> dict[str, Json]:
    return cast("dict[str, Json]", orjson.loads(text)) if text else {}
