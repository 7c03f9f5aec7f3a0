"""What tenants own, as it is kept: JSON passes by unread, so that what is brought back is what was taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from headrace.flow.v1 import flow_pb2, flow_service_pb2
from headrace.flow.v1.flow_service_pb2_grpc import FlowServiceStub
from headrace.store.v1 import store_service_pb2
from headrace.store.v1.store_service_pb2_grpc import StoreServiceStub
from headrace_core import Json, errors
from headrace_core.ids import new_id
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import moment, query_to_proto, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery

_ACTIVE = (flow_pb2.FLOW_STAGE_STARTING, flow_pb2.FLOW_STAGE_RUNNING)


@dataclass(frozen=True, slots=True)
class KeptFlow:
    """A flow. `record` is JSON text: its public fields, the descriptor among them."""

    flow_id: str
    tenant_id: str
    record: bytes
    version: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version. `descriptor` is JSON text."""

    version: int
    label: str
    descriptor: bytes
    created_at: Json


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record of a data store. `value` is JSON text."""

    key: str
    value: bytes


class BelongingsClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._flows = FlowServiceStub(channel)
        self._stores = StoreServiceStub(channel)
        self._timeout = timeout_seconds

    async def flows(self, scope: Scope, query: ListQuery) -> Sequence[KeptFlow]:
        """A page of flows."""
        request = flow_service_pb2.ListFlowsRequest(scope=scope_to_proto(scope), query=query_to_proto(query))
        return [_flow(each) for each in (await self._flows.ListFlows(request, timeout=self._timeout)).flows]

    async def flow(self, scope: Scope, flow_id: str) -> KeptFlow | None:
        """One flow; None where there is none."""
        request = flow_service_pb2.GetFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        try:
            return _flow((await self._flows.GetFlow(request, timeout=self._timeout)).flow)
        except errors.NotFound:
            return None

    async def version(self, scope: Scope, flow_id: str, number: int) -> KeptVersion:
        """One version. Raises NotFound."""
        request = flow_service_pb2.GetFlowVersionRequest(scope=scope_to_proto(scope), flow_id=flow_id, version=number)
        found = (await self._flows.GetFlowVersion(request, timeout=self._timeout)).version
        return KeptVersion(found.version, found.label, found.descriptor_json or b"{}", moment(found, "created_at"))

    async def make_flow(self, scope: Scope, flow_id: str, record: bytes) -> KeptFlow:
        """A new flow. Raises AlreadyExists when the id is taken, ValidationFailed."""
        request = flow_service_pb2.CreateFlowRequest(scope=scope_to_proto(scope), flow_id=flow_id, record=record)
        return _flow((await self._flows.CreateFlow(request, timeout=self._timeout)).flow)

    async def change_flow(self, scope: Scope, flow_id: str, changes: bytes, *, as_version: int = 0) -> KeptFlow:
        """The flow with the changes made, where told as the version after its newest one.

        Raises NotFound, ValidationFailed, Conflict while it runs.
        """
        request = flow_service_pb2.UpdateFlowRequest(
            scope=scope_to_proto(scope), flow_id=flow_id, changes=changes, as_version=as_version
        )
        return _flow((await self._flows.UpdateFlow(request, timeout=self._timeout)).flow)

    async def records(self, scope: Scope, store_id: str, query: ListQuery) -> Sequence[KeptRecord]:
        """A page of records. Raises NotFound for the store."""
        request = store_service_pb2.ListRecordsRequest(
            scope=scope_to_proto(scope), store_id=store_id, query=query_to_proto(query)
        )
        found = (await self._stores.ListRecords(request, timeout=self._timeout)).records
        return [KeptRecord(each.key, each.value or b"null") for each in found]

    async def record(self, scope: Scope, store_id: str, key: str) -> KeptRecord | None:
        """One record; None where there is none."""
        request = store_service_pb2.GetRecordRequest(scope=scope_to_proto(scope), store_id=store_id, key=key)
        try:
            found = (await self._stores.GetRecord(request, timeout=self._timeout)).record
        except errors.NotFound:
            return None
        return KeptRecord(found.key, found.value or b"null")

    async def put_record(self, scope: Scope, store_id: str, record: KeptRecord, *, only_if_absent: bool) -> bool:
        """Write one record; False where it must be new and is not. Raises NotFound for the store."""
        request = store_service_pb2.PutRecordRequest(
            scope=scope_to_proto(scope),
            store_id=store_id,
            key=record.key,
            value=record.value,
            only_if_absent=only_if_absent,
            request_id=new_id(),
        )
        try:
            await self._stores.PutRecord(request, timeout=self._timeout)
        except errors.AlreadyExists:
            return False
        return True


def _flow(flow: flow_pb2.Flow) -> KeptFlow:
    record = flow.record or orjson.dumps({})
    return KeptFlow(flow.flow_id, flow.tenant_id, record, flow.version, flow.stage in _ACTIVE)
