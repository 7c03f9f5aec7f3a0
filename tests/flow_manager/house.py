"""A flow manager on real stores with everything around it in this process; only the executor and the log are acted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from headrace.execution.v1 import execution_pb2
from headrace.execution.v1 import execution_service_pb2 as execution_pb
from headrace.execution.v1 import execution_service_pb2_grpc as execution_rpc
from headrace.file.v1.file_service_pb2_grpc import FileServiceStub
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.flow.v1.flow_service_pb2_grpc import FlowServiceStub
from headrace.group.v1.group_service_pb2_grpc import GroupServiceStub
from headrace.integration.v1.integration_service_pb2_grpc import IntegrationServiceStub
from headrace.log.v1 import log_service_pb2 as log_pb
from headrace.log.v1 import log_service_pb2_grpc as log_rpc
from headrace.people.v1.people_service_pb2_grpc import PeopleServiceStub
from headrace.query.v1 import query_pb2
from headrace.scope.v1 import scope_pb2
from headrace.setting.v1.setting_service_pb2_grpc import SettingServiceStub
from headrace.store.v1.store_service_pb2_grpc import StoreServiceStub
from headrace.task.v1.task_service_pb2_grpc import TaskServiceStub
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_core.errors import HeadraceError, Unavailable
from headrace_flow_manager import json_text
from headrace_flow_manager.app import FlowManagerApp, open_app
from headrace_flow_manager.catalog.model import CatalogEntry
from headrace_flow_manager.catalog.packages import PackageSource
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.mail import Mail
from headrace_flow_manager.stores.bundle import Stores
from headrace_runtime.rpc import LocalServer

ANN = "a" * 24
BOB = "b" * 24

START = "headrace.utils.controls.OnStart"
SET = "headrace.utils.controls.SetVariable"

CATALOG = (
    CatalogEntry(START, {"name": START, "version": "1.0.0", "outPorts": ["out"]}),
    CatalogEntry(
        SET,
        {
            "name": SET,
            "version": "1.1.0",
            "private": True,
            "inPorts": [{"name": "in", "schema": {"type": "object", "required": ["variables"]}}],
            "outPorts": ["out"],
        },
    ),
    CatalogEntry(
        "acme.mail.core.Send",
        {
            "name": "acme.mail.core.Send",
            "inPorts": ["in"],
            "outPorts": ["out"],
            "quota": {"manager": "acme:mail", "resources": "requests"},
        },
    ),
)

STARTABLE: dict[str, Json] = {"go": {"type": START, "source": {}, "x": 1, "y": 2}}
"""A descriptor that is fit to start."""

UNKNOWN: dict[str, Json] = {"go": {"type": "acme.no.such.Thing", "source": {}}}
"""A descriptor that may be saved and not started."""


QUOTA = "module.exports = { rules: [{ limit: 10, window: 1000, resource: 'requests' }] };"
"""What a connector brings."""


@dataclass
class ActedExecution(execution_rpc.ExecutionServiceServicer):
    """An executor that writes down what it is asked and fails when it is told to."""

    calls: list[tuple[str, str, int, str]] = field(default_factory=list)
    events: list[execution_pb2.Event] = field(default_factory=list)
    failures: list[HeadraceError] = field(default_factory=list)
    """What the next calls fail with, first one first."""
    called: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a call was done or an event taken."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Code by flow id: events of these flows are refused."""

    open_runs: list[execution_pb2.Run] = field(default_factory=list)
    """Runs that wait; one that is cancelled is none any more."""
    refused_cancels: set[str] = field(default_factory=set)
    """Runs that cannot be cancelled for the moment."""

    async def ListRuns(self, request: execution_pb.ListRunsRequest, context: object) -> execution_pb.ListRunsResponse:
        found = [each for each in self.open_runs if (each.flow_id, each.state) == (request.flow_id, request.state)]
        return execution_pb.ListRunsResponse(runs=found[request.offset :][: request.limit], total=len(found))

    async def CancelRun(
        self, request: execution_pb.CancelRunRequest, context: object
    ) -> execution_pb.CancelRunResponse:
        if request.run_id in self.refused_cancels:
            raise Unavailable("The executor is away.")
        self._do("cancel", request.run_id)
        self.open_runs = [each for each in self.open_runs if each.run_id != request.run_id]
        return execution_pb.CancelRunResponse()

    def _do(self, call: str, flow_id: str, version: int = 0, activation_id: str = "") -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.calls.append((call, flow_id, version, activation_id))
        self.called.set()

    async def ActivateFlow(
        self, request: execution_pb.ActivateFlowRequest, context: object
    ) -> execution_pb.ActivateFlowResponse:
        self._do("activate", request.flow_id, request.version, request.activation_id)
        return execution_pb.ActivateFlowResponse()

    async def DeactivateFlow(
        self, request: execution_pb.DeactivateFlowRequest, context: object
    ) -> execution_pb.DeactivateFlowResponse:
        self._do("deactivate", request.flow_id, request.version, request.activation_id)
        return execution_pb.DeactivateFlowResponse()

    async def ForgetFlow(
        self, request: execution_pb.ForgetFlowRequest, context: object
    ) -> execution_pb.ForgetFlowResponse:
        self._do("forget", request.flow_id)
        return execution_pb.ForgetFlowResponse()

    async def ForgetTenant(
        self, request: execution_pb.ForgetTenantRequest, context: object
    ) -> execution_pb.ForgetTenantResponse:
        self._do("forget tenant", request.scope.tenant_id)
        return execution_pb.ForgetTenantResponse()

    async def Accept(
        self, request: execution_pb.AcceptRequest, context: object
    ) -> AsyncIterator[execution_pb.AcceptResponse]:
        if self.failures:
            raise self.failures.pop(0)
        yield execution_pb.AcceptResponse(acceptances=map(self._accept, request.events))

    def _accept(self, event: execution_pb2.Event) -> execution_pb2.Acceptance:
        code = self.refusals.get(event.flow_id)
        if code is not None:
            return execution_pb2.Acceptance(index=event.index, refusal=execution_pb2.Refusal(code=code, message="no"))
        self.events.append(event)
        self.called.set()
        return execution_pb2.Acceptance(index=event.index, run_id=event.event_id)

    @property
    def verbs(self) -> list[str]:
        """What was asked, in order."""
        return [call[0] for call in self.calls]


