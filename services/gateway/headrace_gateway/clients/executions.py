"""Events, runs and unprocessed messages."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

import orjson
from google.protobuf.duration_pb2 import Duration
from headrace.execution.v1 import execution_pb2, execution_service_pb2
from headrace.execution.v1.execution_service_pb2_grpc import ExecutionServiceStub
from headrace_core import Json, errors
from headrace_core.expressions import ScriptAnswer, ScriptCall
from headrace_core.ids import new_id
from headrace_core.webhook_signatures import SignedRequest
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, json_value, moment, scope_to_proto
from headrace_gateway.identity import Scope

RUN_STATES = {
    execution_pb2.RUN_STATE_READY: "ready",
    execution_pb2.RUN_STATE_RUNNING: "running",
    execution_pb2.RUN_STATE_WAITING: "waiting",
    execution_pb2.RUN_STATE_DONE: "done",
    execution_pb2.RUN_STATE_FAILED: "failed",
    execution_pb2.RUN_STATE_CANCELLED: "cancelled",
    execution_pb2.RUN_STATE_QUARANTINED: "quarantined",
}
_STATES_BY_NAME = {name: state for state, name in RUN_STATES.items()}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a flow."""

    flow_id: str
    node_id: str
    port: str
    content: bytes
    event_id: str = ""
    correlation_id: str = ""
    answer_within_seconds: float = 0.0
    signed: SignedRequest | None = None
    """What came of a request that bears a signature."""

    @property
    def size_bytes(self) -> int:
        """About how much it is to carry."""
        return len(self.content) + (len(self.signed.body) if self.signed is not None else 0)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of the event of this index: a run, or a refusal."""

    index: int
    run_id: str
    duplicate: bool
    refusal: errors.HeadraceError | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a flow says to the caller of the event of this index."""

    index: int
    status: int
    headers: dict[str, Json]
    body: bytes
    implicit: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message of an Accept stream."""

    acceptances: Sequence[Acceptance]
    answers: Sequence[Answer]


LONGEST_CALL_SECONDS = 120.0
"""What the executor gives one call of a component outside of flows."""


@dataclass(frozen=True, slots=True)
class StaticCall:
    """A component that is called by itself, and with what."""

    type: str
    out_port: str = "out"
    messages: Mapping[str, Json] = field(default_factory=dict)
    properties: Mapping[str, Json] = field(default_factory=dict)
    transform: str = ""
    flow_id: str = ""
    node_id: str = ""


TRIAL = "test:"
"""How the event ids of tests of flows begin, and of nothing else."""

RESERVED = (f"Event ids that begin with {TRIAL!r} are kept for tests of flows.", "Choose another id.")
"""What is wrong with such an id that comes from outside, and what to do."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """Messages of one day in UTC, and the bytes of their contents."""

    day: date
    count: int
    size: int


@dataclass(frozen=True, slots=True)
class PluginRequest:
    """An HTTP request for a plugin of a service: `path` is below the service's own."""

    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, Json]
    body: bytes
    user: Mapping[str, Json] | None
    hostname: str


@dataclass(frozen=True, slots=True)
class PluginAnswer:
    """What a plugin answers."""

    status: int
    headers: dict[str, Json]
    body: bytes


@dataclass(frozen=True, slots=True)
class Unprocessed:
    """Which unprocessed messages are meant; what is empty is not looked at."""

    flow_id: str = ""
    node_id: str = ""
    cause: str = ""
    before: datetime | None = None
    after: datetime | None = None


class ExecutionClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = ExecutionServiceStub(channel)
        self._timeout = timeout_seconds

    async def accept(self, events: Sequence[Event], timeout_seconds: float) -> AsyncGenerator[Accepted, None]:
        """Hand over a batch; acceptances come first, in one message, after the commit; answers as flows give them."""
        request = execution_service_pb2.AcceptRequest(
            events=[_event_to_proto(index, event) for index, event in enumerate(events)]
        )
        stream = self._stub.Accept(request, timeout=timeout_seconds)
        try:
            async for answer in stream:
                yield Accepted(
                    [_acceptance(each) for each in answer.acceptances],
                    [_answer(each) for each in answer.answers],
                )
        finally:
            stream.cancel()

    async def run(self, scope: Scope, run_id: str, step_offset: int, step_limit: int) -> dict[str, Json]:
        """A run with its steps and what it waits for. Raises NotFound."""
        request = execution_service_pb2.GetRunRequest(
            scope=scope_to_proto(scope), run_id=run_id, step_offset=step_offset, step_limit=step_limit
        )
        answer = await self._stub.GetRun(request, timeout=self._timeout)
        return {
            **_run_to_json(answer.run),
            "steps": [_step_to_json(each) for each in answer.steps],
            "waits": [_wait_to_json(each) for each in answer.waits],
        }

    async def runs(
        self,
        scope: Scope,
        *,
        flow_id: str,
        state: str,
        correlation_id: str,
        offset: int,
        limit: int,
        with_waits: bool = False,
    ) -> tuple[list[dict[str, Json]], int]:
        """A page of runs, newest first, and how many match. `state` is one of RUN_STATES or empty.

        `with_waits`: each with what it waits for, in a page of 100 at most.
        """
        request = execution_service_pb2.ListRunsRequest(
            scope=scope_to_proto(scope),
            flow_id=flow_id,
            state=_STATES_BY_NAME.get(state, execution_pb2.RUN_STATE_UNSPECIFIED),
            correlation_id=correlation_id,
            offset=offset,
            limit=limit,
            with_waits=with_waits,
        )
        answer = await self._stub.ListRuns(request, timeout=self._timeout)
        runs = [_run_to_json(each) for each in answer.runs]
        if with_waits:
            for run in runs:
                waits = answer.waits.get(str(run["runId"]))
                run["waits"] = [_wait_to_json(each) for each in waits.waits] if waits else []
        return runs, answer.total

    async def cancel_run(self, scope: Scope, run_id: str, reason: str) -> dict[str, Json]:
        """End a run. Raises NotFound."""
        request = execution_service_pb2.CancelRunRequest(scope=scope_to_proto(scope), run_id=run_id, reason=reason)
        return _run_to_json((await self._stub.CancelRun(request, timeout=self._timeout)).run)

    async def replay_run(self, scope: Scope, run_id: str, event_id: str) -> dict[str, Json]:
        """Begin a new run with the event of another. Raises NotFound, ValidationFailed."""
        request = execution_service_pb2.ReplayRunRequest(scope=scope_to_proto(scope), run_id=run_id, event_id=event_id)
        answer = await self._stub.ReplayRun(request, timeout=self._timeout)
        return {"runId": answer.run_id, "flowId": answer.flow_id, "duplicate": answer.is_duplicate}

    async def migrate(
        self,
        scope: Scope,
        flow_id: str,
        version: int,
        *,
        run_ids: Sequence[str],
        dry_run: bool,
        offset: int,
        limit: int,
    ) -> tuple[list[dict[str, Json]], int]:
        """What becomes of each of these runs, or of a page of those that wait; and how many there are.

        Raises NotFound when the flow has no such version or run.
        """
        request = execution_service_pb2.MigrateRunsRequest(
            scope=scope_to_proto(scope),
            flow_id=flow_id,
            version=version,
            run_ids=list(run_ids),
            dry_run=dry_run,
            offset=offset,
            limit=limit,
        )
        answer = await self._stub.MigrateRuns(request, timeout=self._timeout)
        return [_migration_to_json(each) for each in answer.runs], answer.total

    async def unprocessed(
        self, scope: Scope, which: Unprocessed, *, correlation_id: str, offset: int, limit: int
    ) -> tuple[list[dict[str, Json]], int]:
        """A page of unprocessed messages, newest first, and how many match."""
        request = execution_service_pb2.ListUnprocessedRequest(
            scope=scope_to_proto(scope),
            flow_id=which.flow_id,
            correlation_id=correlation_id,
            offset=offset,
            limit=limit,
            filter=_filter(which),
        )
        answer = await self._stub.ListUnprocessed(request, timeout=self._timeout)
        return [_unprocessed_to_json(each) for each in answer.messages], answer.total

    async def unprocessed_message(self, scope: Scope, message_id: str) -> dict[str, Json]:
        """One unprocessed message. Raises NotFound."""
        request = execution_service_pb2.GetUnprocessedRequest(scope=scope_to_proto(scope), message_id=message_id)
        return _unprocessed_to_json((await self._stub.GetUnprocessed(request, timeout=self._timeout)).message)

    async def delete_unprocessed(self, scope: Scope, message_ids: Sequence[str]) -> int:
        """Drop unprocessed messages; how many there were."""
        request = execution_service_pb2.DeleteUnprocessedRequest(
            scope=scope_to_proto(scope), message_ids=list(message_ids)
        )
        return (await self._stub.DeleteUnprocessed(request, timeout=self._timeout)).deleted

    async def retry_unprocessed(self, scope: Scope, message_ids: Sequence[str]) -> int:
        """Give unprocessed messages back to their runs; how many there were."""
        request = execution_service_pb2.RetryUnprocessedRequest(
            scope=scope_to_proto(scope), message_ids=list(message_ids)
        )
        return (await self._stub.RetryUnprocessed(request, timeout=self._timeout)).retried

    async def decide_step(
        self, scope: Scope, run_id: str, step_id: str, *, verdict: str, outputs: Mapping[str, Json]
    ) -> None:
        """Say what is true of a step in doubt. Raises NotFound, BadRequest, and Conflict where somebody was first."""
        request = execution_service_pb2.DecideStepRequest(
            scope=scope_to_proto(scope), run_id=run_id, step_id=step_id, verdict=verdict, outputs=orjson.dumps(outputs)
        )
        await self._stub.DecideStep(request, timeout=self._timeout)

    async def settle_unprocessed(
        self,
        scope: Scope,
        which: Unprocessed,
        *,
        message_ids: Sequence[str],
        drop: bool,
        in_doubt_too: bool,
        limit: int,
    ) -> dict[str, Json]:
        """Retry or drop these messages, or up to `limit` that match; how many, how many are left, and are in doubt."""
        request = execution_service_pb2.SettleUnprocessedRequest(
            scope=scope_to_proto(scope),
            filter=_filter(which),
            message_ids=message_ids,
            drop=drop,
            in_doubt_too=in_doubt_too,
            limit=limit,
        )
        answer = await self._stub.SettleUnprocessed(request, timeout=self._timeout)
        return {"settled": answer.settled, "left": answer.left, "inDoubt": answer.in_doubt}

    async def survey(self, scope: Scope, since: datetime) -> dict[str, Json]:
        """How runs are, of all tenants; seconds in floats, None where no run ended."""
        request = execution_service_pb2.SurveyRunsRequest(scope=scope_to_proto(scope))
        request.since.FromDatetime(since)
        answer = await self._stub.SurveyRuns(request, timeout=self._timeout)
        counts = {RUN_STATES[each.state]: each.count for each in answer.open if each.state in RUN_STATES}
        return {
            "open": {name: counts.get(name, 0) for name in ("ready", "running", "waiting")},
            "unprocessed": answer.unprocessed,
            "inDoubt": answer.in_doubt,
            "minutes": [
                {"at": moment(each, "minute"), "runs": each.runs, "failed": each.failed, "steps": each.steps}
                for each in answer.minutes
            ],
            "tenants": [
                {"userId": each.tenant_id, "runs": each.runs, "failed": each.failed, "steps": each.steps}
                for each in answer.tenants
            ],
            "p50Seconds": _seconds(answer, "median"),
            "p95Seconds": _seconds(answer, "p95"),
            "lookedAt": answer.looked_at,
        }

    async def retry_edited(self, scope: Scope, message_id: str, messages: Json) -> int:
        """Give an unprocessed message back with other contents; 0 when it is not there. Raises BadRequest."""
        request = execution_service_pb2.RetryUnprocessedRequest(
            scope=scope_to_proto(scope), message_ids=[message_id], messages=orjson.dumps(messages)
        )
        return (await self._stub.RetryUnprocessed(request, timeout=self._timeout)).retried

    async def message_counts(
        self, scope: Scope, *, flow_id: str = "", first: datetime | None = None, last: datetime | None = None
    ) -> list[DayCount]:
        """The days between that have messages, earliest first; whole days in UTC, all of them where none is named."""
        request = execution_service_pb2.CountMessagesRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        if first is not None:
            getattr(request, "from").FromDatetime(first)
        if last is not None:
            request.to.FromDatetime(last)
        answer = await self._stub.CountMessages(request, timeout=self._timeout)
        return [DayCount(each.day.ToDatetime(UTC).date(), each.count, each.size_bytes) for each in answer.days]

    async def watch(self, scope: Scope, flow_id: str) -> AsyncGenerator[tuple[list[dict[str, Json]], int], None]:
        """What happens in a flow from now on, and how much was dropped on the way. Has no end of its own."""
        request = execution_service_pb2.WatchRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        stream = self._stub.Watch(request)
        try:
            async for answer in stream:
                yield [json_object(each) for each in answer.happenings], answer.dropped
        finally:
            stream.cancel()

    async def trial(
        self, scope: Scope, flow_id: str, version: int, node_id: str, content: bytes, within_seconds: float
    ) -> AsyncGenerator[tuple[list[dict[str, Json]], int], None]:
        """What happens while a version of a flow is tried from one component on; ends with the run.

        Raises NotFound, or BadRequest when nothing can begin there. Leaving the stream cancels the run.
        """
        request = execution_service_pb2.TryFlowRequest(
            scope=scope_to_proto(scope),
            flow_id=flow_id,
            version=version,
            node_id=node_id,
            content=content,
            within=_duration(within_seconds),
        )
        stream = self._stub.TryFlow(request, timeout=within_seconds + self._timeout)
        try:
            async for answer in stream:
                yield [json_object(answer.happening)], 0
        finally:
            stream.cancel()

    async def call_plugin(self, scope: Scope | None, asked: PluginRequest, within: float) -> PluginAnswer:
        """What a plugin answers. `scope` is whose call it is; None where nobody is signed in.

        Raises NotFound, RateLimited, Unavailable, DeadlineExceeded and Internal.
        """
        within = min(within, LONGEST_CALL_SECONDS)
        request = execution_service_pb2.CallPluginRequest(
            scope=scope_to_proto(scope) if scope is not None else None,
            service=asked.service,
            method=asked.method,
            path=asked.path,
            headers=asked.headers,
            query=orjson.dumps(asked.query),
            body=asked.body,
            user=orjson.dumps(asked.user) if asked.user is not None else b"",
            hostname=asked.hostname,
            within=_duration(within),
        )
        answer = await self._stub.CallPlugin(request, timeout=within + self._timeout)
        return PluginAnswer(answer.status, dict(answer.headers), answer.body)

    async def call_component(self, scope: Scope, asked: StaticCall, within_seconds: float) -> Json:
        """The first message that a component sends to an out-port when it is called by itself.

        Raises NotFound, Forbidden, ValidationFailed, RateLimited, DeadlineExceeded, and for what the component itself
        fails at BadRequest or Unavailable.
        """
        within_seconds = min(within_seconds, LONGEST_CALL_SECONDS)
        request = execution_service_pb2.CallComponentRequest(
            scope=scope_to_proto(scope),
            type=asked.type,
            out_port=asked.out_port,
            messages=orjson.dumps(dict(asked.messages)),
            properties=orjson.dumps(dict(asked.properties)),
            transform=asked.transform,
            flow_id=asked.flow_id,
            node_id=asked.node_id,
            within=_duration(within_seconds),
        )
        answer = await self._stub.CallComponent(request, timeout=within_seconds + self._timeout)
        return json_value(answer.value)

    async def run_modifier(self, scope: Scope, call: ScriptCall, source: str = "") -> ScriptAnswer:
        """What a modifier in JavaScript comes to: that of the modifiers document, or the one of the source.

        Raises Unavailable for what may pass.
        """
        request = execution_service_pb2.RunModifierRequest(
            scope=scope_to_proto(scope),
            name=call.name,
            source=source,
            value=orjson.dumps(call.value),
            params=orjson.dumps([*call.params]),
            named=orjson.dumps(dict(call.named)),
        )
        answer = await self._stub.RunModifier(request, timeout=self._timeout)
        return ScriptAnswer(json_value(answer.value), answer.failure)


