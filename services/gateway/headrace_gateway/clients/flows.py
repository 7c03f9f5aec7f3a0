"""Flows, their versions, and whether they run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from headrace.flow.v1 import flow_pb2, flow_service_pb2
from headrace.flow.v1.flow_service_pb2_grpc import FlowServiceStub
from headrace_core import Json
from headrace_core.errors import NotFound
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, moment, query_to_proto, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery

STAGES = {
    flow_pb2.FLOW_STAGE_STOPPED: "stopped",
    flow_pb2.FLOW_STAGE_STARTING: "starting",
    flow_pb2.FLOW_STAGE_RUNNING: "running",
    flow_pb2.FLOW_STAGE_STOPPING: "stopping",
}


@dataclass(frozen=True, slots=True)
class CloneOptions:
    """How a copy differs from its origin."""

    prefix: str = ""
    without: Sequence[str] = ()
    only: Sequence[str] = ()
    additional: dict[str, Json] = field(default_factory=dict)
    set_origin_flow_id: bool = False
    set_component_id_map: bool = False
    is_template_instance: bool = False
    connect_accounts: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """A start or stop of a flow: its ticket, the stage it has brought the flow to, and why it failed if it did."""

    flow_id: str
    ticket: str
    stage: str
    error: str

    @property
    def is_over(self) -> bool:
        """Whether the flow has arrived."""
        return self.stage in {"running", "stopped"}


@dataclass(frozen=True, slots=True)
class Use:
    """How many flows run, and which apps those and all flows use."""

    running_flows: int
    running_apps: Sequence[str]
    used_apps: Sequence[str]


class FlowClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = FlowServiceStub(channel)
        self._timeout = timeout_seconds

    async def create(self, scope: Scope, flow_id: str, record: dict[str, Json]) -> dict[str, Json]:
        """Save a new flow. Raises AlreadyExists when the id is taken, ValidationFailed for a bad record."""
        request = flow_service_pb2.CreateFlowRequest(
            scope=scope_to_proto(scope), flow_id=flow_id, record=orjson.dumps(record)
        )
        return flow_to_json((await self._stub.CreateFlow(request, timeout=self._timeout)).flow)

    async def get(self, scope: Scope, flow_id: str) -> dict[str, Json]:
        """One flow. Raises NotFound."""
        request = flow_service_pb2.GetFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        return flow_to_json((await self._stub.GetFlow(request, timeout=self._timeout)).flow)

    async def running(self, flow_id: str) -> tuple[str, dict[str, Json]]:
        """The owner of a flow that takes events, and its nodes by id. Raises NotFound."""
        request = flow_service_pb2.ResolveFlowRequest(flow_id=flow_id)
        found = await self._stub.ResolveFlow(request, timeout=self._timeout)
        if not found.HasField("version"):
            raise NotFound("running flow", flow_id[:100])
        return found.tenant_id, json_object(found.version.descriptor_json)

    async def pin(self, scope: Scope, flow_id: str) -> dict[str, Json]:
        """One flow, its newest version made to use the components as they are published now. Raises NotFound."""
        request = flow_service_pb2.PinFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        return flow_to_json((await self._stub.PinFlow(request, timeout=self._timeout)).flow)

    async def use(self, scope: Scope) -> Use:
        """What the caller's flows are made of."""
        request = flow_service_pb2.GetFlowUseRequest(scope=scope_to_proto(scope))
        answer = await self._stub.GetFlowUse(request, timeout=self._timeout)
        return Use(answer.running_flows, list(answer.running_apps), list(answer.used_apps))

    async def page(self, scope: Scope, query: ListQuery, shared_for: Sequence[str] = ()) -> list[dict[str, Json]]:
        """A page of flows; of others' that are shared for one of the permissions, where some are named."""
        flows, _ = await self.page_and_total(scope, query, shared_for)
        return flows

    async def page_and_total(
        self, scope: Scope, query: ListQuery, shared_for: Sequence[str] = ()
    ) -> tuple[list[dict[str, Json]], int]:
        """As `page`, and how many match in all."""
        request = flow_service_pb2.ListFlowsRequest(
            scope=scope_to_proto(scope), query=query_to_proto(query), shared_permissions=shared_for
        )
        answer = await self._stub.ListFlows(request, timeout=self._timeout)
        return [flow_to_json(flow) for flow in answer.flows], answer.total

    async def count(self, scope: Scope, query: ListQuery, shared_for: Sequence[str] = ()) -> int:
        """How many flows match; of others', as in `page`."""
        request = flow_service_pb2.ListFlowsRequest(
            scope=scope_to_proto(scope), query=query_to_proto(query), shared_permissions=shared_for, count_only=True
        )
        return (await self._stub.ListFlows(request, timeout=self._timeout)).total

    async def update(
        self, scope: Scope, flow_id: str, changes: dict[str, Json], *, force: bool, expected_revision: int
    ) -> tuple[dict[str, Json], bool]:
        """Change a flow, or make it where no revision is expected; the flow, and whether it is new.

        Raises RevisionConflict when somebody saved in between, Conflict when it runs and `force` is not given.
        """
        request = flow_service_pb2.UpdateFlowRequest(
            scope=scope_to_proto(scope),
            flow_id=flow_id,
            changes=orjson.dumps(changes),
            force=force,
            create_if_missing=expected_revision == 0,
            expected_revision=expected_revision,
        )
        answer = await self._stub.UpdateFlow(request, timeout=self._timeout)
        return flow_to_json(answer.flow), answer.created

    async def change(self, scope: Scope, flow_id: str, changes: dict[str, Json]) -> dict[str, Json]:
        """Change fields of a flow that is there, whatever its revision. Raises NotFound."""
        request = flow_service_pb2.UpdateFlowRequest(
            scope=scope_to_proto(scope), flow_id=flow_id, changes=orjson.dumps(changes), force=True
        )
        return flow_to_json((await self._stub.UpdateFlow(request, timeout=self._timeout)).flow)

    async def delete(self, scope: Scope, flow_id: str, expected_revision: int) -> None:
        """Stop and remove a flow. Raises NotFound, RevisionConflict when somebody saved since that revision."""
        request = flow_service_pb2.DeleteFlowRequest(
            scope=scope_to_proto(scope), flow_id=flow_id, expected_revision=expected_revision
        )
        await self._stub.DeleteFlow(request, timeout=self._timeout)

    async def clone(self, scope: Scope, flow_id: str, options: CloneOptions) -> dict[str, Json]:
        """A copy under new component ids. Raises NotFound."""
        request = flow_service_pb2.CloneFlowRequest(
            scope=scope_to_proto(scope),
            flow_id=flow_id,
            prefix=options.prefix,
            without=list(options.without),
            only=list(options.only),
            additional=orjson.dumps(options.additional),
            set_origin_flow_id=options.set_origin_flow_id,
            set_component_id_map=options.set_component_id_map,
            is_template_instance=options.is_template_instance,
            connect_accounts=options.connect_accounts,
        )
        return flow_to_json((await self._stub.CloneFlow(request, timeout=self._timeout)).flow)

    async def start(self, scope: Scope, flow_id: str, *, background: bool = False) -> Transition:
        """The flow running, or in the background on its way there.

        Raises NotFound, or ValidationFailed naming what keeps it from starting.
        """
        request = flow_service_pb2.StartFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id, background=background)
        return _transition((await self._stub.StartFlow(request, timeout=self._timeout)).flow)

    async def stop(self, scope: Scope, flow_id: str, *, background: bool = False) -> Transition:
        """The flow stopped, or in the background on its way there. Raises NotFound."""
        request = flow_service_pb2.StopFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id, background=background)
        return _transition((await self._stub.StopFlow(request, timeout=self._timeout)).flow)

    async def transition(self, scope: Scope, flow_id: str) -> Transition:
        """How far the newest start or stop of the flow is. Raises NotFound."""
        request = flow_service_pb2.GetFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        return _transition((await self._stub.GetFlow(request, timeout=self._timeout)).flow)

    async def problems(self, scope: Scope, flow_id: str) -> list[tuple[dict[str, Json], bool]]:
        """What would keep the flow from starting; each with whether it only warns. Raises NotFound."""
        request = flow_service_pb2.ValidateFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        answer = await self._stub.ValidateFlow(request, timeout=self._timeout)
        return [(_problem_to_json(each), each.warning) for each in answer.problems]

    async def versions(self, scope: Scope, flow_id: str, offset: int, limit: int) -> tuple[list[dict[str, Json]], int]:
        """A page of versions, newest first, and how many there are. Raises NotFound."""
        request = flow_service_pb2.ListFlowVersionsRequest(
            scope=scope_to_proto(scope), flow_id=flow_id, offset=offset, limit=limit
        )
        answer = await self._stub.ListFlowVersions(request, timeout=self._timeout)
        return [_version_to_json(each) for each in answer.versions], answer.total

    async def version(self, scope: Scope, flow_id: str, version: int) -> dict[str, Json]:
        """One version. Raises NotFound."""
        request = flow_service_pb2.GetFlowVersionRequest(scope=scope_to_proto(scope), flow_id=flow_id, version=version)
        return _version_to_json((await self._stub.GetFlowVersion(request, timeout=self._timeout)).version)

    async def label(
        self, scope: Scope, flow_id: str, version: int, label: str, *, only_if_unlabelled: bool = False
    ) -> dict[str, Json]:
        """The version, 0 for the newest, under this label. Raises NotFound, or Conflict when it has another already."""
        request = flow_service_pb2.LabelFlowVersionRequest(
            scope=scope_to_proto(scope),
            flow_id=flow_id,
            version=version,
            label=label,
            only_if_unlabelled=only_if_unlabelled,
        )
        return _version_to_json((await self._stub.LabelFlowVersion(request, timeout=self._timeout)).version)

    async def restore(
        self, scope: Scope, flow_id: str, version: int, *, force: bool, expected_revision: int
    ) -> dict[str, Json]:
        """The flow with the descriptor of that version. Raises NotFound, and what `update` raises."""
        request = flow_service_pb2.RestoreFlowVersionRequest(
            scope=scope_to_proto(scope),
            flow_id=flow_id,
            version=version,
            force=force,
            expected_revision=expected_revision,
        )
        return flow_to_json((await self._stub.RestoreFlowVersion(request, timeout=self._timeout)).flow)