@dataclass
class ActedLog(log_rpc.LogServiceServicer):
    """A log that keeps what it is given."""

    records: list[log_pb.LogRecord] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    """Tenants, each as often as it was forgotten."""
    failures: list[HeadraceError] = field(default_factory=list)
    """What forgetting fails with next."""

    async def WriteRecords(self, request: log_pb.WriteRecordsRequest, context: object) -> log_pb.WriteRecordsResponse:
        self.records += request.records
        return log_pb.WriteRecordsResponse(stored=len(request.records))

    async def ForgetTenant(self, request: log_pb.ForgetTenantRequest, context: object) -> log_pb.ForgetTenantResponse:
        if self.failures:
            raise self.failures.pop(0)
        is_first = request.scope.tenant_id not in self.forgotten
        self.forgotten.append(request.scope.tenant_id)
        return log_pb.ForgetTenantResponse(removed=1, more=is_first)


@dataclass
class HeardNews:
    """A bus that remembers what was published."""

    published: list[tuple[str, bytes]] = field(default_factory=list)

    async def publish(self, topic: str, payloads: Sequence[bytes]) -> None:
        self.published += [(topic, payload) for payload in payloads]

    def subscribe(self, topic: str, *, group: str) -> Any:
        raise AssertionError("the flow manager only publishes")


