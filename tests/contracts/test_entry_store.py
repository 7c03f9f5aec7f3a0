"""What every EntryStore promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from headrace_core import Json
from headrace_core.errors import AlreadyExists, NotFound
from headrace_flow_manager.entries import Entry
from headrace_flow_manager.scope import EVERY_TENANT
from headrace_flow_manager.stores.bundle import Stores

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = "a" * 24, "b" * 24


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def stores(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as opened:
        yield opened


def entry(name: str, owner: str = ANN, key: str = "") -> Entry:
    return Entry("alias", name, key or f"key of {name}", owner, {"$a.b": [name]}, owner, NOW)


async def test_of_entries_that_want_one_key_one_gets_it(stores: Stores) -> None:
    asked = [entry(str(number), key="same") for number in range(5)]

    made = await asyncio.gather(*(stores.entries.add(each) for each in asked), return_exceptions=True)

    assert sum(isinstance(each, AlreadyExists) for each in made) == 4
    assert [each.key for each in await stores.entries.all("alias", ANN)] == ["same"]


async def test_an_entry_is_replaced_by_its_owner_alone(stores: Stores) -> None:
    first, other = entry("1"), entry("2")
    for each in (first, other):
        await stores.entries.put(each)
    changed = replace(first, key="new", value={"x": 1})
    await stores.entries.put(changed)

    assert await stores.entries.get("alias", ANN, "1") == changed == await stores.entries.find("alias", "new")
    assert await stores.entries.find("alias", first.key) is None
    with pytest.raises(AlreadyExists):
        await stores.entries.put(replace(first, key=other.key))
    with pytest.raises(NotFound):
        await stores.entries.put(replace(first, owner=BOB))
    assert await stores.entries.get("alias", ANN, "1") == changed


async def test_nobody_sees_or_removes_what_another_owns(stores: Stores) -> None:
    for each in (entry("b", BOB), entry("a"), replace(entry("a"), kind="config", owner="")):
        await stores.entries.add(each)

    with pytest.raises(NotFound):
        await stores.entries.get("alias", BOB, "a")
    assert not await stores.entries.delete("alias", BOB, "a")
    assert [each.entry_id for each in await stores.entries.all("alias", EVERY_TENANT)] == ["a", "b"]
    assert [each.entry_id for each in await stores.entries.all("alias", BOB)] == ["b"]
    assert [await stores.entries.delete("alias", ANN, "a") for _ in range(2)] == [True, False]
    assert (await stores.entries.get("config", "", "a")).value == {"$a.b": ["a"]}


async def test_all_of_an_owner_goes_at_once_and_nothing_of_the_installation(stores: Stores) -> None:
    for each in (entry("a"), entry("b", BOB), replace(entry("c"), kind="config", owner="")):
        await stores.entries.add(each)

    for owner in (ANN, ANN, ""):
        await stores.entries.delete_owned(owner)

    assert list(await stores.entries.all("alias", EVERY_TENANT)) == [entry("b", BOB)]
    assert len(await stores.entries.all("config", "")) == 1


async def test_an_entry_is_replaced_where_it_is_still_what_was_read(stores: Stores) -> None:
    first = entry("1")
    second, third = replace(first, value={"x": 2}), replace(first, value={"x": 3})

    assert not await stores.entries.replace(first, second)
    assert await stores.entries.replace(None, first)
    assert not await stores.entries.replace(None, second)
    assert await stores.entries.replace(first, second)
    assert not await stores.entries.replace(first, third)
    assert await stores.entries.get("alias", ANN, "1") == second


async def test_of_many_who_replace_one_entry_at_once_one_does(stores: Stores) -> None:
    first = entry("1")
    await stores.entries.add(first)
    wanted = [replace(first, value={"x": number}) for number in range(6)]

    replaced = await asyncio.gather(*(stores.entries.replace(first, each) for each in wanted))

    assert sum(replaced) == 1
    assert await stores.entries.get("alias", ANN, "1") == wanted[replaced.index(True)]


async def test_an_entry_is_removed_where_it_is_still_what_was_read(stores: Stores) -> None:
    first = entry("a")
    second = replace(first, value={"x": 2})
    assert not await stores.entries.remove(first)
    await stores.entries.add(first)

    assert not await stores.entries.remove(second)
    assert await stores.entries.get("alias", ANN, first.entry_id) == first
    assert await stores.entries.remove(first)
    assert await stores.entries.all("alias", ANN) == []
    assert first.tag != second.tag


async def test_an_entry_does_not_take_the_key_of_another_when_it_is_replaced(stores: Stores) -> None:
    one, other = entry("a"), entry("b")
    for each in (one, other):
        await stores.entries.add(each)

    with pytest.raises(AlreadyExists):
        await stores.entries.replace(one, replace(one, key=other.key))
    assert await stores.entries.get("alias", ANN, one.entry_id) == one


@pytest.mark.parametrize("read", [1, 1.0, True])
async def test_an_entry_in_which_json_tells_something_apart_is_not_what_was_read(read: Json, stores: Stores) -> None:
    kept = replace(entry("a"), value={"deep": {"x": 1}})
    seen = replace(kept, value={"deep": {"x": read}})
    await stores.entries.add(kept)
    is_read = type(read) is int

    assert await stores.entries.remove(seen) is is_read
    if not is_read:
        assert not await stores.entries.replace(seen, replace(kept, value={"new": 1}))