def flow_to_json(flow: flow_pb2.Flow) -> dict[str, Json]:
    known: dict[str, Json] = {
        "flowId": flow.flow_id,
        "userId": flow.tenant_id,
        "stage": STAGES.get(flow.stage, "stopped"),
        "btime": moment(flow, "created_at"),
        "mtime": moment(flow, "modified_at"),
        "started": moment(flow, "started_at"),
        "stopped": moment(flow, "stopped_at"),
        "version": flow.version,
        "runningVersion": flow.running_version or None,
        "revision": flow.revision,
    }
    if flow.stage_error:
        known["stageError"] = flow.stage_error
    return {**json_object(flow.record), **known}


def _transition(flow: flow_pb2.Flow) -> Transition:
    return Transition(flow.flow_id, flow.transition_id, STAGES.get(flow.stage, "stopped"), flow.stage_error)


def _version_to_json(version: flow_pb2.FlowVersion) -> dict[str, Json]:
    return {
        "flowId": version.flow_id,
        "userId": version.tenant_id,
        "version": version.version,
        "label": version.label,
        "name": version.name,
        "flow": json_object(version.descriptor_json),
        "btime": moment(version, "created_at"),
    }


def _problem_to_json(problem: flow_pb2.Problem) -> dict[str, Json]:
    said: dict[str, Json] = {"where": problem.where, "message": problem.message}
    more = {"fix": problem.fix, "node": problem.node_id, "port": problem.port, "field": problem.field}
    return said | {name: value for name, value in more.items() if value}
