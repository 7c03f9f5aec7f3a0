"""Between proto messages and the values of the public API."""

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.query.v1 import query_pb2
from headrace.scope.v1 import scope_pb2
from headrace_core import Json, errors

from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery, Operator

_OPERATORS: Mapping[Operator, "query_pb2.Operator.ValueType"] = {
    "equal": query_pb2.OPERATOR_EQUAL,
    "not_equal": query_pb2.OPERATOR_NOT_EQUAL,
    "match": query_pb2.OPERATOR_MATCH,
    "greater": query_pb2.OPERATOR_GREATER,
    "less": query_pb2.OPERATOR_LESS,
    "empty": query_pb2.OPERATOR_EMPTY,
}


def scope_to_proto(scope: Scope) -> scope_pb2.TenantScope:
    return scope_pb2.TenantScope(tenant_id=scope.tenant_id, actor_id=scope.actor_id, all_tenants=scope.all_tenants)


def query_to_proto(query: ListQuery) -> query_pb2.ListQuery:
    return query_pb2.ListQuery(
        filter=[
            query_pb2.Condition(
                field=each.field,
                operator=_OPERATORS[each.operator],
                value=b"" if each.operator == "empty" else orjson.dumps(each.value),
                written="" if isinstance(each.value, str) else each.written,
            )
            for each in query.filter
        ],
        pattern=query.pattern,
        sort=[query_pb2.SortKey(field=each.field, descending=each.descending) for each in query.sort],
        offset=query.offset,
        limit=query.limit,
    )


def json_value(text: bytes) -> Json:
    """The value of a JSON field; nothing there reads as null."""
    if not text:
        return None
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise errors.Internal("A service answered with JSON that is none.") from None
    return value


def json_object(text: bytes) -> dict[str, Json]:
    """The object of a JSON field; nothing there reads as an empty one."""
    value = json_value(text)
    return value if isinstance(value, dict) else {}


def moment(message: Message, field: str) -> str | None:
    """The ISO text of a timestamp field, in UTC with milliseconds; None where it is absent."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return iso(stamp.ToDatetime(tzinfo=UTC))


def iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
