"""headrace.log.v1: decode, call, encode."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

import orjson
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.log.v1 import log_service_pb2 as pb
from headrace.log.v1 import log_service_pb2_grpc as grpc_pb
from headrace.scope.v1 import scope_pb2
from headrace_core import Json
from headrace_core.errors import BadRequest, Forbidden
from headrace_runtime.rpc import Server

from headrace_logging import model, showing
from headrace_logging.model import LogRecord, Scope, SortKey, StoredRecord
from headrace_logging.service import LogService, Question


class LogServicer(grpc_pb.LogServiceServicer):
    """Answers headrace.log.v1.LogService."""

    def __init__(self, service: LogService) -> None:
        self._service = service

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_LogServiceServicer_to_server(self, server)

    async def WriteRecords(self, request: pb.WriteRecordsRequest, context: object) -> pb.WriteRecordsResponse:
        decoded = [(record.record_id, _record(record)) for record in request.records]
        unreadable = [record_id for record_id, record in decoded if record is None]
        written = await self._service.write([record for _, record in decoded if record is not None])
        return pb.WriteRecordsResponse(
            stored=len(written.stored), known=written.known, refused_ids=[*unreadable, *written.refused_ids]
        )

    async def QueryRecords(self, request: pb.QueryRecordsRequest, context: object) -> pb.QueryRecordsResponse:
        found = await self._service.search(_question(request))
        return pb.QueryRecordsResponse(
            records=[_encoded(stored, request.includes, request.excludes) for stored in found.records],
            buckets=[pb.Bucket(**{"from": _timestamp(bar.start)}, count=bar.count) for bar in found.bars],
            total=found.total,
            aggregations=orjson.dumps(found.aggregations) if found.aggregations else b"",
        )

    async def GetRecord(self, request: pb.GetRecordRequest, context: object) -> pb.GetRecordResponse:
        stored = await self._service.get(_scope(request.scope), request.record_id)
        return pb.GetRecordResponse(record=_encoded(stored))

    async def ForgetTenant(self, request: pb.ForgetTenantRequest, context: object) -> pb.ForgetTenantResponse:
        forgotten = await self._service.forget(request.scope.tenant_id)
        return pb.ForgetTenantResponse(removed=forgotten.removed, more=forgotten.more)

    async def Tail(self, request: pb.TailRequest, context: object) -> AsyncIterator[pb.TailResponse]:
        with self._service.follow(_scope(request.scope), request.query, tuple(request.flow_ids)) as reader:
            # An empty answer says that the reader is in place: what is written from here on reaches it.
            yield pb.TailResponse()
            async for batch in reader.batches():
                yield pb.TailResponse(records=[_encoded(stored) for stored in batch.records], dropped=batch.dropped)


def _record(record: pb.LogRecord) -> LogRecord | None:
    """The record as it came in; None when its fields or its time cannot be read."""
    try:
        fields = orjson.loads(record.fields or b"{}")
        at = record.at.ToDatetime(tzinfo=UTC)
    except ValueError:
        return None
    return LogRecord(record.record_id, record.tenant_id, at, fields) if isinstance(fields, dict) else None


def _question(request: pb.QueryRecordsRequest) -> Question:
    return Question(
        scope=_scope(request.scope),
        query=request.query,
        start=_moment(getattr(request, "from"), "from") if request.HasField("from") else None,
        end=_moment(request.to, "to") if request.HasField("to") else None,
        flow_ids=tuple(request.flow_ids),
        port_type=request.port_type,
        size=request.size or model.DEFAULT_SIZE,
        offset=request.offset,
        sort=tuple(SortKey(key.field or "gridTimestamp", key.descending) for key in request.sort),
        search_after=_cursor(request.search_after),
        trace=request.trace,
        aggregations=_aggregations(request.aggregations),
    )


def _cursor(written: bytes) -> Json:
    if not written:
        return None
    try:
        value: Json = orjson.loads(written)
    except ValueError as error:
        raise BadRequest("searchAfter is no JSON: send an array with a value for each sort key.") from error
    return value if value is not None else []


def _aggregations(written: bytes) -> Json:
    try:
        value: Json = orjson.loads(written or b"{}")
    except ValueError as error:
        raise BadRequest("aggregations is no JSON: send an object of aggregations by name.") from error
    return value


def _scope(scope: scope_pb2.TenantScope) -> Scope:
    if not scope.tenant_id and not scope.all_tenants:
        raise Forbidden("The call names no tenant whose log it may read.")
    return Scope(scope.tenant_id, scope.all_tenants)


def _encoded(stored: StoredRecord, includes: Iterable[str] = (), excludes: Iterable[str] = ()) -> pb.LogRecord:
    fields = showing.projected(model.shown(stored), tuple(includes), tuple(excludes))
    return pb.LogRecord(
        record_id=stored.record.record_id,
        tenant_id=stored.record.tenant_id,
        at=_timestamp(stored.record.at),
        fields=orjson.dumps(fields),
    )


def _moment(timestamp: Timestamp, name: str) -> datetime:
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{name} is no time of this calendar.") from error


def _timestamp(at: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(at)
    return written
