"""What the flow manager asks of others: the executor, the log, the bus."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from headrace.execution.v1 import execution_pb2
from headrace.execution.v1 import execution_service_pb2 as execution_pb
from headrace.execution.v1 import execution_service_pb2_grpc as execution_rpc
from headrace.log.v1 import log_service_pb2 as log_pb
from headrace.log.v1 import log_service_pb2_grpc as log_rpc
from headrace.scope.v1 import scope_pb2
from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, Unavailable, from_dict
from headrace_core.ids import derive_id, new_id
from headrace_core.ports import Bus
from headrace_runtime.rpc import Channel

from headrace_flow_manager import json_text, times
from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.accounts.store import ABSENT, Absent, Broken, Rejected
from headrace_flow_manager.catalog.model import AuthModule
from headrace_flow_manager.data_stores.model import Delivery
from headrace_flow_manager.data_stores.store import Refused
from headrace_flow_manager.flows.model import Flow, Stage
from headrace_flow_manager.happenings import Announce, Fact, Happening
from headrace_flow_manager.tasks import model as task_model
from headrace_flow_manager.tasks.model import Hook, Task
from headrace_flow_manager.tasks.store import Unheard

log = logging.getLogger(__name__)

FLOW_CHANGED = "flow.changed"
ACCOUNT_CHANGED = "account.changed"
MODULE_TIMEOUT = 90.0
"""A step of an auth module asks a service, which may be slow; the runner has to be there before."""

PLUGIN_TIMEOUT = 180.0
"""Packages of a plugin may have to be fetched first, and several plugins of a service be started."""

STORE_PORT = "store"
WEBHOOK_PORT = "webhook"
RUNS = 100

_OPEN = (execution_pb2.RUN_STATE_READY, execution_pb2.RUN_STATE_RUNNING, execution_pb2.RUN_STATE_WAITING)


class ExecutionClient:
    """Keeps `flows.store.FlowExecution`, `data_stores.store.Triggers`, `tasks.store.Listeners`, `removal.Counts`."""

    def __init__(self, channel: Channel, timeout: timedelta, hooks_timeout: timedelta) -> None:
        self._stub = execution_rpc.ExecutionServiceStub(channel)
        self._timeout = timeout.total_seconds()
        self._hooks_timeout = hooks_timeout.total_seconds()

    async def activate(self, flow: Flow) -> None:
        request = execution_pb.ActivateFlowRequest(
            scope=_scope(flow.tenant_id),
            flow_id=flow.flow_id,
            version=flow.running_version,
            activation_id=flow.activation_id,
        )
        await self._stub.ActivateFlow(request, timeout=self._hooks_timeout)

    async def deactivate(self, flow: Flow) -> None:
        request = execution_pb.DeactivateFlowRequest(
            scope=_scope(flow.tenant_id),
            flow_id=flow.flow_id,
            version=flow.running_version,
            activation_id=flow.activation_id,
        )
        await self._stub.DeactivateFlow(request, timeout=self._hooks_timeout)

    async def forget(self, flow: Flow) -> None:
        request = execution_pb.ForgetFlowRequest(scope=_scope(flow.tenant_id), flow_id=flow.flow_id)
        await self._stub.ForgetFlow(request, timeout=self._timeout)

    async def forget_tenant(self, tenant: str) -> None:
        request = execution_pb.ForgetTenantRequest(scope=_scope(tenant))
        await self._stub.ForgetTenant(request, timeout=self._timeout)

    async def cancel_older(self, flow: Flow) -> None:
        older = [run for state in _OPEN for run in await self._runs(flow, state) if run.flow_version < flow.version]
        for run in older:
            request = execution_pb.CancelRunRequest(
                scope=_scope(flow.tenant_id),
                run_id=run.run_id,
                reason=f"the flow was updated to version {flow.version}",
            )
            await self._stub.CancelRun(request, timeout=self._timeout)

    async def _runs(self, flow: Flow, state: execution_pb2.RunState.ValueType) -> list[execution_pb2.Run]:
        """All runs of the flow in that state."""
        found: list[execution_pb2.Run] = []
        while True:
            request = execution_pb.ListRunsRequest(
                scope=_scope(flow.tenant_id), flow_id=flow.flow_id, state=state, offset=len(found), limit=RUNS
            )
            page = (await self._stub.ListRuns(request, timeout=self._timeout)).runs
            found += page
            if len(page) < RUNS:
                return found

    async def accept(self, deliveries: Sequence[Delivery]) -> Sequence[Refused]:
        errors = await self._refused([_event(index, delivery) for index, delivery in enumerate(deliveries)])
        return [Refused(deliveries[index], error) for index, error in errors.items()]

    async def tell(self, task: Task, hooks: Sequence[Hook]) -> Sequence[Unheard]:
        errors = await self._refused([_news(index, task, hook) for index, hook in enumerate(hooks)])
        return [Unheard(hooks[index], error) for index, error in errors.items()]

    async def _refused(self, events: Sequence[execution_pb2.Event]) -> Mapping[int, HeadraceError]:
        """By index those that were refused, and those that were not spoken of: they may be tried again."""
        answers = self._stub.Accept(execution_pb.AcceptRequest(events=events), timeout=self._timeout)
        async for answer in answers:  # the first answer has every acceptance; nobody waits for more
            answers.cancel()
            return _refusals(events, answer.acceptances)
        raise Unavailable("The executor ended the call without an answer.")


class AuthModuleClient:
    """Keeps `accounts.store.ModuleRunner`: the executor hosts published code."""

    def __init__(self, channel: Channel) -> None:
        self._stub = execution_rpc.ExecutionServiceStub(channel)

    async def describe(self, tenant: str, module: AuthModule) -> Mapping[str, Json]:
        request = execution_pb.DescribeAuthModuleRequest(scope=_scope(tenant), module=_module(module))
        answer = await self._stub.DescribeAuthModule(request, timeout=MODULE_TIMEOUT)
        return json_text.decode_object(answer.auth, "auth module")

    async def call(
        self, tenant: str, module: AuthModule, name: str, given: Mapping[str, Json], session: str, once: str
    ) -> Json | Absent:
        request = execution_pb.CallAuthModuleRequest(
            scope=_scope(tenant),
            module=_module(module),
            session=session,
            name=name,
            given=json_text.encode(dict(given)).encode(),
            once=once,
        )
        answer = await self._stub.CallAuthModule(request, timeout=MODULE_TIMEOUT)
        match answer.failure:
            case "":
                return json_text.decode(answer.value, "auth module's answer") if answer.value else ABSENT
            case "rejected":
                raise Rejected(answer.message)
            case "unavailable":
                raise Unavailable(f"{module.service} cannot be asked now: {answer.message}")
            case _:
                raise Broken(answer.message)


class PluginClient:
    """Keeps `catalog.jobs.PluginHost`: the executor hosts published code."""

    def __init__(self, channel: Channel) -> None:
        self._stub = execution_rpc.ExecutionServiceStub(channel)

    async def refresh(self, service: str) -> None:
        request = execution_pb.RefreshPluginRequest(service=service)
        await self._stub.RefreshPlugin(request, timeout=PLUGIN_TIMEOUT)


class AccountNewsPublisher:
    """Keeps `accounts.store.AccountNews`: `account.changed` on the bus with the account's id, the log, webhooks."""

    def __init__(self, bus: Bus | None, log_client: LogClient, announce: Announce, clock: Clock) -> None:
        self._bus = bus
        self._log = log_client
        self._announce = announce
        self._clock = clock

    async def refusing(self, account: Account, reason: str) -> None:
        name = derive_id("account.invalid", account.account_id, account.token_id)
        await self._announce([self._happening(name, "account.invalid", account, "account is invalid", reason)])

    async def connecting(self, account: Account) -> None:
        await self._announce([self._happening(new_id(), "account.connected", account, "account is valid", "")])

    def _happening(self, name: str, event: str, account: Account, fact: Fact, reason: str) -> Happening:
        data: dict[str, Json] = {
            "accountId": account.account_id,
            "service": account.service,
            "name": account.label,
            "userId": account.tenant_id,
            "reason": reason or None,
        }
        return Happening(name, event, account.tenant_id, self._clock.now(), data, fact, account.account_id)

    async def refused(self, account: Account) -> None:
        said = f"The account {account.label} of {account.service} has to be connected anew: {account.reason}"
        await self._log.tell(account, "error", said, self._clock.now())
        await self._publish(account)

    async def accepted(self, account: Account) -> None:
        said = f"The account {account.label} of {account.service} is connected."
        await self._log.tell(account, "info", said, self._clock.now())
        await self._publish(account)

    async def _publish(self, account: Account) -> None:
        if self._bus is None:
            return
        try:
            await self._bus.publish(ACCOUNT_CHANGED, [account.account_id.encode()])
        except HeadraceError as error:
            log.warning("nobody was told that account %s changed: %s", account.account_id, error)


