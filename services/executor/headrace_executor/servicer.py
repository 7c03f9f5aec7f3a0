"""ExecutionService over RPC: decode, call, encode."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from headrace.execution.v1 import execution_pb2 as pb
from headrace.execution.v1 import execution_service_pb2 as rpc
from headrace.execution.v1 import execution_service_pb2_grpc as service_pb
from headrace.scope.v1 import scope_pb2
from headrace_core import Json
from headrace_core.errors import BadRequest, Unavailable
from headrace_core.expressions import ScriptCall
from headrace_core.webhook_signatures import SignedRequest
from headrace_runtime.rpc import Server
from headrace_sdk.errors import TransientError

from headrace_executor import counting, service, timing
from headrace_executor.activation import Activation
from headrace_executor.auth_modules import Absent, AuthSteps, Place
from headrace_executor.context import StaticCall
from headrace_executor.deciding import Said
from headrace_executor.jobs import Jobs
from headrace_executor.migration import Migration, Verdict
from headrace_executor.model import Delivery, Parked, Run, RunState, StepRecord, Unprocessed
from headrace_executor.plugins import Plugins, WebRequest
from headrace_executor.ports import ScriptRunner
from headrace_executor.static_calls import StaticCalls
from headrace_executor.store import Narrowing, RunFilter
from headrace_executor.survey import Tally
from headrace_executor.trying import Trials
from headrace_executor.watching import Watching

MAX_BATCH = 1_000
MAX_MIGRATED = 200
MAX_SETTLED = 500
MAX_WITH_WAITS = 100
LONGEST_TRIAL = timedelta(minutes=5)
STATIC_CALL = timedelta(seconds=30)
LONGEST_STATIC_CALL = timedelta(minutes=2)
DEFAULT_LIMIT = 100
DEFAULT_STEPS = 1_000

Context = Any  # grpc.aio.ServicerContext, or its local twin


class ExecutionServicer(service_pb.ExecutionServiceServicer):
    """Thin: the service decides."""

    def __init__(
        self,
        execution: service.ExecutionService,
        activation: Activation,
        timing: timing.Timing,
        watching: Watching,
        migration: Migration,
        trials: Trials,
        calls: StaticCalls,
        auth_steps: AuthSteps,
        plugins: Plugins,
        jobs: Jobs,
        modifiers: ScriptRunner,
    ) -> None:
        self._jobs = jobs
        self._modifiers = modifiers
        self._plugins = plugins
        self._trials = trials
        self._calls = calls
        self._auth_steps = auth_steps
        self._execution = execution
        self._migration = migration
        self._activation = activation
        self._timing = timing
        self._watching = watching

    async def DescribeAuthModule(
        self, request: rpc.DescribeAuthModuleRequest, context: Context
    ) -> rpc.DescribeAuthModuleResponse:
        found = await self._auth_steps.describe(_tenant(request.scope), _place(request.module))
        return rpc.DescribeAuthModuleResponse(auth=orjson.dumps(dict(found)))

    async def CallAuthModule(self, request: rpc.CallAuthModuleRequest, context: Context) -> rpc.CallAuthModuleResponse:
        outcome = await self._auth_steps.call(
            _tenant(request.scope),
            _place(request.module),
            request.name,
            orjson.loads(request.given or b"{}"),
            request.session,
            request.once,
        )
        if outcome.failure:
            return rpc.CallAuthModuleResponse(failure=outcome.failure, message=outcome.message)
        value = outcome.value
        return rpc.CallAuthModuleResponse(value=b"" if value is Absent.ABSENT else orjson.dumps(value))

    def register(self, server: Server) -> None:
        """Answer at this server."""
        service_pb.add_ExecutionServiceServicer_to_server(self, server)

    async def Accept(self, request: rpc.AcceptRequest, context: Context) -> AsyncIterator[rpc.AcceptResponse]:
        if len(request.events) > MAX_BATCH:
            raise BadRequest(f"A batch has {MAX_BATCH} events at most; this one has {len(request.events)}.")
        events = [_event(event) for event in request.events]
        outcomes, box = await self._execution.accept(events)
        yield rpc.AcceptResponse(acceptances=[_acceptance(outcome) for outcome in outcomes])
        within = max((event.answer_within for event in events if event.wants_answer), default=0.0)
        async for batch in box.take(within):
            yield rpc.AcceptResponse(
                answers=[
                    pb.Answer(
                        index=index,
                        status=answer.status,
                        headers=orjson.dumps(answer.headers),
                        body=answer.body,
                        implicit=answer.implicit,
                    )
                    for index, answer in batch
                ]
            )

    async def FireTimers(self, request: rpc.FireTimersRequest, context: Context) -> rpc.FireTimersResponse:
        fires = [
            timing.Fire(
                fire.timer_id,
                _time(fire.nominal_at),
                _time(fire.next_at) if fire.HasField("next_at") else None,
                _time(fire.previous_at) if fire.HasField("previous_at") else None,
                fire.flow_id,
                fire.node_id,
                fire.port,
            )
            for fire in request.fires
        ]
        outcomes = await self._timing.fire_timers(fires)
        return rpc.FireTimersResponse(
            outcomes=[rpc.FireOutcome(recorded=outcome.is_recorded, gone=outcome.is_gone) for outcome in outcomes]
        )

    async def RestoreTimers(self, request: rpc.RestoreTimersRequest, context: Context) -> rpc.RestoreTimersResponse:
        last = await self._timing.restore(request.after_flow_id, request.limit)
        return rpc.RestoreTimersResponse(last_flow_id=last)

    async def ActivateFlow(self, request: rpc.ActivateFlowRequest, context: Context) -> rpc.ActivateFlowResponse:
        await self._activation.activate(request.flow_id, request.version, request.activation_id)
        return rpc.ActivateFlowResponse()

    async def DeactivateFlow(self, request: rpc.DeactivateFlowRequest, context: Context) -> rpc.DeactivateFlowResponse:
        await self._activation.deactivate(request.flow_id, request.version, request.activation_id)
        return rpc.DeactivateFlowResponse()

    async def ForgetFlow(self, request: rpc.ForgetFlowRequest, context: Context) -> rpc.ForgetFlowResponse:
        await self._activation.forget_flow(_tenant(request.scope), request.flow_id)
        return rpc.ForgetFlowResponse()

    async def GetRun(self, request: rpc.GetRunRequest, context: Context) -> rpc.GetRunResponse:
        detail = await self._execution.get_run(
            _readable(request.scope), request.run_id, request.step_offset, request.step_limit or DEFAULT_STEPS
        )
        answer = rpc.GetRunResponse(
            run=_run(detail.run), waits=[_wait(delivery, parked) for delivery, parked in detail.waits]
        )
        room = service.PAGE_BYTES
        for step in detail.steps:
            packed = _step(step, detail.types)
            room -= packed.ByteSize()
            if room < 0 and answer.steps:
                packed = _without_contents(packed)
            answer.steps.append(packed)
            await asyncio.sleep(0)  # each may be large, and others wait
        return answer

    async def ListRuns(self, request: rpc.ListRunsRequest, context: Context) -> rpc.ListRunsResponse:
        query = RunFilter(
            _readable(request.scope),
            request.flow_id,
            RunState(request.state) if request.state else None,
            request.correlation_id,
        )
        limit = request.limit or DEFAULT_LIMIT
        if request.with_waits and limit > MAX_WITH_WAITS:
            raise BadRequest(f"A page with what its runs wait for has {MAX_WITH_WAITS} at most.")
        runs, total = await self._execution.list_runs(query, request.offset, limit)
        waits = await self._execution.waits_of(query.tenant_id, runs) if request.with_waits else {}
        return rpc.ListRunsResponse(
            runs=[_run(run) for run in runs],
            total=total,
            waits={run: rpc.Waits(waits=[_wait(*each) for each in those]) for run, those in waits.items()},
        )

    async def CancelRun(self, request: rpc.CancelRunRequest, context: Context) -> rpc.CancelRunResponse:
        run = await self._execution.cancel_run(_tenant(request.scope), request.run_id, request.reason)
        return rpc.CancelRunResponse(run=_run(run))

    async def ReplayRun(self, request: rpc.ReplayRunRequest, context: Context) -> rpc.ReplayRunResponse:
        flow_id, accepted = await self._execution.replay_run(_tenant(request.scope), request.run_id, request.event_id)
        return rpc.ReplayRunResponse(run_id=accepted.run_id, flow_id=flow_id, is_duplicate=not accepted.is_new)

    async def MigrateRuns(self, request: rpc.MigrateRunsRequest, context: Context) -> rpc.MigrateRunsResponse:
        limit = request.limit or DEFAULT_LIMIT
        if len(request.run_ids) > MAX_MIGRATED or not 0 < limit <= MAX_MIGRATED or request.offset < 0:
            raise BadRequest(f"At most {MAX_MIGRATED} runs are moved at once, from an offset of 0 or more.")
        tenant, flow_id, version = _tenant(request.scope), request.flow_id, request.version
        if request.run_ids:
            names = list(request.run_ids)
            verdicts = await self._migration.some(tenant, flow_id, version, names, dry_run=request.dry_run)
            total = len(names)
        else:
            verdicts, total = await self._migration.page(
                tenant, flow_id, version, request.offset, limit, dry_run=request.dry_run
            )
        return rpc.MigrateRunsResponse(runs=[_verdict(each) for each in verdicts], total=total)

    async def ListUnprocessed(
        self, request: rpc.ListUnprocessedRequest, context: Context
    ) -> rpc.ListUnprocessedResponse:
        messages, total = await self._execution.list_unprocessed(
            _readable(request.scope),
            request.flow_id,
            request.correlation_id,
            request.offset,
            request.limit or DEFAULT_LIMIT,
            _narrowing(request.filter),
        )
        return rpc.ListUnprocessedResponse(messages=[_unprocessed(message) for message in messages], total=total)

    async def GetUnprocessed(self, request: rpc.GetUnprocessedRequest, context: Context) -> rpc.GetUnprocessedResponse:
        found = await self._execution.get_unprocessed(_readable(request.scope), request.message_id)
        return rpc.GetUnprocessedResponse(message=_unprocessed(found))

    async def DeleteUnprocessed(
        self, request: rpc.DeleteUnprocessedRequest, context: Context
    ) -> rpc.DeleteUnprocessedResponse:
        deleted = await self._execution.delete_unprocessed(_tenant(request.scope), request.message_ids)
        return rpc.DeleteUnprocessedResponse(deleted=deleted)

    async def RetryUnprocessed(
        self, request: rpc.RetryUnprocessedRequest, context: Context
    ) -> rpc.RetryUnprocessedResponse:
        tenant = _tenant(request.scope)
        if not request.messages:
            retried = await self._execution.retry_unprocessed(tenant, request.message_ids)
        elif len(request.message_ids) == 1:
            edited = _object(request.messages, "messages")
            retried = await self._execution.retry_edited(tenant, request.message_ids[0], edited)
        else:
            raise BadRequest("Edited contents are those of one message. Name it alone.")
        return rpc.RetryUnprocessedResponse(retried=retried)

    async def DecideStep(self, request: rpc.DecideStepRequest, context: Context) -> rpc.DecideStepResponse:
        outputs = _object(request.outputs, "outputs") if request.outputs else {}
        said = Said(request.verdict, outputs, request.scope.actor_id)
        await self._execution.decide_step(_tenant(request.scope), request.run_id, request.step_id, said)
        return rpc.DecideStepResponse()

    async def SettleUnprocessed(
        self, request: rpc.SettleUnprocessedRequest, context: Context
    ) -> rpc.SettleUnprocessedResponse:
        limit = request.limit or DEFAULT_LIMIT
        if not 0 < limit <= MAX_SETTLED or len(request.message_ids) > MAX_SETTLED:
            raise BadRequest(f"At most {MAX_SETTLED} messages are settled at once.")
        settled, left, in_doubt = await self._execution.settle_unprocessed(
            _readable(request.scope),
            request.filter.flow_id,
            _narrowing(request.filter),
            limit,
            message_ids=request.message_ids,
            drop=request.drop,
            in_doubt_too=request.in_doubt_too,
        )
        return rpc.SettleUnprocessedResponse(settled=settled, left=left, in_doubt=in_doubt)

    async def SurveyRuns(self, request: rpc.SurveyRunsRequest, context: Context) -> rpc.SurveyRunsResponse:
        if not request.scope.all_tenants:
            raise BadRequest("How runs are is told across tenants, to administrators.")
        found = await self._execution.survey(request.since.ToDatetime(UTC).timestamp())
        answer = rpc.SurveyRunsResponse(
            open=[rpc.StateCount(state=pb.RunState.ValueType(each), count=count) for each, count in found.open.items()],
            unprocessed=found.unprocessed,
            in_doubt=found.in_doubt,
            minutes=[_minute(minute, tally) for minute, tally in found.minutes.items()],
            tenants=[
                rpc.TenantCount(tenant_id=tenant, runs=each.runs, failed=each.failed, steps=each.steps)
                for tenant, each in found.tenants.items()
            ],
            looked_at=found.looked_at,
        )
        for stamp, seconds in ((answer.median, found.median), (answer.p95, found.p95)):
            if seconds is not None:
                stamp.FromTimedelta(timedelta(seconds=seconds))
        return answer

    async def CountMessages(self, request: rpc.CountMessagesRequest, context: Context) -> rpc.CountMessagesResponse:
        first = _day(getattr(request, "from")) if request.HasField("from") else counting.FIRST_DAY
        last = _day(request.to) if request.HasField("to") else counting.LAST_DAY
        query = counting.CountQuery(_readable(request.scope), request.flow_id, first, last)
        days = await self._execution.count_messages(query)
        return rpc.CountMessagesResponse(days=[_day_count(each) for each in days])

    async def ForgetTenant(self, request: rpc.ForgetTenantRequest, context: Context) -> rpc.ForgetTenantResponse:
        await self._execution.forget_tenant(_tenant(request.scope))
        return rpc.ForgetTenantResponse()

    async def Watch(self, request: rpc.WatchRequest, context: Context) -> AsyncIterator[rpc.WatchResponse]:
        async for happenings, dropped in self._watching.watch(request.flow_id):
            answer = rpc.WatchResponse(happenings=[orjson.dumps(each) for each in happenings], dropped=dropped)
            answer.sent_at.GetCurrentTime()
            yield answer

    async def TryFlow(self, request: rpc.TryFlowRequest, context: Context) -> AsyncIterator[rpc.TryFlowResponse]:
        within = request.within.ToTimedelta() if request.HasField("within") else LONGEST_TRIAL
        if not timedelta() < within <= LONGEST_TRIAL:
            raise BadRequest(f"A test lasts {LONGEST_TRIAL.seconds} seconds at most.")
        content = orjson.loads(request.content) if request.content else None
        trial = self._trials.run(
            _tenant(request.scope), request.flow_id, request.version, request.node_id, content, within
        )
        async with contextlib.aclosing(trial) as happenings:
            async for each in happenings:
                yield rpc.TryFlowResponse(happening=orjson.dumps(each))

    async def CallComponent(self, request: rpc.CallComponentRequest, context: Context) -> rpc.CallComponentResponse:
        within = request.within.ToTimedelta() if request.HasField("within") else STATIC_CALL
        if not timedelta() < within <= LONGEST_STATIC_CALL:
            raise BadRequest(f"A static call lasts {LONGEST_STATIC_CALL.seconds} seconds at most.")
        asked = StaticCall(
            tenant_id=_tenant(request.scope),
            type=request.type,
            out_port=request.out_port or "out",
            messages=_object(request.messages, "messages"),
            properties=_object(request.properties, "properties"),
            transform=request.transform,
            flow_id=request.flow_id,
            node_id=request.node_id,
        )
        return rpc.CallComponentResponse(value=orjson.dumps(await self._calls.call(asked, within)))

    async def RunModifier(self, request: rpc.RunModifierRequest, context: Context) -> rpc.RunModifierResponse:
        params = orjson.loads(request.params or b"[]")
        if not isinstance(params, list):
            raise BadRequest("The arguments of a modifier are a list.")
        named = _object(request.named, "named arguments")
        call = ScriptCall(request.name, orjson.loads(request.value or b"null"), params, named)
        tenant = _tenant(request.scope)
        try:
            if request.source:
                answered = await self._modifiers.attempt(tenant, request.source, call)
            else:
                answered = await self._modifiers.run(tenant, call)
        except TransientError as error:
            raise Unavailable(str(error)) from error
        return rpc.RunModifierResponse(value=orjson.dumps(answered.value), failure=answered.failure)

    async def CallPlugin(self, request: rpc.CallPluginRequest, context: Context) -> rpc.CallPluginResponse:
        within = request.within.ToTimedelta() if request.HasField("within") else STATIC_CALL
        if not timedelta() < within <= LONGEST_STATIC_CALL:
            raise BadRequest(f"A call of a plugin lasts {LONGEST_STATIC_CALL.seconds} seconds at most.")
        asked = WebRequest(
            method=request.method,
            path=request.path,
            headers=dict(request.headers),
            query=_object(request.query, "query's parameters"),
            body=request.body,
            user=_object(request.user, "user's values") if request.user else None,
            hostname=request.hostname,
        )
        answer = await self._plugins.call(request.service, request.scope.tenant_id, asked, within)
        return rpc.CallPluginResponse(status=answer.status, headers=answer.headers, body=answer.body)

    async def RefreshPlugin(self, request: rpc.RefreshPluginRequest, context: Context) -> rpc.RefreshPluginResponse:
        await self._jobs.refresh(request.service)
        return rpc.RefreshPluginResponse()


def _object(text: bytes, what: str) -> dict[str, Json]:
    found = orjson.loads(text) if text else {}
    if not isinstance(found, dict):
        raise BadRequest(f"The {what} are an object.")
    return found


def _place(module: rpc.AuthModule) -> Place:
    return Place(module.bundle_id, module.folder, module.language)


def _tenant(scope: scope_pb2.TenantScope) -> str:
    if not scope.tenant_id:
        raise BadRequest("The call names no tenant.")
    return scope.tenant_id


def _readable(scope: scope_pb2.TenantScope) -> str | None:
    """The tenant to read; None for an administrator who reads across tenants."""
    return None if scope.all_tenants else _tenant(scope)


def _narrowing(given: rpc.UnprocessedFilter) -> Narrowing:
    return Narrowing(
        given.node_id,
        given.cause,
        given.created_before.ToDatetime(UTC).timestamp() if given.HasField("created_before") else None,
        given.created_after.ToDatetime(UTC).timestamp() if given.HasField("created_after") else None,
    )


def _minute(minute: int, tally: Tally) -> rpc.MinuteCount:
    answer = rpc.MinuteCount(runs=tally.runs, failed=tally.failed, steps=tally.steps)
    answer.minute.FromSeconds(minute)
    return answer


def _event(event: pb.Event) -> service.Event:
    return service.Event(
        event.index,
        event.flow_id,
        event.node_id,
        event.port,
        event.event_id,
        event.correlation_id,
        event.content,
        event.wants_answer,
        event.answer_within.ToTimedelta().total_seconds(),
        signed=_signed(event.signed) if event.HasField("signed") else None,
    )


def _signed(signed: pb.SignedRequest) -> SignedRequest:
    return SignedRequest(signed.body, [(each.name, each.value) for each in signed.headers])


def _acceptance(outcome: service.Acceptance) -> pb.Acceptance:
    if outcome.refusal is None:
        return pb.Acceptance(index=outcome.index, run_id=outcome.run_id, duplicate=outcome.is_duplicate)
    refusal = pb.Refusal(code=outcome.refusal.code, message=str(outcome.refusal))
    return pb.Acceptance(index=outcome.index, refusal=refusal)


def _verdict(verdict: Verdict) -> rpc.RunMigration:
    return rpc.RunMigration(
        run_id=verdict.run_id, from_version=verdict.version, moved=verdict.moved, reasons=verdict.reasons
    )


def _run(run: Run) -> pb.Run:
    answer = pb.Run(
        run_id=run.run_id,
        tenant_id=run.tenant_id,
        flow_id=run.flow_id,
        flow_version=run.version,
        trigger_id=run.trigger_id,
        trigger_port=run.port,
        correlation_id=run.correlation_id,
        state=pb.RunState.ValueType(run.state),
        epoch=run.epoch,
        step_count=run.steps,
        pending_count=run.pending,
        failed_count=run.failed,
        error=run.error,
        event_id=run.event_id,
    )
    answer.created_at.FromDatetime(datetime.fromtimestamp(run.created, UTC))
    answer.updated_at.FromDatetime(datetime.fromtimestamp(run.updated, UTC))
    if run.due is not None:
        answer.due_at.FromDatetime(datetime.fromtimestamp(run.due, UTC))
    return answer


def _step(step: StepRecord, types: dict[str, str]) -> pb.Step:
    answer = pb.Step(
        step_id=step.step_id,
        node_id=step.node_id,
        component_type=types.get(step.node_id, ""),
        in_port=step.port,
        outcome=step.outcome,
        attempts=step.attempts,
        input=orjson.dumps(step.input),
        outputs=[
            pb.Output(message_id=message_id, port=port, content=orjson.dumps(content))
            for message_id, port, content in step.outputs
        ],
        error=str((step.error or {}).get("message", "")),
        logs=orjson.dumps(step.logs),
    )
    answer.started_at.FromDatetime(datetime.fromtimestamp(step.started, UTC))
    answer.finished_at.FromDatetime(datetime.fromtimestamp(step.finished, UTC))
    if step.decision is not None:
        answer.decision.verdict, answer.decision.user_id = step.decision.verdict, step.decision.by
        answer.decision.decided_at.FromDatetime(datetime.fromtimestamp(step.decision.at, UTC))
    return answer


def _without_contents(step: pb.Step) -> pb.Step:
    for name in ("input", "outputs", "logs"):
        step.ClearField(name)
    step.is_cut = True
    return step


def _wait(delivery: Delivery, parked: Parked) -> pb.Wait:
    answer = pb.Wait(
        step_id=delivery.id,
        node_id=delivery.node,
        kind=parked.kind,
        reason=parked.reason,
        attempts=delivery.attempts,
    )
    if parked.due is not None:
        answer.due_at.FromDatetime(parked.due)
    return answer


def _unprocessed(message: Unprocessed) -> pb.UnprocessedMessage:
    answer = pb.UnprocessedMessage(
        message_id=message.message_id,
        tenant_id=message.tenant_id,
        flow_id=message.flow_id,
        node_id=message.node_id,
        run_id=message.run_id,
        correlation_id=message.correlation_id,
        messages=message.messages,
        error=message.error,
        attempts=message.attempts,
        is_cut=not message.messages,
    )
    answer.created_at.FromDatetime(datetime.fromtimestamp(message.created, UTC))
    return answer


def _day(stamp: Any) -> int:
    return int(stamp.seconds // counting.DAY_SECONDS)


def _day_count(counted: counting.DayCount) -> rpc.DayCount:
    answer = rpc.DayCount(count=counted.count, size_bytes=counted.size)
    answer.day.FromSeconds(counted.day * counting.DAY_SECONDS)
    return answer


def _time(stamp: Any) -> datetime:
    found: datetime = stamp.ToDatetime().replace(tzinfo=UTC)
    return found
