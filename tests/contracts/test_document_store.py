"""What every DocumentStore promises."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
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
