"""Proto in: decode, call, encode."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC
from typing import Any, Protocol, cast

import orjson
from headrace.runner.v1 import runner_pb2 as data_pb
from headrace.runner.v1 import runner_service_pb2 as pb
from headrace.runner.v1 import runner_service_pb2_grpc as rpc
from headrace_core import Json
from headrace_core.errors import BadRequest, Unsupported
from headrace_runtime.failures import Failure, failure_of
from headrace_runtime.rpc import Server
from headrace_sdk.context import Message

from headrace_runner.asking import Ask
from headrace_runner.calls import Calls, Result, VerbName
from headrace_runner.context import Done, Told

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
        raise Unsupported(f"What {request.folder} brings besides components is asked of a runner of JavaScript.")

    async def CallAuth(self, request: pb.CallAuthRequest, context: Any) -> pb.CallAuthResponse:
        raise Unsupported(f"The auth module of {request.folder} is asked of a runner of JavaScript.")

    async def CallRoute(self, request: pb.CallRouteRequest, context: Any) -> pb.CallRouteResponse:
        raise Unsupported(f"The plugin of {request.folder} is asked of a runner of JavaScript.")

    async def RunJob(self, request: pb.RunJobRequest, context: Any) -> pb.RunJobResponse:
        raise Unsupported(f"The plugin of {request.folder} is asked of a runner of JavaScript.")

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
        message = Message(orjson.loads(each.content), each.node_id, each.out_port, each.correlation_id)
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
    )


def _response(result: Result) -> pb.InvokeResponse:
    response = pb.InvokeResponse(effects=_effects(result.done), happened=result.happened)
    if result.failure is not None:
        response.failure.CopyFrom(_failure(result.failure))
    return response


def _effects(done: Done) -> data_pb.Effects:
    effects = data_pb.Effects(
        outputs=[data_pb.Output(port=port, content=content) for port, content in done.outputs],
        logs=[data_pb.LogLine(level=level, message=message) for level, message in done.logs],
        answers=done.answers,
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