def _filter(which: Unprocessed) -> execution_service_pb2.UnprocessedFilter:
    made = execution_service_pb2.UnprocessedFilter(node_id=which.node_id, cause=which.cause, flow_id=which.flow_id)
    if which.before is not None:
        made.created_before.FromDatetime(which.before)
    if which.after is not None:
        made.created_after.FromDatetime(which.after)
    return made


def _seconds(answer: execution_service_pb2.SurveyRunsResponse, field: Literal["median", "p95"]) -> float | None:
    found: Duration = getattr(answer, field)
    return found.ToTimedelta().total_seconds() if answer.HasField(field) else None


def _duration(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


def _event_to_proto(index: int, event: Event) -> execution_pb2.Event:
    waits = event.answer_within_seconds
    return execution_pb2.Event(
        index=index,
        flow_id=event.flow_id,
        node_id=event.node_id,
        port=event.port,
        event_id=event.event_id or new_id(),  # a call that is repeated on the way makes one run
        correlation_id=event.correlation_id,
        content=event.content,
        wants_answer=waits > 0,
        answer_within=_duration(waits) if waits > 0 else None,
        signed=_signed_to_proto(event.signed) if event.signed is not None else None,
    )


def _signed_to_proto(signed: SignedRequest) -> execution_pb2.SignedRequest:
    headers = [execution_pb2.SignedHeader(name=name, value=value) for name, value in signed.headers]
    return execution_pb2.SignedRequest(body=signed.body, headers=headers)


def _acceptance(acceptance: execution_pb2.Acceptance) -> Acceptance:
    refusal: errors.HeadraceError | None = None
    if acceptance.HasField("refusal"):
        said: dict[str, Json] = {"code": acceptance.refusal.code, "message": acceptance.refusal.message}
        refusal = errors.from_dict(said)
    return Acceptance(acceptance.index, acceptance.run_id, acceptance.duplicate, refusal)


def _answer(answer: execution_pb2.Answer) -> Answer:
    return Answer(answer.index, answer.status, json_object(answer.headers), answer.body, answer.implicit)


def _run_to_json(run: execution_pb2.Run) -> dict[str, Json]:
    return {
        "runId": run.run_id,
        "userId": run.tenant_id,
        "flowId": run.flow_id,
        "flowVersion": run.flow_version,
        "triggerId": run.trigger_id,
        "triggerPort": run.trigger_port,
        "correlationId": run.correlation_id,
        "eventId": run.event_id,
        "state": RUN_STATES.get(run.state, "ready"),
        "epoch": run.epoch,
        "stepCount": run.step_count,
        "pendingCount": run.pending_count,
        "failedCount": run.failed_count,
        "created": moment(run, "created_at"),
        "updated": moment(run, "updated_at"),
        "due": moment(run, "due_at"),
        "error": run.error or None,
    }


def _migration_to_json(migration: execution_service_pb2.RunMigration) -> dict[str, Json]:
    return {
        "runId": migration.run_id,
        "fromVersion": migration.from_version,
        "moved": migration.moved,
        "reasons": [*migration.reasons],
    }


def _step_to_json(step: execution_pb2.Step) -> dict[str, Json]:
    return {
        "stepId": step.step_id,
        "componentId": step.node_id,
        "componentType": step.component_type,
        "port": step.in_port,
        "outcome": step.outcome,
        "attempts": step.attempts,
        "input": json_value(step.input),
        "outputs": [
            {"messageId": each.message_id, "port": each.port, "content": json_value(each.content)}
            for each in step.outputs
        ],
        "error": step.error or None,
        "started": moment(step, "started_at"),
        "finished": moment(step, "finished_at"),
        "logs": json_value(step.logs) or [],
        **({"isCut": True} if step.is_cut else {}),
        **({"decision": _decision_to_json(step.decision)} if step.HasField("decision") else {}),
    }


def _decision_to_json(decision: execution_pb2.Decision) -> dict[str, Json]:
    return {
        "verdict": decision.verdict,
        "userId": decision.user_id,
        "decided": moment(decision, "decided_at"),
    }


def _wait_to_json(wait: execution_pb2.Wait) -> dict[str, Json]:
    return {
        "stepId": wait.step_id,
        "componentId": wait.node_id,
        "kind": wait.kind,
        "reason": wait.reason,
        "due": moment(wait, "due_at"),
        "attempts": wait.attempts,
    }


def _unprocessed_to_json(message: execution_pb2.UnprocessedMessage) -> dict[str, Json]:
    return {
        "messageId": message.message_id,
        "userId": message.tenant_id,
        "flowId": message.flow_id,
        "componentId": message.node_id,
        "runId": message.run_id,
        "correlationId": message.correlation_id,
        "messages": json_object(message.messages),
        "err": json_object(message.error),
        "attempts": message.attempts,
        "created": moment(message, "created_at"),
        **({"isCut": True} if message.is_cut else {}),
    }