class LogClient:
    """Keeps `data_stores.store.LostChanges` and `removal.Journals`."""

    def __init__(self, channel: Channel | None, timeout: timedelta) -> None:
        self._stub = None if channel is None else log_rpc.LogServiceStub(channel)
        self._timeout = timeout.total_seconds()

    async def lost(self, refused: Sequence[Refused], at: datetime) -> None:
        if self._stub is None:
            return
        request = log_pb.WriteRecordsRequest(records=[_lost_record(each, at) for each in refused])
        try:
            await self._stub.WriteRecords(request, timeout=self._timeout)
        except HeadraceError as error:
            log.warning("%d dropped changes are not in the flows' logs: %s", len(refused), error)

    async def tell(self, account: Account, severity: str, message: str, at: datetime) -> None:
        """Write down what became of an account, for its owner to read."""
        if self._stub is None:
            return
        fields: dict[str, Json] = {
            "severity": severity,
            "msg": message,
            "type": "account",
            "accountId": account.account_id,
            "service": account.service,
            "userId": account.tenant_id,
            "gridTimestamp": times.to_text(at),
        }
        record = log_pb.LogRecord(
            record_id=derive_id("account", account.account_id, account.token_id, account.state),
            tenant_id=account.tenant_id,
            fields=json_text.encode(fields).encode(),
        )
        record.at.FromDatetime(at)
        try:
            await self._stub.WriteRecords(log_pb.WriteRecordsRequest(records=[record]), timeout=self._timeout)
        except HeadraceError as error:
            log.warning("the log does not say that account %s changed: %s", account.account_id, error)

    async def forget(self, tenant: str) -> None:
        if self._stub is None:
            return
        request = log_pb.ForgetTenantRequest(scope=_scope(tenant))
        while (await self._stub.ForgetTenant(request, timeout=self._timeout)).more:
            pass


