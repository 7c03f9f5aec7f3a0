"""What every adapter of DataStores and Outbox promises."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core import Json
from headrace_core.errors import AlreadyExists, NotFound
from headrace_core.ids import new_id
from headrace_flow_manager import json_text, times
from headrace_flow_manager.data_stores.model import ChangeType, Listener, Put, Store
from headrace_flow_manager.query import Condition, ListQuery, Operator, Selection, SortKey
from headrace_flow_manager.scope import EVERY_TENANT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.data_and_files import Ports, some_ports

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ANN, BOB = "a" * 24, "b" * 24
ALL: tuple[ChangeType, ...] = ("insert", "update", "delete")
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite", "mongo"])
async def ports(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ports]:
    async with some_ports(request, tmp_path) as opened:
        yield opened


async def new_store(ports: Ports, name: str = "s", tenant: str = ANN) -> str:
    store_id = new_id()
    await ports.data_stores.add(tenant, Store(store_id, tenant, name, NOW))
    return store_id


async def keys(ports: Ports, store_id: str, query: ListQuery | None = None) -> list[str]:
    page = await ports.data_stores.records(ANN, store_id, query or ListQuery())
    return [record.key for record in page.items]


async def news(ports: Ports, at: datetime = NOW) -> list[tuple[Json, ...]]:
    contents = [json_text.decode_object(each.content.encode(), "news") for each in await ports.outbox.due(at, 1000)]
    return [(each["type"], each["key"], each["value"], each["oldValue"]) for each in contents]


async def test_an_id_is_one_stores_whoever_has_it(ports: Ports) -> None:
    store = Store("s" * 24, ANN, "Ann's", NOW)
    await ports.data_stores.add(ANN, store)

    for tenant in (ANN, BOB):
        with pytest.raises(AlreadyExists):
            await ports.data_stores.add(tenant, Store(store.store_id, tenant, "Another", NOW))

    assert await ports.data_stores.get(EVERY_TENANT, store.store_id) == store


async def test_a_write_and_its_deliveries_are_one(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.listen(ANN, store_id, Listener("flow", "node", ("insert",)))

    with pytest.raises(NotFound):
        await ports.data_stores.put(BOB, Put(store_id, "k", "1", NOW))
    await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))
    with pytest.raises(AlreadyExists):
        await ports.data_stores.put(ANN, Put(store_id, "k", "2", NOW, only_if_absent=True))

    (delivery,) = await ports.outbox.due(NOW, 10)
    assert (delivery.tenant_id, delivery.flow_id, delivery.node_id, delivery.attempts) == (ANN, "flow", "node", 0)


async def test_deliveries_are_settled_together(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.listen(ANN, store_id, Listener("flow", "node", ("insert",)))
    for key in "abc":
        await ports.data_stores.put(ANN, Put(store_id, key, "1", NOW))
    first, second, third = await ports.outbox.due(NOW, 10)

    await ports.outbox.settle([first], [(second, NOW + timedelta(seconds=5))])

    assert await ports.outbox.due(NOW, 10) == [third]
    assert await ports.outbox.due(NOW + timedelta(seconds=5), 10) == [third, replace(second, attempts=1)]


async def test_one_request_at_once_is_one_write(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.listen(ANN, store_id, Listener("flow", "node", ("insert", "update")))

    written = await asyncio.gather(
        *(ports.data_stores.put(ANN, Put(store_id, "k", str(number), NOW, "request")) for number in range(10))
    )

    assert len({each.record.value for each in written}) == 1
    assert len(await ports.outbox.due(NOW, 10)) == 1


async def test_a_request_is_answered_as_it_was_whatever_became_of_the_record(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.put(ANN, Put(store_id, "k", "0", NOW))

    put = Put(store_id, "k", "1", NOW + SECOND, "request")
    first = await ports.data_stores.put(ANN, put)
    later = replace(put, value="2", now=NOW + 2 * SECOND)
    assert await ports.data_stores.put(ANN, later) == first
    await ports.data_stores.put(ANN, Put(store_id, "k", "3", NOW + SECOND, "another"))
    assert await ports.data_stores.put(ANN, later) == first
    await ports.data_stores.delete(ANN, store_id, ["k"], NOW)
    assert await ports.data_stores.put(ANN, later) == first
    assert await keys(ports, store_id) == []
    await ports.data_stores.put(ANN, Put(store_id, "k", "4", NOW))
    assert await ports.data_stores.put(ANN, replace(later, only_if_absent=True)) == first

    assert (first.record.value, first.old_value, first.record.created_at) == ("1", "0", NOW)
    assert (await ports.data_stores.record(ANN, store_id, "k")).value == "4"


async def test_requests_are_forgotten_after_their_time(ports: Ports) -> None:
    store_id = await new_store(ports)
    for number, key in enumerate(("kept", "overwritten")):
        await ports.data_stores.put(ANN, Put(store_id, key, str(number), NOW, "request"))
    await ports.data_stores.put(ANN, Put(store_id, "overwritten", "2", NOW + SECOND))

    await ports.data_stores.prune(NOW)
    for key, value in (("kept", "0"), ("overwritten", "1")):
        known = await ports.data_stores.put(ANN, Put(store_id, key, "9", NOW + SECOND, "request"))
        assert known.record.value == value
    await ports.data_stores.prune(NOW + SECOND)
    for key, value in (("kept", "0"), ("overwritten", "2")):
        anew = await ports.data_stores.put(ANN, Put(store_id, key, "9", NOW + SECOND, "request"))
        assert (anew.record.value, anew.old_value) == ("9", value)


async def test_changes_of_a_key_are_told_in_their_order_before_and_after_the_relay_looked(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.listen(ANN, store_id, Listener("flow", "node", ALL))

    await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))
    await ports.data_stores.put(ANN, Put(store_id, "k", "2", NOW))
    await ports.data_stores.put(ANN, Put(store_id, "k", "2", NOW))
    assert await news(ports) == [("insert", "k", 1, None), ("update", "k", 2, 1), ("update", "k", 2, 2)]
    await ports.data_stores.delete(ANN, store_id, ["k"], NOW)
    await ports.data_stores.put(ANN, Put(store_id, "k", "null", NOW))
    await ports.data_stores.move(ANN, (store_id, "k"), (store_id, "l"), NOW)
    await ports.data_stores.delete(ANN, store_id, None, NOW)

    assert (await news(ports))[3:] == [
        ("delete", "k", 2, 2), ("insert", "k", None, None), ("delete", "k", None, None), ("insert", "l", None, None),
        ("delete", "l", None, None),
    ]  # fmt: skip
    deliveries = await ports.outbox.due(NOW, 1000)
    assert len({each.change_id for each in deliveries}) == len({each.number for each in deliveries}) == 8
    await ports.outbox.settle(deliveries, ())
    assert await news(ports) == []


async def test_each_trigger_hears_what_it_wants_from_then_on(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.put(ANN, Put(store_id, "unheard", "1", NOW))
    for flow_id, events in (("all", ALL), ("inserts", ("insert",)), ("replaced", ("insert",)), ("replaced", ALL[2:])):
        await ports.data_stores.listen(ANN, store_id, Listener(flow_id, "node", tuple(events)))  # type: ignore[arg-type]  # a slice of the closed set
    for _ in range(2):
        await ports.data_stores.unlisten(BOB, store_id, "all", "node")

    await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))
    assert sorted(each.flow_id for each in await ports.outbox.due(NOW, 10)) == ["all", "inserts"]
    await ports.data_stores.unlisten(ANN, "", "all", "node")
    await ports.data_stores.unlisten(ANN, "another store", "replaced", "node")
    await ports.data_stores.delete(ANN, store_id, ["k"], NOW)

    assert sorted(each.flow_id for each in await ports.outbox.due(NOW, 10)) == ["all", "inserts", "replaced"]


async def test_a_record_that_comes_back_is_a_new_one(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))
    assert await ports.data_stores.delete(ANN, store_id, ["k", "k"], NOW) == 1
    assert await ports.data_stores.delete(ANN, store_id, ["k"], NOW) == 0
    with pytest.raises(NotFound):
        await ports.data_stores.record(ANN, store_id, "k")
    with pytest.raises(NotFound):
        await ports.data_stores.move(ANN, (store_id, "k"), (store_id, "l"), NOW)

    written = await ports.data_stores.put(ANN, Put(store_id, "k", "2", NOW + SECOND, only_if_absent=True))

    assert written.old_value is None and written.record.created_at == NOW + SECOND
    assert await ports.data_stores.record(ANN, store_id, "k") == written.record
    assert await ports.data_stores.count(ANN, store_id, ListQuery()) == 1


async def test_a_record_moves_whole_or_not_at_all(ports: Ports) -> None:
    here, there = await new_store(ports, "here"), await new_store(ports, "there")
    theirs = await new_store(ports, "theirs", BOB)
    await ports.data_stores.put(ANN, Put(here, "k", "1", NOW))
    await ports.data_stores.put(ANN, Put(there, "taken", "2", NOW))

    with pytest.raises(AlreadyExists):
        await ports.data_stores.move(ANN, (here, "k"), (there, "taken"), NOW)
    with pytest.raises(NotFound):
        await ports.data_stores.move(ANN, (here, "k"), (theirs, "k"), NOW)
    moved = await ports.data_stores.move(ANN, (here, "k"), (there, "k"), NOW + SECOND)

    assert (moved.store_id, moved.value, moved.created_at, moved.updated_at) == (there, "1", NOW, NOW + SECOND)
    assert (await keys(ports, here), await keys(ports, there)) == ([], ["k", "taken"])


async def test_a_move_between_stores_that_are_not_there_names_the_first(ports: Ports) -> None:
    for place, to in (("aaa", "bbb"), ("bbb", "aaa"), ("none", "others"), ("others", "none")):
        with pytest.raises(NotFound, match=f"'{place}'"):
            await ports.data_stores.move(ANN, (place, "k"), (to, "k"), NOW)


async def test_of_moves_to_one_place_one_arrives(ports: Ports) -> None:
    store_id = await new_store(ports)
    for key in "abcde":
        await ports.data_stores.put(ANN, Put(store_id, key, f'"{key}"', NOW))

    moves = await asyncio.gather(
        *(ports.data_stores.move(ANN, (store_id, key), (store_id, "to"), NOW) for key in "abcde"),
        return_exceptions=True,
    )

    assert sum(isinstance(each, AlreadyExists) for each in moves) == 4
    assert len(await keys(ports, store_id)) == 5


async def test_many_records_go_at_once_each_with_its_news(ports: Ports) -> None:
    store_id = await new_store(ports)
    for number in range(450):
        await ports.data_stores.put(ANN, Put(store_id, f"{number:03}", str(number), NOW))
    await ports.data_stores.listen(ANN, store_id, Listener("flow", "node", ("delete",)))
    some = ListQuery((Condition("value", "greater", 199),), sort=(SortKey("value", descending=True),), offset=240)
    page = await ports.data_stores.records(ANN, store_id, some)
    assert ([each.value for each in page.items], page.total) == ([str(number) for number in range(209, 199, -1)], 250)

    assert await ports.data_stores.delete(ANN, store_id, [f"{number:03}" for number in range(0, 500, 2)], NOW) == 225
    assert await ports.data_stores.delete(ANN, store_id, None, NOW) == 225
    assert await ports.data_stores.delete(ANN, store_id, None, NOW) == 0

    assert await ports.data_stores.count(ANN, store_id, ListQuery()) == 0
    assert sorted(key for _, key, *_ in await news(ports)) == [f"{number:03}" for number in range(450)]  # type: ignore[type-var]  # keys are texts


async def test_a_removed_store_is_gone_with_its_name_and_what_happened_before_is_told(ports: Ports) -> None:
    store_id = await new_store(ports)
    await ports.data_stores.listen(ANN, store_id, Listener("flow", "node", ALL))
    await ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW))

    with pytest.raises(NotFound):
        await ports.data_stores.remove(BOB, store_id)
    await ports.data_stores.remove(ANN, store_id)
    for _ in range(4):
        await ports.data_stores.prune(NOW)

    for call in (
        ports.data_stores.get(ANN, store_id),
        ports.data_stores.remove(ANN, store_id),
        ports.data_stores.rename(ANN, store_id, "t"),
        ports.data_stores.record(ANN, store_id, "k"),
        ports.data_stores.put(ANN, Put(store_id, "k", "1", NOW)),
        ports.data_stores.delete(ANN, store_id, None, NOW),
        ports.data_stores.records(ANN, store_id, ListQuery()),
        ports.data_stores.count(ANN, store_id, ListQuery()),
        ports.data_stores.listen(ANN, store_id, Listener("flow", "node", ALL)),
    ):
        with pytest.raises(NotFound):
            await call
    assert await news(ports) == [("insert", "k", 1, None)]
    again = await new_store(ports)
    await ports.data_stores.remove(ANN, again)
    assert (await ports.data_stores.page(ANN, ListQuery())).items == ()


async def test_store_names_are_unique_per_tenant(ports: Ports) -> None:
    store_id = await new_store(ports, "a")
    await new_store(ports, "b")
    await new_store(ports, "a", BOB)

    with pytest.raises(AlreadyExists):
        await new_store(ports, "a")
    with pytest.raises(AlreadyExists):
        await ports.data_stores.rename(ANN, store_id, "b")
    assert await ports.data_stores.rename(ANN, store_id, "c") == (Store(store_id, ANN, "c", NOW), "a")
    assert await ports.data_stores.rename(ANN, store_id, "c") == (Store(store_id, ANN, "c", NOW), "c")

    assert [each.name for each in (await ports.data_stores.page(ANN, ListQuery())).items] == ["b", "c"]
    assert [each.name for each in (await ports.data_stores.page(EVERY_TENANT, ListQuery())).items] == ["a", "b", "c"]
    with pytest.raises(NotFound):
        await ports.data_stores.get(BOB, store_id)
    assert (await ports.data_stores.get(EVERY_TENANT, store_id)).name == "c"


HOSTILE = ["'", "\x00", "a\x00b", "%", "$gt", "a.b", "$where", "{}", "𝕏", "\uffff", " ", "k" * 1024]


@pytest.mark.parametrize("field", ["key", "createdAt", "updatedAt"])
async def test_records_come_in_order_page_by_page(ports: Ports, field: str) -> None:
    store_id = await new_store(ports)
    for number, key in enumerate(HOSTILE):
        at = NOW + timedelta(microseconds=number % 5)
        await ports.data_stores.put(ANN, Put(store_id, key, json_text.encode({key: key}), at))

    expected = sorted(HOSTILE)
    if field != "key":
        expected.sort(key=lambda key: HOSTILE.index(key) % 5, reverse=True)
    else:
        expected.reverse()
    sort = (SortKey(field, descending=True),)
    assert await keys(ports, store_id) == sorted(HOSTILE)
    assert await keys(ports, store_id, ListQuery(sort=sort)) == expected
    assert await keys(ports, store_id, ListQuery(sort=sort, offset=3, limit=4)) == expected[3:7]
    for key in HOSTILE:
        assert (await ports.data_stores.record(ANN, store_id, key)).value == json_text.encode({key: key})
        assert await keys(ports, store_id, ListQuery((Condition("key", "equal", key),))) == [key]


KEYS = ["a", "b", "$gt", "a.b", "", "$where", "c\x00"]
SCALARS: st.SearchStrategy[Json] = st.sampled_from(
    [None, True, False, 0, 1, 1.0, -1.5, 2**70, "", "a", "1", "true", "$gt", "A", "é", "a\x00", "^a.*", "."]
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["key", "value", "value.a", "value.a.b", "value.$gt", "value.b.a", "createdAt", "missing"])
CONDITIONS = st.builds(
    Condition, FIELDS, st.sampled_from(["equal", "not_equal", "empty"]), SCALARS | st.just({"$gt": ""})
) | st.builds(
    Condition,
    FIELDS,
    st.sampled_from(["less", "greater", "match"]),
    st.sampled_from(["a", "1", "$gt", "^a.*", "\\$", ""]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(VALUES, min_size=1, max_size=6),
    conditions=st.lists(CONDITIONS, max_size=2),
    pattern=st.sampled_from(["", "", "A", ".", "$", '"a"']),
    sort=st.lists(st.builds(SortKey, FIELDS, st.booleans()), max_size=2),
    offset=st.integers(0, 2),
    limit=st.integers(0, 3),
)
async def test_records_are_found_as_the_pure_selection_finds_them(
    ports: Ports,
    values: list[Json],
    conditions: list[Condition],
    pattern: str,
    sort: list[SortKey],
    offset: int,
    limit: int,
) -> None:
    store_id = await new_store(ports, new_id())
    query = ListQuery(tuple(conditions), pattern, tuple(sort), offset, limit)
    plain: list[tuple[str, dict[str, Json]]] = []
    for number, value in enumerate(values):
        key = f"{KEYS[number % len(KEYS)]}{number}"
        at = NOW + number % 3 * SECOND
        await ports.data_stores.put(ANN, Put(store_id, key, json_text.encode(value), at))
        shown = times.to_text(at)
        plain.append((key, {"key": key, "storeId": store_id, "value": value, "createdAt": shown, "updatedAt": shown}))

    found = await ports.data_stores.records(ANN, store_id, query)
    expected = Selection(query, names=("key", "value")).page(sorted(plain, key=lambda each: each[0]))

    assert tuple(each.key for each in found.items) == expected.items
    assert found.total == expected.total == await ports.data_stores.count(ANN, store_id, query)


OPERATORS: list[Operator] = ["equal", "not_equal", "match", "less", "greater", "empty"]


@pytest.mark.parametrize("operator", OPERATORS)
async def test_stores_are_found_by_what_users_write_without_being_told_more(ports: Ports, operator: Operator) -> None:
    await new_store(ports, "mine")
    await new_store(ports, "theirs", BOB)

    for value in ("$ne", "' OR 1=1", ".*"):
        page = await ports.data_stores.page(ANN, ListQuery((Condition("name", operator, value),)))
        assert {each.tenant_id for each in page.items} <= {ANN}
