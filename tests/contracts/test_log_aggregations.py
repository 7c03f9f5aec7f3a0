"""What every LogStore makes of aggregations: the same, to the digit, in Elasticsearch's shape."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from headrace_core import Json
from headrace_core.errors import BadRequest, DeadlineExceeded
from headrace_logging.model import Scope, Search
from headrace_logging.query import aggregating, aggregation_parser, parser
from headrace_logging.store import LogStore

from .test_log_store import IN_TIME, MINE, make_store, record, store

__all__ = ["make_store", "store"]

DAY = timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 3, 10, tzinfo=UTC)


async def filled(store: LogStore) -> LogStore:
    """Four records of a week, and one of a neighbour."""
    records = [
        record("a", MONDAY, flowId="F1", severity="info", size=10, tags=["x", "y"], timing={"ms": 1.5}, ok=True),
        record("b", MONDAY + timedelta(hours=5), flowId="F1", severity="error", size=20, tags=["y"], ok=False),
        record("c", MONDAY + 2 * DAY, flowId="F2", severity="info", size=30, timing={"ms": 2.5}),
        record("d", MONDAY + 3 * DAY, flowId="f2", severity="warn", size="forty"),
        record("theirs", MONDAY, tenant="tenant-b", flowId="F9", size=1_000),
    ]
    await store.write(records, NOW)
    return store


async def answers(store: LogStore, asked: Json, query: str = "", scope: Scope = MINE) -> dict[str, Any]:
    search = Search(scope, node=parser.parse(query, NOW), size=1)
    return await store.aggregate(search, aggregation_parser.parse(asked, NOW), within=IN_TIME)


def keys(answer: dict[str, Any]) -> list[tuple[Any, int]]:
    return [(bucket["key"], bucket["doc_count"]) for bucket in answer["buckets"]]


async def test_terms_are_counted_as_they_were_written_the_most_frequent_first(store: LogStore) -> None:
    asked = {
        "flows": {"terms": {"field": "flowId"}},
        "few": {"terms": {"field": "flowId.keyword", "size": 1}},
        "tags": {"terms": {"field": "tags", "order": {"_key": "desc"}, "missing": "none"}},
        "sizes": {"terms": {"field": "size", "order": {"_key": "asc"}}},
        "ok": {"terms": {"field": "ok"}},
    }

    found = await answers(await filled(store), asked)

    assert keys(found["flows"]) == [("F1", 2), ("F2", 1), ("f2", 1)]
    assert keys(found["few"]) == [("F1", 2)]
    assert found["few"]["sum_other_doc_count"] == 2
    assert keys(found["tags"]) == [("y", 2), ("x", 1), ("none", 2)]
    assert keys(found["sizes"]) == [(10, 1), (20, 1), (30, 1), ("forty", 1)]
    assert [bucket["key_as_string"] for bucket in found["ok"]["buckets"]] == ["false", "true"]


async def test_numbers_are_exact_and_leave_out_what_is_none(store: LogStore) -> None:
    kinds = ("avg", "sum", "min", "max", "value_count", "cardinality")
    asked: dict[str, Json] = {kind: {kind: {"field": "size"}} for kind in kinds}
    asked["half"] = {"percentiles": {"field": "size", "percents": [0, 50, 75, 100]}}
    asked["nested"] = {"sum": {"field": "timing.ms"}}
    asked["nothing"] = {"avg": {"field": "nowhere"}}
    asked["last"] = {"max": {"field": "gridTimestamp"}}

    found = await answers(await filled(store), asked)

    assert {kind: found[kind]["value"] for kind in kinds} == {
        "avg": 20.0,
        "sum": 60.0,
        "min": 10.0,
        "max": 30.0,
        "value_count": 4,
        "cardinality": 4,
    }
    assert found["half"]["values"] == {"0.0": 10.0, "50.0": 20.0, "75.0": 25.0, "100.0": 30.0}
    assert found["nested"] == {"value": 4.0}
    assert found["nothing"] == {"value": None}
    assert found["last"]["value_as_string"] == "2026-03-05T00:00:00.000Z"


async def test_days_without_records_are_buckets_too_and_hold_what_is_asked_inside(store: LogStore) -> None:
    asked = {
        "days": {
            "date_histogram": {"field": "gridTimestamp", "calendar_interval": "day"},
            "aggs": {"bad": {"filter": {"term": {"severity": "error"}}, "aggs": {"sum": {"sum": {"field": "size"}}}}},
        }
    }

    (first, second, third, fourth) = (await answers(await filled(store), asked))["days"]["buckets"]

    assert (first["key"], first["key_as_string"], first["doc_count"]) == (
        int(MONDAY.timestamp() * 1000),
        "2026-03-02T00:00:00.000Z",
        2,
    )
    assert first["bad"] == {"doc_count": 1, "sum": {"value": 20.0}}
    assert (second["doc_count"], second["bad"]) == (0, {"doc_count": 0, "sum": {"value": 0.0}})
    assert [third["doc_count"], fourth["doc_count"]] == [1, 1]


@pytest.mark.parametrize(
    ("interval", "zone", "first", "count"),
    [
        ({"calendar_interval": "week"}, "UTC", "2026-03-02T00:00:00.000Z", 1),
        ({"calendar_interval": "1M"}, "UTC", "2026-03-01T00:00:00.000Z", 1),
        ({"calendar_interval": "quarter"}, "UTC", "2026-01-01T00:00:00.000Z", 1),
        ({"calendar_interval": "year"}, "UTC", "2026-01-01T00:00:00.000Z", 1),
        ({"calendar_interval": "day"}, "-01:00", "2026-03-01T01:00:00.000Z", 4),
        ({"calendar_interval": "day"}, "Europe/Prague", "2026-03-01T23:00:00.000Z", 4),
        ({"fixed_interval": "12h"}, "UTC", "2026-03-02T00:00:00.000Z", 7),
        ({"interval": "1d"}, "UTC", "2026-03-02T00:00:00.000Z", 4),
    ],
)
async def test_stretches_of_time_follow_the_calendar_of_their_zone(
    interval: dict[str, str], zone: str, first: str, count: int, store: LogStore
) -> None:
    asked: Json = {"t": {"date_histogram": {"field": "gridTimestamp", "time_zone": zone, **interval}}}

    buckets = (await answers(await filled(store), asked))["t"]["buckets"]

    assert (buckets[0]["key_as_string"], len(buckets)) == (first, count)
    assert sum(bucket["doc_count"] for bucket in buckets) == 4


async def test_numbers_fall_into_histograms_and_ranges(store: LogStore) -> None:
    stretches: Json = [{"to": 20}, {"from": 20, "key": "large"}, {"from": 5, "to": 99}]
    asked = {
        "tens": {"histogram": {"field": "size", "interval": 10}},
        "shifted": {"histogram": {"field": "size", "interval": 15, "offset": 5, "min_doc_count": 1}},
        "ranges": {"range": {"field": "size", "ranges": stretches}},
        "times": {"range": {"field": "gridTimestamp", "ranges": [{"from": "2026-03-04"}]}},
    }

    found = await answers(await filled(store), asked)

    assert keys(found["tens"]) == [(10.0, 1), (20.0, 1), (30.0, 1)]
    assert keys(found["shifted"]) == [(5.0, 1), (20.0, 2)]
    assert keys(found["ranges"]) == [("*-20.0", 1), ("large", 2), ("5.0-99.0", 3)]
    assert found["times"]["buckets"][0]["doc_count"] == 2
    assert found["times"]["buckets"][0]["from_as_string"] == "2026-03-04T00:00:00.000Z"


async def test_filters_are_queries_with_names(store: LogStore) -> None:
    queries: dict[str, Json] = {
        "all": {"match_all": {}},
        "lucene": {"query_string": {"query": "severity:error OR flowId:F2"}},
        "terms": {"terms": {"severity": ["warn", "error"]}},
        "sized": {"range": {"size": {"gte": 20, "lt": 31}}},
        "late": {"range": {"gridTimestamp": {"gt": "2026-03-02", "lte": "2026-03-04"}}},
        "tagged": {"exists": {"field": "tags"}},
        "both": {"bool": {"must": [{"exists": {"field": "tags"}}], "must_not": {"term": {"severity": "error"}}}},
        "either": {"bool": {"should": [{"term": {"size": 10}}, {"term": {"size": 30}}]}},
    }

    found = (await answers(await filled(store), {"f": {"filters": {"filters": queries}}}))["f"]["buckets"]

    assert {name: bucket["doc_count"] for name, bucket in found.items()} == {
        "all": 4,
        "lucene": 3,
        "terms": 2,
        "sized": 2,
        "late": 1,
        "tagged": 2,
        "both": 1,
        "either": 2,
    }


async def test_buckets_come_in_the_order_of_a_number_inside_them(store: LogStore) -> None:
    asked = {
        "flows": {
            "terms": {"field": "severity", "order": {"most": "desc"}},
            "aggs": {"most": {"max": {"field": "size"}}},
        }
    }

    found = await answers(await filled(store), asked)

    assert [bucket["key"] for bucket in found["flows"]["buckets"]] == ["info", "error", "warn"]


async def test_only_what_the_search_finds_is_looked_at(store: LogStore) -> None:
    await filled(store)
    asked: Json = {"n": {"value_count": {"field": "_id"}}}

    assert (await answers(store, asked))["n"]["value"] == 4
    assert (await answers(store, asked, "severity:info"))["n"]["value"] == 2
    assert (await answers(store, asked, "size:[15 TO 35]"))["n"]["value"] == 2
    assert (await answers(store, asked, scope=Scope("tenant-c")))["n"]["value"] == 0
    assert (await answers(store, asked, scope=Scope("", all_tenants=True)))["n"]["value"] == 5


async def test_an_answer_has_an_end_in_buckets_and_in_time(store: LogStore) -> None:
    await filled(store)
    tiny: Json = {"t": {"date_histogram": {"field": "gridTimestamp", "fixed_interval": "1ms"}}}
    small: Json = {"t": {"histogram": {"field": "size", "interval": 1e-9}}}

    for asked in (tiny, small):
        with pytest.raises(BadRequest, match=str(aggregating.MAX_BUCKETS)):
            await answers(store, asked)
    with pytest.raises(DeadlineExceeded):
        parsed = aggregation_parser.parse(small, NOW)
        await store.aggregate(Search(MINE), parsed, within=timedelta(0))
