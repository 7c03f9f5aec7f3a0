"""What the servicers of all nouns share: decoding who asks and for which page, encoding times and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from headrace.catalog.v1 import catalog_service_pb2 as catalog_pb
from headrace.query.v1 import query_pb2
from headrace.scope.v1 import scope_pb2
from headrace_core import Json
from headrace_core.errors import BadRequest, Problem, ValidationFailed

from headrace_flow_manager import json_text
from headrace_flow_manager.query import Condition, ListQuery, Operator, SortKey
from headrace_flow_manager.scope import Scope

MAX_ID = 256

_OPERATORS: Final[Mapping[int, Operator]] = {
    query_pb2.OPERATOR_EQUAL: "equal",
    query_pb2.OPERATOR_NOT_EQUAL: "not_equal",
    query_pb2.OPERATOR_MATCH: "match",
    query_pb2.OPERATOR_GREATER: "greater",
    query_pb2.OPERATOR_LESS: "less",
    query_pb2.OPERATOR_EMPTY: "empty",
}

LANGUAGES: Final[Mapping[str, catalog_pb.Language.ValueType]] = {
    "": catalog_pb.LANGUAGE_UNSPECIFIED,
    "python": catalog_pb.LANGUAGE_PYTHON,
    "javascript": catalog_pb.LANGUAGE_JAVASCRIPT,
}
"""What published components are written in."""


def scope_of(scope: scope_pb2.TenantScope) -> Scope:
    """Who asks. Raises BadRequest when no tenant is named: nothing is done for nobody."""
    if not 1 <= len(scope.tenant_id) <= MAX_ID:
        raise BadRequest("The call names no tenant. Send scope.tenant_id.")
    return Scope(scope.tenant_id, scope.actor_id or scope.tenant_id, scope.all_tenants)


def tenant_of(scope: scope_pb2.TenantScope) -> str:
    """The one tenant whose data the call may change. Raises BadRequest when none is named."""
    return scope_of(scope).tenant_id


def query_of(query: query_pb2.ListQuery) -> ListQuery:
    """The page that is asked for. Raises ValidationFailed for an operator that is not known."""
    return ListQuery(
        conditions=tuple(_condition(number, each) for number, each in enumerate(query.filter)),
        pattern=query.pattern,
        sort=tuple(SortKey(each.field, each.descending) for each in query.sort),
        offset=query.offset,
        limit=query.limit,
    )


def _condition(number: int, condition: query_pb2.Condition) -> Condition:
    operator = _OPERATORS.get(condition.operator)
    if operator is None:
        raise ValidationFailed([Problem(f"filter.{number}", "The condition has no operator.", "Choose one.")])
    if operator == "empty":
        return Condition(condition.field, operator)
    value = json_text.decode(condition.value, f"value of filter {number}")
    return Condition(condition.field, operator, value, condition.written)


def timestamp(instant: datetime | None) -> Timestamp | None:
    """The instant as proto carries it; absent when there is none."""
    if instant is None:
        return None
    made = Timestamp()
    made.FromDatetime(instant)
    return made


def json_bytes(value: Json | Mapping[str, Json]) -> bytes:
    """The value as JSON text."""
    return json_text.encode(dict(value) if isinstance(value, Mapping) else value).encode()
