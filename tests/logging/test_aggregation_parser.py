"""What is not known of Elasticsearch's syntax is refused, and the answer names the place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_logging.query import aggregation_parser
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def nested(depth: int) -> Json:
    inner: Json = {"n": {"value_count": {"field": "_id"}}}
    for _ in range(depth):
        inner = {"t": {"terms": {"field": "flowId"}, "aggs": inner}}
    return inner


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ([], "aggs"),
        ({"a": 5}, "aggs.a"),
        ({"a": {}}, "aggs.a"),
        ({"a": {"terms": {"field": "x"}, "avg": {"field": "x"}}}, "aggs.a"),
        ({"a": {"scripted_metric": {}}}, "aggs.a.scripted_metric"),
        ({"a[0]": {"avg": {"field": "x"}}}, "aggs.a[0]"),
        ({"a": {"terms": {}}}, "aggs.a.terms.field"),
        ({"a": {"terms": {"field": "x", "script": "1"}}}, "aggs.a.terms.script"),
        ({"a": {"terms": {"field": "x", "size": 0}}}, "aggs.a.terms.size"),
        ({"a": {"terms": {"field": "x", "size": True}}}, "aggs.a.terms.size"),
        ({"a": {"terms": {"field": "x", "size": 1001}}}, "aggs.a.terms.size"),
        ({"a": {"terms": {"field": "x", "order": {"b": "asc"}}}}, "aggs.a.terms.order.b"),
        ({"a": {"terms": {"field": "x", "order": {"_key": "up"}}}}, "aggs.a.terms.order._key"),
        ({"a": {"avg": {"field": "x"}, "aggs": {}}}, "aggs.a.aggs"),
        ({"a": {"histogram": {"field": "x"}}}, "aggs.a.histogram.interval"),
        ({"a": {"histogram": {"field": "x", "interval": 0}}}, "aggs.a.histogram.interval"),
        ({"a": {"date_histogram": {"field": "x", "fixed_interval": "1d"}}}, "aggs.a.date_histogram.field"),
        ({"a": {"date_histogram": {"field": "gridTimestamp"}}}, "aggs.a.date_histogram"),
        (
            {"a": {"date_histogram": {"field": "gridTimestamp", "fixed_interval": "1M"}}},
            "aggs.a.date_histogram.fixed_interval",
        ),
        (
            {"a": {"date_histogram": {"field": "gridTimestamp", "interval": "1d", "time_zone": "../x"}}},
            "aggs.a.date_histogram.time_zone",
        ),
        ({"a": {"range": {"field": "x", "ranges": [{}]}}}, "aggs.a.range.ranges.0"),
        ({"a": {"range": {"field": "x", "ranges": [{"from": "a"}]}}}, "aggs.a.range.ranges.0.from"),
        ({"a": {"filter": {"script": {}}}}, "aggs.a.filter.script"),
        ({"a": {"filter": {"query_string": {"query": "a:("}}}}, "aggs.a.filter.query_string.query"),
        ({"a": {"filter": {"term": {"x": {}}}}}, "aggs.a.filter.term"),
        ({"a": {"filters": {"filters": {}}}}, "aggs.a.filters.filters"),
        ({"a": {"percentiles": {"field": "x", "percents": [101]}}}, "aggs.a.percentiles.percents"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(asked: Json, where: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        aggregation_parser.parse(asked, NOW)

    assert refused.value.problems[0].where == where
    assert refused.value.problems[0].message


def test_depth_and_number_have_an_end() -> None:
    assert aggregation_parser.parse(nested(aggregation_parser.MAX_DEPTH - 1), NOW)

    with pytest.raises(ValidationFailed, match="nest"):
        aggregation_parser.parse(nested(aggregation_parser.MAX_DEPTH), NOW)
    with pytest.raises(ValidationFailed, match="At most"):
        aggregation_parser.parse({str(n): {"avg": {"field": "x"}} for n in range(51)}, NOW)


words = st.sampled_from(
    [
        "a",
        "terms",
        "field",
        "aggs",
        "filter",
        "filters",
        "bool",
        "must",
        "range",
        "ranges",
        "from",
        "gte",
        "size",
        "order",
        "gridTimestamp",
        "date_histogram",
        "calendar_interval",
        "day",
        "histogram",
        "interval",
        "query_string",
        "query",
    ]
)
hostile: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=20,
)


@given(hostile)
def test_whatever_is_asked_is_read_or_refused(asked: Json) -> None:
    try:
        aggregation_parser.parse(asked, NOW)
    except ValidationFailed as refused:
        assert refused.problems
