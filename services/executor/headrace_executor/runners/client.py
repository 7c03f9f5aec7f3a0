"""What the executor asks of a runner, over RPC."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, cast

import orjson
from headrace.runner.v1 import runner_pb2 as data_pb
from headrace.runner.v1 import runner_service_pb2 as pb
from headrace.runner.v1 import runner_service_pb2_grpc as rpc
from headrace_core import schedules
from headrace_core.expressions import Json
from headrace_core.schedules import Schedule
from headrace_runtime.failures import Failure, error_of
from headrace_runtime.rpc import Channel

from headrace_executor.context import StepContext
from headrace_executor.hearing import Listener
from headrace_executor.plugins import Logs, RouteAnswer, WebRequest
from headrace_executor.runners.batching import Batching
from headrace_executor.runners.encoding import failure_from_proto, send
from headrace_executor.runners.plugins import PluginContext

VerbName = Literal["receive", "tick", "start", "stop", "reconcile", "signal", "test"]

_VERBS: Mapping[VerbName, data_pb.Verb.ValueType] = {
    "receive": data_pb.VERB_RECEIVE,
    "tick": data_pb.VERB_TICK,
    "start": data_pb.VERB_START,
    "stop": data_pb.VERB_STOP,
    "reconcile": data_pb.VERB_RECONCILE,
    "signal": data_pb.VERB_SIGNAL,
    "test": data_pb.VERB_TEST,
}
_NAMES: Mapping[data_pb.Verb.ValueType, VerbName] = {number: name for name, number in _VERBS.items()}


@dataclass(frozen=True, slots=True)
class Description:
    """What the engine has to know of a component."""

    fires_on_start: bool
    answers_caller: bool
    hears_errors: bool
    has_schedule: bool
    verbs: frozenset[VerbName]
    transforms: frozenset[str]


class Absent(Enum):
    """Told apart from null."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class FolderDescription:
    """What a service or a module brings besides components; modules that cannot be loaded, by file, with the reason."""

    auth: Mapping[str, Json] | None
    quota: Mapping[str, Json] | None
    plugin: Mapping[str, Json] | None
    failures: Mapping[str, Failure]


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call came back with."""

    failure: Failure | None
    happened: bool | None


class RunnerClient:
    """One runner. Failures of components are raised as the errors that they were."""

    def __init__(self, channel: Channel) -> None:
        self._stub = rpc.RunnerServiceStub(channel)
        self._batching = Batching(self._stub)

    async def describe(self, root: str, timeout: float) -> Description:
        answer = await self._stub.DescribeComponent(pb.DescribeComponentRequest(root=root), timeout=timeout)
        if answer.HasField("failure"):
            raise error_of(failure_from_proto(answer.failure))
        return Description(
            fires_on_start=answer.fires_on_start,
            answers_caller=answer.answers_caller,
            hears_errors=answer.hears_errors,
            has_schedule=answer.has_schedule,
            verbs=frozenset(_NAMES[verb] for verb in answer.verbs if verb in _NAMES),
            transforms=frozenset(answer.transforms),
        )

    async def schedule(self, root: str, properties: Mapping[str, Json], timeout: float) -> tuple[Schedule | None, bool]:
        """When a node is called, and whether at the start too."""
        request = pb.ScheduleNodeRequest(root=root, properties=orjson.dumps(dict(properties)))
        answer = await self._stub.ScheduleNode(request, timeout=timeout)
        if answer.HasField("failure"):
            raise error_of(failure_from_proto(answer.failure))
        found = schedules.from_json(orjson.loads(answer.schedule)) if answer.schedule else None
        return found, answer.immediate

    async def transform(self, root: str, name: str, value: Json, timeout: float) -> Json:
        request = pb.TransformValueRequest(root=root, name=name, value=orjson.dumps(value))
        answer = await self._stub.TransformValue(request, timeout=timeout)
        if answer.HasField("failure"):
            raise error_of(failure_from_proto(answer.failure))
        return cast("Json", orjson.loads(answer.value))

    async def describe_folder(
        self, folder: str, call_id: str, plugin: PluginContext | None, timeout: float
    ) -> FolderDescription:
        """What a service or a module brings besides components; without a context plugins are left out."""
        request = pb.DescribeFolderRequest(folder=folder)
        if plugin is not None:
            request.call_id, request.config, request.api_url = call_id, _packed(plugin.config), plugin.api_url
        answer = await self._stub.DescribeFolder(request, timeout=timeout)
        if plugin is not None:
            plugin.say(_logs(answer.logs))
        return FolderDescription(
            auth=_object(answer.auth),
            quota=_object(answer.quota),
            plugin=_object(answer.plugin),
            failures={each.file: failure_from_proto(each.failure) for each in answer.failures},
        )

    async def call_auth(
        self, folder: str, name: str, given: Mapping[str, Json], session: str, timeout: float
    ) -> Json | Absent:
        """What a member of an auth module comes to; ABSENT where it has none. Raises what the module raises."""
        request = pb.CallAuthRequest(folder=folder, session=session, name=name, given=orjson.dumps(dict(given)))
        answer = await self._stub.CallAuth(request, timeout=timeout)
        if answer.HasField("failure"):
            raise error_of(failure_from_proto(answer.failure))
        return cast("Json", orjson.loads(answer.value)) if answer.value else ABSENT

    async def call_route(
        self, call_id: str, folder: str, asked: WebRequest, plugin: PluginContext, timeout: float
    ) -> RouteAnswer:
        """What a route of a plugin answers. Raises what the plugin raises."""
        request = pb.CallRouteRequest(
            call_id=call_id,
            folder=folder,
            method=asked.method,
            path=asked.path,
            headers=asked.headers,
            query=orjson.dumps(asked.query),
            body=asked.body,
            user=orjson.dumps(asked.user) if asked.user is not None else b"",
            hostname=asked.hostname,
            config=_packed(plugin.config),
            api_url=plugin.api_url,
        )
        answer = await self._stub.CallRoute(request, timeout=timeout)
        plugin.say(_logs(answer.logs))
        if answer.HasField("failure"):
            raise error_of(failure_from_proto(answer.failure))
        found = answer.answer
        return RouteAnswer(found.status, dict(found.headers), found.body)

    async def run_job(self, call_id: str, folder: str, job_id: str, plugin: PluginContext, timeout: float) -> None:
        """Run a job of a plugin. Raises what the job raises."""
        config = _packed(plugin.config)
        request = pb.RunJobRequest(call_id=call_id, folder=folder, id=job_id, config=config, api_url=plugin.api_url)
        answer = await self._stub.RunJob(request, timeout=timeout)
        plugin.say(_logs(answer.logs))
        if answer.HasField("failure"):
            raise error_of(failure_from_proto(answer.failure))

    async def accept_listener(
        self, call_id: str, folder: str, listener: Listener, plugin: PluginContext, timeout: float
    ) -> Json:
        """What a plugin keeps of what a listener gave along. Raises what the plugin raises."""
        shown = {
            "eventName": listener.event,
            "params": listener.params,
            "flowId": listener.flow_id,
            "componentId": listener.node_id,
            "userId": listener.tenant_id,
        }
        request = pb.AcceptListenerRequest(
            call_id=call_id,
            folder=folder,
            config=_packed(plugin.config),
            listener=orjson.dumps(shown),
            api_url=plugin.api_url,
        )
        answer = await self._stub.AcceptListener(request, timeout=timeout)
        plugin.say(_logs(answer.logs))
        if answer.HasField("failure"):
            raise error_of(failure_from_proto(answer.failure))
        return cast("Json", orjson.loads(answer.params))

    async def invoke(
        self,
        call_id: str,
        root: str,
        verb: VerbName,
        context: StepContext,
        known_sheets: Collection[str],
        timeout: float,
    ) -> Returned | None:
        """Call a component and apply what it did to its context. None: nothing was called, the sheet is missing."""
        step = _step(context, with_sheet=context.plan.key not in known_sheets)
        request = pb.InvokeRequest(call_id=call_id, root=root, verb=_VERBS[verb], step=step)
        answer = await self._batching.invoke(request, timeout)
        if answer.lacks_sheet:
            return None
        await _apply(answer.effects, context)
        return Returned(
            failure_from_proto(answer.failure) if answer.HasField("failure") else None,
            answer.happened if answer.HasField("happened") else None,
        )

    async def cancel(self, call_id: str, timeout: float) -> None:
        await self._stub.CancelCall(pb.CancelCallRequest(call_id=call_id), timeout=timeout)

    async def beat(self, timeout: float) -> None:
        await self._stub.Beat(pb.BeatRequest(), timeout=timeout)


def _logs(lines: Iterable[data_pb.LogLine]) -> Logs:
    return [(line.level, orjson.loads(line.message)) for line in lines]


def _packed(config: Mapping[str, Json]) -> bytes:
    return orjson.dumps(dict(config), option=orjson.OPT_SORT_KEYS)  # runners tell by the text whether it is another


def _object(text: bytes) -> Mapping[str, Json] | None:
    return cast("Mapping[str, Json]", orjson.loads(text)) if text else None


def _step(context: StepContext, *, with_sheet: bool) -> data_pb.Step:
    plan, node = context.plan, context.node
    step = data_pb.Step(
        tenant_id=context.tenant_id,
        flow_id=context.flow_id,
        flow_name=context.flow_name,
        node_id=context.node_id,
        component_type=context.component_type,
        label=context.label,
        run_id=context.run_id,
        correlation_id=context.correlation_id,
        step_id=context.step_id,
        attempt=context.attempt,
        port=context.port,
        content=orjson.dumps(context.content),
        properties=orjson.dumps(dict(context.properties)),
        out_ports=node.out_ports,
        any_out_port=context.sends_anywhere,
        webhook_base=context.webhook_base,
        sheet_id=plan.key,
        account=orjson.dumps(context.auth) if context.auth else b"",
        config=orjson.dumps(context.config) if context.config else b"",
        messages=[
            data_pb.Arrived(
                port=port,
                content=orjson.dumps(each.content),
                node_id=each.node_id,
                out_port=each.port,
                correlation_id=each.correlation_id,
                headers=orjson.dumps(dict(each.headers)) if each.headers else b"",
                input=orjson.dumps(filled),
            )
            for port, arrived in context.messages.items()
            for each, filled in zip(arrived, _inputs(context, port), strict=True)
        ],
    )
    step.now.FromDatetime(context.now)
    if with_sheet:
        step.sheet.CopyFrom(
            data_pb.FlowSheet(
                descriptor_json=orjson.dumps(dict(plan.descriptor)),
                custom_fields=orjson.dumps(dict(plan.custom_fields)),
            )
        )
    return step


def _inputs(context: StepContext, port: str) -> Sequence[Json]:
    return context.inputs.get(port) or [each.content for each in context.messages[port]]


async def _apply(effects: data_pb.Effects, context: StepContext) -> None:
    """Do in the step's name what the component did; what it may not do is refused here as well."""
    for line in effects.logs:
        level = line.level if line.level in ("debug", "info", "warning", "error") else "info"
        context.log(orjson.loads(line.message), cast("Literal['debug', 'info', 'warning', 'error']", level))
    for output in effects.outputs:
        await send(context, output)
    if effects.HasField("response"):
        response = effects.response
        await context.response(orjson.loads(response.body), response.status, dict(response.headers))
    if effects.HasField("call"):
        await context.call_flow(effects.call.flow_id, effects.call.node_id, orjson.loads(effects.call.content))
    for answer in effects.answers:
        await context.answer_call(orjson.loads(answer))
    for each in effects.wakes:
        await context.wake(each.timeout_id, orjson.loads(each.content))
    if effects.stops_flow:
        await context.stop_flow()
