"""What every DocumentStore promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from headrace_core import Json
from headrace_flow_manager.stores.bundle import Stores

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = "a" * 24


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def stores(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as opened:
        yield opened


async def test_documents_are_replaced_whole(stores: Stores) -> None:
    assert await stores.documents.get("x") is None
    for document in ({"a": 1}, {"b": 2}):
        await stores.documents.put(ANN, "x", document, NOW)
    assert await stores.documents.get("x") == {"b": 2}
    for _ in range(2):
        await stores.documents.delete("x")
    assert await stores.documents.get("x") is None


async def test_a_document_is_replaced_or_removed_where_it_is_still_what_was_read(stores: Stores) -> None:
    one, two = {"a": 1, "b": [1.5, None]}, {"a": 2}
    assert not await stores.documents.replace(two, ANN, "x", one, NOW), "there is nothing yet"
    assert await stores.documents.replace(None, ANN, "x", one, NOW)
    assert not await stores.documents.replace(None, ANN, "x", two, NOW)
    assert not await stores.documents.replace(two, ANN, "x", {"a": 3}, NOW)
    assert await stores.documents.get("x") == one

    assert not await stores.documents.remove(two, "x")
    assert await stores.documents.replace(one, ANN, "x", two, NOW)
    assert await stores.documents.remove(two, "x")
    assert not await stores.documents.remove(two, "x")
    assert await stores.documents.get("x") is None


async def test_of_many_who_replace_one_document_at_once_one_does(stores: Stores) -> None:
    await stores.documents.put(ANN, "x", {"n": 0}, NOW)
    replacing = (stores.documents.replace({"n": 0}, ANN, "x", {"n": number}, NOW) for number in range(1, 9))

    assert sum(await asyncio.gather(*replacing)) == 1


@pytest.mark.parametrize("read", [1, 1.0, True, "1", None])
async def test_what_json_tells_apart_is_not_what_was_read(read: Json, stores: Stores) -> None:
    kept = 1 if read is not None else 0
    await stores.documents.put(ANN, "x", {"deep": [kept]}, NOW)
    is_read = type(read) is int

    assert await stores.documents.remove({"deep": [read]}, "x") is is_read
    if not is_read:
        assert not await stores.documents.replace({"deep": [read]}, ANN, "x", {"new": 1}, NOW)
