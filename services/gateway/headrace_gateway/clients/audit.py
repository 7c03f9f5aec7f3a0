"""The audit trail."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

import orjson
from headrace.audit.v1 import audit_service_pb2 as pb
from headrace.audit.v1.audit_service_pb2_grpc import AuditServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_value, moment, query_to_proto
from headrace_gateway.queries import ListQuery

EXPORT_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody is about to do. `before` and `given` are without secrets."""

    act_id: str
    begun_at: datetime
    actor_id: str
    actor: str
    address: str
    request_id: str
    action: str
    summary: str
    target: str
    tenant_id: str
    before: Json
    given: Json


class AuditClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = AuditServiceStub(channel)
        self._timeout = timeout_seconds

    async def begin(self, act: Act) -> None:
        """Put an act on record."""
        made = pb.Act(
            act_id=act.act_id,
            actor_id=act.actor_id,
            actor_name=act.actor,
            address=act.address,
            request_id=act.request_id,
            action=act.action,
            summary=act.summary,
            target=act.target,
            tenant_id=act.tenant_id,
            before=_bytes(act.before),
            given=_bytes(act.given),
        )
        made.begun_at.FromDatetime(act.begun_at)
        await self._stub.BeginAct(pb.BeginActRequest(act=made), timeout=self._timeout)

    async def end(self, act_id: str, status: int, after: Json) -> None:
        """Add how an act ended. Raises NotFound."""
        request = pb.EndActRequest(act_id=act_id, status=status, after=_bytes(after))
        await self._stub.EndAct(request, timeout=self._timeout)

    async def page(self, query: ListQuery) -> tuple[list[dict[str, Json]], int]:
        """A page of the trail, newest first where no order is asked for, and how many match."""
        request = pb.ListActsRequest(query=query_to_proto(query))
        answer = await self._stub.ListActs(request, timeout=self._timeout)
        return [_act_to_json(each) for each in answer.acts], answer.total

    async def export(self, query: ListQuery) -> AsyncGenerator[list[dict[str, Json]], None]:
        """All that match, newest first, some at a time; within ten minutes."""
        stream = self._stub.ExportActs(pb.ExportActsRequest(query=query_to_proto(query)), timeout=EXPORT_SECONDS)
        try:
            async for answer in stream:
                yield [_act_to_json(each) for each in answer.acts]
        finally:
            stream.cancel()

    async def get(self, act_id: str) -> dict[str, Json]:
        """One act. Raises NotFound."""
        answer = await self._stub.GetAct(pb.GetActRequest(act_id=act_id), timeout=self._timeout)
        return _act_to_json(answer.act)


def _bytes(value: Json) -> bytes:
    return b"" if value is None else orjson.dumps(value)


def _act_to_json(act: pb.Act) -> dict[str, Json]:
    return {
        "actId": act.act_id,
        "at": moment(act, "begun_at"),
        "actorId": act.actor_id,
        "actor": act.actor_name,
        "address": act.address,
        "requestId": act.request_id,
        "action": act.action,
        "summary": act.summary,
        "target": act.target,
        "tenantId": act.tenant_id or None,
        "before": json_value(act.before),
        "given": json_value(act.given),
        "after": json_value(act.after),
        "status": act.status or None,
        "endedAt": moment(act, "ended_at"),
    }