@dataclass
class House:
    """A flow manager, who calls it and whom it calls."""

    app: FlowManagerApp
    clock: TestClock
    execution: ActedExecution
    log: ActedLog
    news: HeardNews
    channel: Any

    def __post_init__(self) -> None:
        # The generated stubs are generic over the kind of channel; tests read their answers freely.
        self.flows: Any = FlowServiceStub(self.channel)
        self.integrations: Any = IntegrationServiceStub(self.channel)
        self.people: Any = PeopleServiceStub(self.channel)
        self.groups: Any = GroupServiceStub(self.channel)
        self.catalog: Any = CatalogServiceStub(self.channel)
        self.stores: Any = StoreServiceStub(self.channel)
        self.files: Any = FileServiceStub(self.channel)
        self.settings: Any = SettingServiceStub(self.channel)
        self.tasks: Any = TaskServiceStub(self.channel)

    async def create(self, name: str = "one", tenant: str = ANN, **fields: Json) -> flow_pb2.Flow:
        """A new flow; it is fit to start where `flow` is not given."""
        record: dict[str, Json] = {"name": name, "flow": STARTABLE, **fields}
        answer = await self.flows.CreateFlow(flow_pb.CreateFlowRequest(scope=scope(tenant), record=dump(record)))
        return flow_of(answer)

    async def get(self, flow_id: str, tenant: str = ANN) -> flow_pb2.Flow:
        return flow_of(await self.flows.GetFlow(flow_pb.GetFlowRequest(scope=scope(tenant), flow_id=flow_id)))

    async def update(self, flow_id: str, changes: dict[str, Json], tenant: str = ANN, **more: Any) -> flow_pb2.Flow:
        request = flow_pb.UpdateFlowRequest(scope=scope(tenant), flow_id=flow_id, changes=dump(changes), **more)
        return flow_of(await self.flows.UpdateFlow(request))

    async def begin(self, flow_id: str, tenant: str = ANN) -> flow_pb2.Flow:
        return flow_of(await self.flows.StartFlow(flow_pb.StartFlowRequest(scope=scope(tenant), flow_id=flow_id)))

    async def end(self, flow_id: str, tenant: str = ANN) -> flow_pb2.Flow:
        return flow_of(await self.flows.StopFlow(flow_pb.StopFlowRequest(scope=scope(tenant), flow_id=flow_id)))

    async def delete(self, flow_id: str, tenant: str = ANN) -> None:
        await self.flows.DeleteFlow(flow_pb.DeleteFlowRequest(scope=scope(tenant), flow_id=flow_id))

    async def names(self, query: query_pb2.ListQuery, tenant: str = ANN) -> list[Json]:
        """Names of the flows that a query finds."""
        answer = await self.flows.ListFlows(flow_pb.ListFlowsRequest(scope=scope(tenant), query=query))
        return [load(flow.record)["name"] for flow in answer.flows]


@asynccontextmanager
async def open_house(
    stores: Path | Stores,
    settings: FlowManagerSettings | None = None,
    *,
    execution: ActedExecution | None = None,
    clock: TestClock | None = None,
    mail: Mail | None = None,
    packages: PackageSource | None = None,
    catalog: Sequence[Any] = CATALOG,
) -> AsyncIterator[House]:
    """A flow manager over stores, or over a SQLite file in a folder; entering again is a restart."""
    execution = execution or ActedExecution()  # type: ignore[abstract]  # what the flow manager never asks is not acted
    log = ActedLog()  # type: ignore[abstract]  # as above
    news, clock = HeardNews(), clock or TestClock()
    around, own = LocalServer(), LocalServer()
    execution_rpc.add_ExecutionServiceServicer_to_server(execution, around)
    log_rpc.add_LogServiceServicer_to_server(log, around)
    async with open_app(
        stores / "flow_manager.db" if isinstance(stores, Path) else stores,
        catalog=catalog,
        execution_channel=around.channel(),
        log_channel=around.channel(),
        clock=clock,
        settings=settings or FlowManagerSettings(),
        bus=news,
        mail=mail,
        packages=packages,
        apps={"headrace.utils": {"name": "headrace.utils", "label": "Utilities"}},
        bundles={"headrace.utils.controls": {"version": "1.0.0"}},
        quotas={"acme:crm": QUOTA},
    ) as app:
        app.register(own)
        yield House(app, clock, execution, log, news, own.channel())


def scope(tenant: str, *, every: bool = False) -> scope_pb2.TenantScope:
    return scope_pb2.TenantScope(tenant_id=tenant, actor_id=tenant, all_tenants=every)


def dump(value: Json) -> bytes:
    return json_text.encode(value).encode()


def load(data: bytes) -> dict[str, Json]:
    return json_text.decode_object(data, "answer")


def flow_of(answer: Any) -> flow_pb2.Flow:
    flow: flow_pb2.Flow = answer.flow
    return flow


def where(field_name: str, operator: "query_pb2.Operator.ValueType", value: Json = None) -> query_pb2.ListQuery:
    """A query with one condition."""
    return query_pb2.ListQuery(filter=[query_pb2.Condition(field=field_name, operator=operator, value=dump(value))])
