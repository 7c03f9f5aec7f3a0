"""What flow-manager asks of others: the executor over RPC, everybody over the bus."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from headrace.execution.v1 import execution_pb2
from headrace.execution.v1 import execution_service_pb2 as pb
from headrace.execution.v1.execution_service_pb2_grpc import ExecutionServiceStub
from headrace.scope.v1 import scope_pb2
from headrace_core.errors import NotFound, Unavailable
from headrace_core.ports import Bus

from headrace_flow_manager.data_stores.model import Delivery
from headrace_flow_manager.flows.model import Flow

if TYPE_CHECKING:
    import grpc.aio

FLOW_CHANGED = "flow.changed"
HOOKS_SECONDS = 90.0


class ExecutionClient:
    """Keeps `FlowExecution` and takes changes of data stores to the triggers that listen."""

    def __init__(self, channel: grpc.aio.Channel, timeout: timedelta) -> None:
        self._stub = ExecutionServiceStub(channel)
        self._timeout = timeout.total_seconds()

    async def activate(self, flow: Flow) -> None:
        request = pb.ActivateFlowRequest(
            scope=_scope(flow.tenant_id),
            flow_id=flow.flow_id,
            version=flow.running_version,
            activation_id=flow.activation_id,
        )
        await self._stub.ActivateFlow(request, timeout=HOOKS_SECONDS)

    async def deactivate(self, flow: Flow) -> None:
        request = pb.DeactivateFlowRequest(
            scope=_scope(flow.tenant_id),
            flow_id=flow.flow_id,
            version=flow.activated_version or flow.version,
            activation_id=flow.activation_id,
        )
        await self._stub.DeactivateFlow(request, timeout=HOOKS_SECONDS)

    async def forget(self, flow: Flow) -> None:
        request = pb.ForgetFlowRequest(scope=_scope(flow.tenant_id), flow_id=flow.flow_id)
        await self._stub.ForgetFlow(request, timeout=self._timeout)

    async def deliver(self, delivery: Delivery) -> None:
        """Hand a change to one trigger. Raises NotFound when its flow takes no events, Unavailable to try again."""
        event = execution_pb2.Event(
            flow_id=delivery.flow_id,
            node_id=delivery.node_id,
            port="store",
            event_id=delivery.event_id,
            content=delivery.content,
        )
        async for answer in self._stub.Accept(pb.AcceptRequest(events=[event]), timeout=self._timeout):
            for acceptance in answer.acceptances:
                if acceptance.HasField("refusal"):
                    raise NotFound("listening trigger", f"{delivery.flow_id}/{delivery.node_id}")
                return
        raise Unavailable("The executor gave no answer.")


class BusNews:
    """Keeps `FlowNews` over the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def changed(self, flow: Flow) -> None:
        await self._bus.publish(FLOW_CHANGED, [flow.flow_id.encode()])


def _scope(tenant_id: str) -> scope_pb2.TenantScope:
    return scope_pb2.TenantScope(tenant_id=tenant_id, actor_id=tenant_id)
