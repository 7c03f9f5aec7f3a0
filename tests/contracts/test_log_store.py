"""What every LogStore promises."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from headrace_core import Json
from headrace_core.ids import new_id
from headrace_logging import model
from headrace_logging.model import LogRecord, Scope, Search, SortKey, StoredRecord
from headrace_logging.query import matching, parser
from headrace_logging.query.tree import (
    All,
    AnyOf,
    Between,
    Bound,
    Equals,
    Everything,
    Exists,
    Node,
    Not,
    Period,
    Resembles,
    Wild,
)
from headrace_logging.store import LogStore
from headrace_logging.stores import elasticsearch, sqlite
from headrace_logging.stores.elasticsearch_documents import Layout
from headrace_runtime.elasticsearch import open_elasticsearch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE = Scope("tenant-a")
IN_TIME = timedelta(seconds=20)
MakeStore: TypeAlias = Callable[[int], Awaitable[LogStore]]


@pytest.fixture(params=["sqlite", "elasticsearch"])
async def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MakeStore]:
    """Opens empty stores; the number is how many records a segment of a store that has them holds."""
    async with AsyncExitStack() as stack:
        opened = 0

        async def make(segment_records: int) -> LogStore:
            nonlocal opened
            opened += 1
            if request.param == "elasticsearch":
                return await stack.enter_async_context(emptied(request.getfixturevalue("elasticsearch_url")))
            store = await sqlite.open_store(tmp_path / f"log{opened}.db", segment_records=segment_records)
            stack.push_async_callback(store.close)
            return store

        yield make


@asynccontextmanager
async def emptied(url: str) -> AsyncIterator[LogStore]:
    """A log of its own in this Elasticsearch, with nothing left of it afterwards."""
    prefix = f"test-{new_id()}".lower()
    async with (
        open_elasticsearch(url) as client,
        elasticsearch.open_store(url, prefix=prefix, layout=Layout(replicas=0), is_seen_at_once=True) as store,
    ):
        yield store
        for index in await client.indices.get(index=f"{prefix}-logs-*"):
            await client.indices.delete(index=index)
        await client.indices.delete_index_template(name=f"{prefix}-logs")


@pytest.fixture
async def store(make_store: MakeStore) -> LogStore:
    return await make_store(1000)


@pytest.fixture
async def small_store(make_store: MakeStore) -> LogStore:
    return await make_store(3)


def record(name: str, at: datetime = NOW, tenant: str = "tenant-a", **fields: Json) -> LogRecord:
    kept = model.cleaned(LogRecord(name, tenant, at, {"msg": f"record {name}", **fields}))
    assert kept is not None
    return kept


async def ids(store: LogStore, search: Search) -> list[str]:
    return [stored.record.record_id for stored in (await store.search(search, within=IN_TIME)).records]


def by_query(text: str) -> Search:
    return Search(MINE, node=parser.parse(text, NOW))


async def test_a_record_is_stored_once_per_tenant(store: LogStore) -> None:
    first = await store.write([record("a"), record("a"), record("b")], NOW)
    again = await store.write([record("a", msg="other"), record("a", tenant="tenant-b")], NOW)

    assert (len(first.stored), first.known) == (2, 1)
    assert [each.record.tenant_id for each in again.stored] == ["tenant-b"]
    kept = await store.get(MINE, "a")
    assert kept is not None
    assert kept.record.fields["msg"] == "record a"


async def test_no_tenant_sees_another_tenants_records(store: LogStore) -> None:
    await store.write([record("a"), record("b", tenant="tenant-b")], NOW)

    assert await ids(store, Search(MINE)) == ["a"]
    assert await store.get(MINE, "b") is None
    assert len(await ids(store, Search(Scope("tenant-a", all_tenants=True)))) == 2


async def test_a_search_keeps_to_its_time_flows_and_port(store: LogStore) -> None:
    await store.write(
        [
            record("old", NOW - timedelta(hours=1), flowId="F1", portType="in"),
            record("in", flowId="F1", portType="in"),
            record("out", flowId="F2", portType="out"),
            record("trace", flowId="F1", severity="trace"),
        ],
        NOW,
    )

    assert await ids(store, Search(MINE, start=NOW, sort=(SortKey("_id"),))) == ["in", "out"]
    assert await ids(store, Search(MINE, end=NOW)) == ["old"]
    assert await ids(store, Search(MINE, flow_ids=("F2", "F3"))) == ["out"]
    assert await ids(store, Search(MINE, port_type="in", start=NOW)) == ["in"]
    assert await ids(store, Search(MINE, trace=True, start=NOW, flow_ids=("f1",), sort=(SortKey("_id"),))) == [
        "in",
        "trace",
    ]


async def test_paging_with_the_last_seen_keys_shows_every_record_once_even_among_ties(store: LogStore) -> None:
    records = [
        record(f"r{number:02}", NOW + timedelta(seconds=number // 7), componentId="abc"[number % 3])
        for number in range(40)
    ]
    await store.write(records, NOW)
    sort = model.total_order([SortKey("componentId", descending=True), SortKey("gridTimestamp")])

    seen: list[str] = []
    after: tuple[int | str, ...] | None = None
    while page := (await store.search(Search(MINE, size=7, sort=sort, search_after=after), within=IN_TIME)).records:
        seen += [stored.record.record_id for stored in page]
        shown = model.shown(page[-1])
        after = model.cursor(sort, [shown[key.field] for key in sort], NOW)

    whole = await ids(store, Search(MINE, size=100, sort=sort))
    assert seen == whole
    assert len(set(seen)) == 40


async def test_total_and_bars_count_all_that_match_and_not_the_page(store: LogStore) -> None:
    await store.write([record(f"r{number}", NOW + timedelta(minutes=number)) for number in range(60)], NOW)

    found = await store.search(Search(MINE, start=NOW, end=NOW + timedelta(hours=1), size=5, offset=10), within=IN_TIME)

    assert (len(found.records), found.total) == (5, 60)
    assert sum(bar.count for bar in found.bars) == 60
    assert 30 <= len(found.bars) <= 60
    assert found.bars[0].start == NOW


async def test_a_phrase_is_found_in_any_segment_and_not_across_two_values(make_store: MakeStore) -> None:
    store = await make_store(2)
    for name, msg, kind in [("a", "Order 17 was paid", "x"), ("b", "paid late", "y"), ("c", "was not", "was paid")]:
        await store.write([record(name, msg=msg, componentId=kind, senderId="tail end")], NOW)

    assert sorted(await ids(store, by_query('"was paid"'))) == ["a", "c"]
    assert await ids(store, by_query('msg:"was paid"')) == ["a"]
    assert sorted(await ids(store, by_query("pai*"))) == ["a", "b", "c"]
    assert await ids(store, by_query('"y tail"')) == []


async def test_trimming_by_age_forgets_whole_segments_but_the_last(make_store: MakeStore) -> None:
    store = await make_store(3)
    for number in range(9):
        day = NOW + timedelta(days=number)
        await store.write([record(f"r{number}", day)], day)

    removed = 0
    while (trimmed := await store.trim(before=NOW + timedelta(days=30), max_bytes=2**40)).more:
        removed += trimmed.removed

    assert removed + len(await ids(store, Search(MINE))) == 9
    assert "r8" in await ids(store, by_query("record"))
    assert "r0" not in await ids(store, by_query("record"))


async def test_trimming_by_size_brings_the_store_below_its_bound(make_store: MakeStore) -> None:
    store = await make_store(50)
    for number in range(20):
        day = NOW + timedelta(days=number // 5)
        await store.write([record(f"r{number}-{each}", day, msg="x y " * 1000) for each in range(50)], day)
    bound = await store.size_bytes() // 2

    while (await store.trim(before=NOW - timedelta(days=1), max_bytes=bound)).more:
        pass

    assert await store.size_bytes() <= bound
    assert "r19-0" in await ids(store, Search(MINE, size=1000))


WORDS = st.sampled_from(["alpha", "beta", "gamma", "Straße", "naïve", "x_1", "42", "4.5", "…", "ALPHA beta", "a-b", ""])
TEXT = st.lists(WORDS, min_size=0, max_size=4).map(" ".join)
VALUE: st.SearchStrategy[Json] = st.one_of(TEXT, st.integers(-5, 50), st.sampled_from([4.5, 42.0, True, None]))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "msg": TEXT,
        "err": VALUE,
        "flowName": TEXT,
        "severity": st.sampled_from(["info", "ERROR", "trace"]),
        "componentId": TEXT,
        "componentType": st.sampled_from(["headrace.utils.A", "headrace.utils.B[*]", "other.a?b"]),
        "custom": VALUE,
        "deep": st.fixed_dictionaries({}, optional={"a": VALUE, "b": st.lists(VALUE, max_size=2)}),
    },
)
TIMES = st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days, microseconds=days * 7))
FIELD = st.sampled_from(["", "msg", "err", "flowName", "severity", "componentId", "componentType", "custom", "deep.a"])
ANY_FIELD = st.one_of(
    FIELD.filter(bool), st.sampled_from(["_id", "_index", "deep", "deep.b", "nothing", "gridTimestamp"])
)
PIECE = st.one_of(
    st.sampled_from(list(Wild)), st.sampled_from(["al", "a", "bet", "headrace.utils.", "ß", "[", "?", "4"])
)
LEAF: st.SearchStrategy[Node] = st.one_of(
    st.just(Everything()),
    st.builds(Equals, FIELD, TEXT),
    st.builds(Equals, st.just("_id"), st.sampled_from(["r0", "R1"])),
    st.builds(Resembles, FIELD, st.lists(PIECE, min_size=1, max_size=4).map(tuple)),
    st.builds(
        Resembles, FIELD, st.tuples(st.sampled_from(["alp", "alpha be", "headrace.utils.", "…"]), st.just(Wild.MANY))
    ),
    st.builds(Exists, ANY_FIELD),
    st.builds(
        Between,
        ANY_FIELD,
        st.none() | st.builds(Bound, TEXT, st.booleans()),
        st.none() | st.builds(Bound, st.sampled_from(["5", "42", "b", ""]), st.booleans()),
    ),
    TIMES.map(lambda at: Period("gridTimestamp", None, int(at.timestamp() * 1_000_000))),
    TIMES.map(lambda at: Period("@timestamp", int(at.timestamp() * 1_000_000), None)),
)
NODE: st.SearchStrategy[Node] = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FIELDS, TIMES), min_size=1, max_size=8),
    nodes=st.lists(NODE, min_size=1, max_size=12),
)
async def test_a_search_finds_exactly_what_the_plain_evaluator_says(
    small_store: LogStore, rows: list[tuple[dict[str, Json], datetime]], nodes: list[Node]
) -> None:
    tenant = new_id()
    cleaned = [model.cleaned(LogRecord(f"r{number}", tenant, at, fields)) for number, (fields, at) in enumerate(rows)]
    written: list[StoredRecord] = []
    for begin in range(0, len(cleaned), 3):
        kept = [each for each in cleaned[begin : begin + 3] if each is not None]
        written += (await small_store.write(kept, NOW)).stored
    assert len(written) == len(rows)

    searches = [Search(Scope(tenant), node=node, trace=True) for node in nodes]
    answers = await asyncio.gather(*(small_store.search(search, within=IN_TIME) for search in searches))
    for node, found in zip(nodes, answers, strict=True):
        expected = {s.record.record_id for s in written if matching.matches(node, matching.Document(s))}
        assert {stored.record.record_id for stored in found.records} == expected, node
        assert found.total == len(expected)


async def test_a_tenant_is_forgotten_step_by_step_and_nobody_else_is(small_store: LogStore) -> None:
    mine = [record(f"m{number}", at=NOW + timedelta(hours=number), msg="secret") for number in range(7)]
    others = [record(f"o{number}", tenant="tenant-b", msg="secret") for number in range(3)]
    for each in (mine[:4], others, mine[4:]):
        await small_store.write(each, NOW)

    removed = []
    while (forgotten := await small_store.forget("tenant-a", 3)).more:
        removed.append(forgotten.removed)

    assert sum(removed) + forgotten.removed == 7 and max(removed) <= 3
    assert await ids(small_store, by_query("msg:secret")) == []
    every = Search(Scope("tenant-a", all_tenants=True), node=parser.parse("msg:secret", NOW))
    assert set(await ids(small_store, every)) == {"o0", "o1", "o2"}
    assert (await small_store.write([record("m0", msg="secret")], NOW)).known == 0
    assert await ids(small_store, by_query("msg:secret")) == ["m0"]
