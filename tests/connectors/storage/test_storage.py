"""Data stores as the storage components use them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from headrace_connectors.utils.storage.Clear.component import Clear
from headrace_connectors.utils.storage.CreateStore.component import CreateStore
from headrace_connectors.utils.storage.Find.component import Find
from headrace_connectors.utils.storage.Get.component import Get
from headrace_connectors.utils.storage.GetMany.component import GetMany
from headrace_connectors.utils.storage.ListStores.component import ListStores
from headrace_connectors.utils.storage.Modify.component import Modify
from headrace_connectors.utils.storage.OnItemAdded.component import OnItemAdded
from headrace_connectors.utils.storage.OnItemRemoved.component import OnItemRemoved
from headrace_connectors.utils.storage.OnItemUpdated.component import OnItemUpdated
from headrace_connectors.utils.storage.Remove.component import Remove
from headrace_connectors.utils.storage.SaveToFile.component import SaveToFile
from headrace_connectors.utils.storage.Set.component import Set
from headrace_connectors.utils.storage.SetMany.component import SetMany
from headrace_connectors.utils.storage.Store.component import Store
from headrace_core import Json
from headrace_core.clock import TestClock
from headrace_sdk import CancelError, Component, JsonObject
from headrace_sdk.testing import World, run_component
from headrace_sdk.testing.world import Identity, MemoryContext

BEGIN = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def world() -> World:
    return World(clock=TestClock(datetime(2026, 1, 1, tzinfo=UTC)))


async def filled(world: World, **records: Json) -> str:
    store = await world.stores.create_store("pets")
    store_id = str(store["storeId"])
    for key, value in records.items():
        await world.stores.set(store_id, key, value)
    return store_id


async def sent(component: type[Component], world: World, **content: Json) -> tuple[str, Json]:
    outcome = await run_component(component, content=content, world=world)
    [output] = outcome.outputs
    return output


async def test_a_store_is_made_once_and_found_again(world: World) -> None:
    port, made = await sent(CreateStore, world, name=" pets ")
    _, found = await sent(CreateStore, world, name="pets")

    assert (port, made) == ("out", found) and isinstance(made, dict)
    assert await world.stores.list_stores() == [{**made, "name": "pets"}]


async def test_a_store_that_is_there_is_emptied_on_demand(world: World) -> None:
    store = await filled(world, a=1)

    assert await sent(CreateStore, world, name="pets", clear=False) == ("out", {"storeId": store})
    assert await world.stores.find(store)
    await sent(CreateStore, world, name="pets", clear=True)
    assert not await world.stores.find(store)


async def test_set_tells_the_old_and_the_new_value(world: World) -> None:
    store = await filled(world, a=1)

    record = {"key": "a", "storeId": store, "createdAt": BEGIN, "updatedAt": BEGIN}
    assert await sent(Set, world, storeId=store, key="a", value={"x": 1}) == (
        "out",
        {**record, "value": {"x": 1}, "oldValue": 1, "newValue": {"x": 1}},
    )
    _, told = await sent(Set, world, storeId=store, key="new", value="v")
    assert isinstance(told, dict) and (told["oldValue"], told["newValue"]) == (None, "v")


async def test_set_many_writes_in_order_and_a_bad_key_writes_nothing(world: World) -> None:
    store = await filled(world)
    pairs: Json = {"AND": [{"key": "a", "value": 1}, {"key": "a", "value": 2}]}

    _, told = await sent(SetMany, world, storeId=store, keyValuePairs=pairs)

    assert isinstance(told, dict) and isinstance(told["results"], list)
    assert [each["newValue"] for each in told["results"] if isinstance(each, dict)] == [1, 2]
    with pytest.raises(CancelError, match="key is empty"):
        bad: Json = {"AND": [{"key": "b", "value": 1}, {"value": 2}]}
        await sent(SetMany, world, storeId=store, keyValuePairs=bad)
    assert await world.stores.get(store, "b") is None


async def test_get_finds_the_item_or_says_it_is_not_there(world: World) -> None:
    store = await filled(world, a="v", nothing=None)

    port, record = await sent(Get, world, storeId=store, key="a")
    assert (port, record) == ("out", await world.stores.get(store, "a"))
    assert await sent(Get, world, storeId=store, key="b") == ("notFound", {"key": "b"})
    assert await sent(Get, world, storeId=store, key="nothing") == ("notFound", {"key": "nothing"})


async def test_get_many_tells_of_missing_keys_only_when_all_are_missing(world: World) -> None:
    store = await filled(world, a=1)

    port, told = await sent(GetMany, world, storeId=store, keys={"AND": [{"key": "a"}, {"key": "b"}]})
    assert (port, told) == ("out", {"results": [await world.stores.get(store, "a")]})
    assert await sent(GetMany, world, storeId=store, keys={"AND": [{"key": "b"}]}) == ("notFound", {"notFound": ["b"]})
    assert await sent(GetMany, world, storeId=store, keys={}) == ("notFound", {"notFound": []})


async def test_find_matches_keys_and_values_without_regard_to_case(world: World) -> None:
    store = await filled(world, cat="Tom", dog="catcher", bird="Tweety")

    port, told = await sent(Find, world, storeId=store, pattern="^CAT")
    assert port == "out" and isinstance(told, dict) and isinstance(told["items"], list)
    assert [each["key"] for each in told["items"] if isinstance(each, dict)] == ["cat", "dog"]
    assert await sent(Find, world, storeId=store, pattern="z+") == ("notFound", {"pattern": "z+", "items": []})


async def test_find_goes_beyond_one_page(world: World) -> None:
    store = await filled(world, **{f"k{number:03}": number for number in range(250)})

    _, told = await sent(Find, world, storeId=store, pattern="^k")

    assert isinstance(told, dict) and isinstance(told["items"], list) and len(told["items"]) == 250


async def test_find_refuses_what_is_no_pattern(world: World) -> None:
    with pytest.raises(CancelError, match="no regular expression"):
        await sent(Find, world, storeId=await filled(world), pattern="(")


MODIFIED: list[tuple[Json, str, Json, Json]] = [
    (1, "Add", "2", 3),
    ("10", "Subtract", 4, 6),
    (3, "Multiply", "1.5", 4.5),
    (9, "Divide", 3, 3),
    (None, "Add", 5, 5),
    ("a", "Append", 1, "a1"),
    (None, "Append", "x", "x"),
    ("old", "Set", {"n": 1}, {"n": 1}),
    (2**60, "Add", 1, 2**60 + 1),
]


@pytest.mark.parametrize(("old", "operator", "operand", "new"), MODIFIED)
async def test_modify_calculates_appends_and_sets(
    old: Json, operator: str, operand: Json, new: Json, world: World
) -> None:
    store = await filled(world, k=old)

    port, told = await sent(Modify, world, storeId=store, key="k", operator=operator, value=operand)

    assert port == "out" and isinstance(told, dict)
    assert (told["oldValue"], told["newValue"], told["key"]) == (old, new, "k")
    record = await world.stores.get(store, "k")
    assert record is not None and record["value"] == new


@pytest.mark.parametrize(
    ("old", "operator", "operand"),
    [(1, "Divide", 0), ("a", "Add", 1), (1, "Add", "b"), (1, "Power", 2), ("9" * 400, "Multiply", "9" * 400)],
)
async def test_modify_refuses_what_has_no_result(old: Json, operator: str, operand: Json, world: World) -> None:
    store = await filled(world, k=old)

    with pytest.raises(CancelError):
        await sent(Modify, world, storeId=store, key="k", operator=operator, value=operand)

    record = await world.stores.get(store, "k")
    assert record is not None and record["value"] == old


async def test_remove_tells_the_last_value(world: World) -> None:
    store = await filled(world, a=1)

    assert await sent(Remove, world, storeId=store, key="a") == ("removed", {"key": "a", "oldValue": 1})
    assert await sent(Remove, world, storeId=store, key="a") == ("removed", {"key": "a", "oldValue": None})


async def test_clear_tells_how_many_there_were(world: World) -> None:
    store = await filled(world, a=1, b=2)

    assert await sent(Clear, world, storeId=store) == ("cleared", {"deletedCount": 2, "storeId": store})


async def test_the_list_of_stores_becomes_options(world: World) -> None:
    store = await filled(world)

    port, stores = await sent(ListStores, world)

    assert (port, stores) == ("out", [{"storeId": store, "name": "pets"}])
    assert ListStores.transforms["toSelectArray"](stores) == [{"content": "pets", "value": store}]
    assert ListStores.transforms["toSelectArray"](None) == []


LISTENERS = [(OnItemAdded, "insert"), (OnItemRemoved, "delete"), (OnItemUpdated, "update")]


@pytest.mark.parametrize(("component", "event"), LISTENERS)
async def test_a_listener_hears_its_event_from_start_to_stop(
    component: type[Component], event: str, world: World
) -> None:
    store = await filled(world)

    def context(port: str) -> MemoryContext:
        return MemoryContext(world, Identity(), port=port, properties={"storeId": store})

    await component().start(context("start"))
    assert world.stores.listeners == {store: [event]}
    await component().stop(context("stop"))
    await component().stop(context("stop"))
    assert world.stores.listeners == {}


@pytest.mark.parametrize(("component", "event"), LISTENERS)
async def test_a_listener_sends_the_item_of_its_event_only(component: type[Component], event: str) -> None:
    item: JsonObject = {"key": "k", "storeId": "s", "value": 2, "updatedAt": "u", "createdAt": "c"}
    told: JsonObject = {**item, "oldValue": 1} if event == "update" else item
    for happened in ("insert", "delete", "update"):
        content: JsonObject = {"type": happened, "oldValue": 1, **item}
        outcome = await run_component(component, port="store", content=content)
        assert outcome.outputs == ([("item", told)] if happened == event else [])


async def test_a_listener_without_a_store_refuses_to_start(world: World) -> None:
    with pytest.raises(CancelError, match="storeId"):
        await OnItemAdded().start(MemoryContext(world, Identity(), port="start"))


async def test_store_tells_new_known_and_removed_items_apart(world: World) -> None:
    steps: list[tuple[str, Json]] = [
        ("add", 1),
        ("add", "1"),
        ("add", 1),
        ("remove", 1),
        ("remove", 1),
        ("add", 1),
        ("add", {"x" * 300: 1}),
    ]
    told = []
    for port, key in steps:
        outcome = await run_component(Store, port=port, content={"key": key}, world=world)
        told.append([left for left, _ in outcome.outputs])

    assert told == [["new"], ["new"], ["updated"], ["removed"], [], ["new"], ["new"]]


async def test_a_repeated_step_finds_its_item_new_again(world: World) -> None:
    for _ in range(2):
        outcome = await run_component(Store, port="add", content={"key": "a"}, world=world, step_id="same")
        assert outcome.outputs == [("new", {"key": "a"})]


async def saved(world: World, **content: Json) -> tuple[str, Json]:
    port, told = await sent(SaveToFile, world, **content)
    assert port == "out" and isinstance(told, dict)
    content_bytes = await world.files.load(str(told["fileId"]))
    return content_bytes.decode(), told["nRecords"]


async def test_a_store_is_saved_as_flat_csv(world: World) -> None:
    store = await filled(world, a={"n": 1, "deep": {"x": "y,z"}}, b='{"n": 2}', c="=1+1")

    text, count = await saved(world, storeId=store, fileName="pets.csv")

    assert count == 3
    assert text == 'key,value.n,value.deep.x,value\na,1,"y,z",\nb,2,,\nc,,,=1+1\n'


async def test_a_store_is_saved_as_plain_csv(world: World) -> None:
    store = await filled(world, a={"n": 1})

    assert await saved(world, storeId=store, flattenValue=False) == ('key,value\na,"{""n"": 1}"\n', 1)


async def test_a_store_is_saved_as_json_in_the_chosen_order(world: World) -> None:
    store = await filled(world, b=1)
    assert isinstance(world.clock, TestClock)
    world.clock.advance(timedelta(minutes=1))
    await world.stores.set(store, "a", 2)

    text, _ = await saved(world, storeId=store, fileType="json", sortBy="createdAt")

    assert [each["key"] for each in json.loads(text)] == ["b", "a"]


async def test_an_empty_store_is_saved_as_its_headings(world: World) -> None:
    assert await saved(world, storeId=await filled(world)) == ("key,value\n", 0)


@pytest.mark.parametrize("component", [Set, Get, Remove, Clear, Find, Modify, SaveToFile, GetMany, SetMany])
async def test_a_missing_store_is_named(component: type[Component], world: World) -> None:
    with pytest.raises(CancelError, match="storeId"):
        await sent(component, world, key="a", pattern="x")
