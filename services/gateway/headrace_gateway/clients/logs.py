"""The log: what happened, for people to search."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC

import orjson
from headrace.log.v1 import log_service_pb2
from headrace.log.v1.log_service_pb2_grpc import LogServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import iso, json_object, moment, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import SortKey


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What to look for in the log."""

    query: str = ""
    flow_ids: Sequence[str] = ()
    port_type: str = ""
    size: int = 50
    offset: int = 0
    sort: Sequence[SortKey] = ()
    includes: Sequence[str] = ()
    excludes: Sequence[str] = ()
    search_after: Sequence[Json] = ()
    trace: bool = False
    aggregations: Json = None


class LogClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = LogServiceStub(channel)
        self._timeout = timeout_seconds

    async def find(self, scope: Scope, query: LogQuery) -> dict[str, Json]:
        """Records, a histogram, how many match, aggregations. Raises ValidationFailed for what does not parse."""
        request = log_service_pb2.QueryRecordsRequest(
            scope=scope_to_proto(scope),
            query=query.query,
            flow_ids=list(query.flow_ids),
            port_type=query.port_type,
            size=query.size,
            offset=query.offset,
            sort=[log_service_pb2.LogSort(field=each.field, descending=each.descending) for each in query.sort],
            includes=list(query.includes),
            excludes=list(query.excludes),
            search_after=orjson.dumps(list(query.search_after)) if query.search_after else b"",
            trace=query.trace,
            aggregations=orjson.dumps(query.aggregations) if query.aggregations else b"",
        )
        answer = await self._stub.QueryRecords(request, timeout=self._timeout)
        return {
            "hits": [_record_to_json(each) for each in answer.records],
            "buckets": [_bucket_to_json(each) for each in answer.buckets],
            "total": answer.total,
            "aggregations": json_object(answer.aggregations or b"{}"),
        }

    async def get(self, scope: Scope, record_id: str) -> dict[str, Json]:
        """One record. Raises NotFound."""
        request = log_service_pb2.GetRecordRequest(scope=scope_to_proto(scope), record_id=record_id)
        return _record_to_json((await self._stub.GetRecord(request, timeout=self._timeout)).record)

    async def tail(self, scope: Scope, flow_id: str) -> AsyncGenerator[tuple[list[dict[str, Json]], int], None]:
        """Records of a flow as they arrive, and how many were dropped on the way. Has no end of its own."""
        request = log_service_pb2.TailRequest(scope=scope_to_proto(scope), flow_ids=[flow_id])
        stream = self._stub.Tail(request)
        try:
            async for answer in stream:
                yield [_record_to_json(each) for each in answer.records], answer.dropped
        finally:
            stream.cancel()


def _record_to_json(record: log_service_pb2.LogRecord) -> dict[str, Json]:
    at = moment(record, "at")
    fields = json_object(record.fields)
    return {
        "gridTimestamp": at,
        **fields,
        "userId": record.tenant_id or fields.get("userId"),
        "_id": record.record_id,
        "_index": _index_of(at),
    }


def _index_of(at: str | None) -> str:
    """Monthly, as clients of the public API expect; records are found by id alone."""
    return f"headrace-{at[:4]}{at[5:7]}" if at else "headrace"


def _bucket_to_json(bucket: log_service_pb2.Bucket) -> dict[str, Json]:
    begins = getattr(bucket, "from").ToDatetime(tzinfo=UTC)
    return {
        "key": int(begins.timestamp() * 1000),
        "key_as_string": iso(begins),
        "doc_count": bucket.count,
    }