class FlowNewsPublisher:
    """Keeps `flows.store.FlowNews`: `flow.changed` on the bus with the flow's id, starts and stops to webhooks."""

    def __init__(self, bus: Bus | None, announce: Announce, clock: Clock) -> None:
        self._bus = bus
        self._announce = announce
        self._clock = clock

    async def settling(self, before: Flow, after: Flow) -> None:
        if after.stage is Stage.STOPPED:
            event = "flow.stopped"
        elif before.stage is Stage.STARTING:
            event = "flow.started"
        else:
            return  # another version of one that runs
        name = derive_id("flow", event, after.flow_id, before.activation_id)
        data: dict[str, Json] = {
            "flowId": after.flow_id,
            "flowName": after.name,
            "userId": after.tenant_id,
            **({"reason": after.stage_error or None} if event == "flow.stopped" else {}),
        }
        await self._announce([Happening(name, event, after.tenant_id, self._clock.now(), data)])

    async def changed(self, flow: Flow) -> None:
        if self._bus is None:
            return
        try:
            await self._bus.publish(FLOW_CHANGED, [flow.flow_id.encode()])
        except HeadraceError as error:
            log.warning("nobody was told that flow %s changed: %s", flow.flow_id, error)


def _module(module: AuthModule) -> execution_pb.AuthModule:
    return execution_pb.AuthModule(bundle_id=module.bundle_id, folder=module.folder, language=module.language)


def _scope(tenant_id: str) -> scope_pb2.TenantScope:
    return scope_pb2.TenantScope(tenant_id=tenant_id, actor_id=tenant_id)


def _event(index: int, delivery: Delivery) -> execution_pb2.Event:
    return execution_pb2.Event(
        index=index,
        flow_id=delivery.flow_id,
        node_id=delivery.node_id,
        port=STORE_PORT,
        event_id=delivery.change_id,
        content=delivery.content.encode(),
    )


def _news(index: int, task: Task, hook: Hook) -> execution_pb2.Event:
    """How a task ended, as a webhook brings it to a component."""
    content: dict[str, Json] = {
        "method": "POST",
        "data": task_model.public(task),
        "hostname": "",
        "headers": {"content-type": "application/json"},
        "query": {},
        "path": f"/flows/{hook.flow_id}/components/{hook.node_id}",
    }
    return execution_pb2.Event(
        index=index,
        flow_id=hook.flow_id,
        node_id=hook.node_id,
        port=WEBHOOK_PORT,
        event_id=f"task:{hook.hook_id}",
        content=json_text.encode(content).encode(),
    )


def _refusals(
    events: Sequence[execution_pb2.Event], acceptances: Sequence[execution_pb2.Acceptance]
) -> Mapping[int, HeadraceError]:
    answers = {each.index: each for each in acceptances}
    refused: dict[int, HeadraceError] = {}
    for index in range(len(events)):
        answer = answers.get(index)
        if answer is None:
            refused[index] = Unavailable("The executor did not say what became of it.")
        elif answer.HasField("refusal"):
            said = {"code": answer.refusal.code, "message": answer.refusal.message}
            refused[index] = from_dict(dict(said))
    return refused


def _lost_record(refused: Refused, at: datetime) -> log_pb.LogRecord:
    delivery = refused.delivery
    fields = {
        "severity": "error",
        "msg": f"A change of a data store was dropped: {refused.error}",
        "flowId": delivery.flow_id,
        "componentId": delivery.node_id,
        "userId": delivery.tenant_id,
        "gridTimestamp": times.to_text(at),
    }
    record = log_pb.LogRecord(
        record_id=derive_id("lost change", delivery.change_id, delivery.flow_id, delivery.node_id),
        tenant_id=delivery.tenant_id,
        fields=json_text.encode(dict(fields)).encode(),
    )
    record.at.FromDatetime(at)
    return record
