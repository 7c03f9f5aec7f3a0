"""headrace.audit.v1: decode, call, encode."""

from collections.abc import AsyncGenerator
from datetime import UTC

from headrace.audit.v1 import audit_service_pb2 as pb
from headrace.audit.v1 import audit_service_pb2_grpc as grpc_pb
from headrace_core import Json
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.audit.service import AuditService
from headrace_flow_manager.servicer import json_bytes, query_of, timestamp


class AuditServicer(grpc_pb.AuditServiceServicer):
    """Answers headrace.audit.v1.AuditService."""

    def __init__(self, trail: AuditService) -> None:
        self._trail = trail

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_AuditServiceServicer_to_server(self, server)

    async def BeginAct(self, request: pb.BeginActRequest, context: object) -> pb.BeginActResponse:
        await self._trail.begin(_from_proto(request.act))
        return pb.BeginActResponse()

    async def EndAct(self, request: pb.EndActRequest, context: object) -> pb.EndActResponse:
        await self._trail.end(request.act_id, request.status, _value(request.after, "after"))
        return pb.EndActResponse()

    async def ListActs(self, request: pb.ListActsRequest, context: object) -> pb.ListActsResponse:
        page = await self._trail.page(query_of(request.query))
        return pb.ListActsResponse(acts=map(_act, page.items), total=page.total)

    async def ExportActs(
        self, request: pb.ExportActsRequest, context: object
    ) -> AsyncGenerator[pb.ExportActsResponse, None]:
        async for acts in self._trail.walk(query_of(request.query)):
            yield pb.ExportActsResponse(acts=map(_act, acts))

    async def GetAct(self, request: pb.GetActRequest, context: object) -> pb.GetActResponse:
        return pb.GetActResponse(act=_act(await self._trail.get(request.act_id)))


def _from_proto(act: pb.Act) -> Act:
    return Act(
        act_id=act.act_id,
        begun_at=act.begun_at.ToDatetime(tzinfo=UTC),
        actor_id=act.actor_id,
        actor_name=act.actor_name,
        address=act.address,
        request_id=act.request_id,
        action=act.action,
        summary=act.summary,
        target=act.target,
        tenant_id=act.tenant_id,
        before=_value(act.before, "before"),
        given=_value(act.given, "given"),
    )


def _act(act: Act) -> pb.Act:
    return pb.Act(
        act_id=act.act_id,
        begun_at=timestamp(act.begun_at),
        actor_id=act.actor_id,
        actor_name=act.actor_name,
        address=act.address,
        request_id=act.request_id,
        action=act.action,
        summary=act.summary,
        target=act.target,
        tenant_id=act.tenant_id,
        before=_bytes(act.before),
        given=_bytes(act.given),
        after=_bytes(act.after),
        status=act.status,
        ended_at=timestamp(act.ended_at),
    )


def _value(text: bytes, what: str) -> Json:
    return json_text.decode(text, what) if text else None


def _bytes(value: Json) -> bytes:
    return b"" if value is None else json_bytes(value)
