"""One flow manager per test, on stores of its own, of each kind."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contracts.flow_manager import KINDS, OpenStores, opener

from .house import House, open_house


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def house(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[House]:
    async with open_stores(tmp_path) as stores, open_house(stores) as opened:
        yield opened
