"""The stores of the flow manager that every suite runs over."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from headrace_core.ids import derive_id
from headrace_flow_manager.stores import mongo, sqlite
from headrace_flow_manager.stores.bundle import Stores
from pymongo import MongoClient

KINDS = ("mongo", "sqlite")

OpenStores = Callable[[Path], AbstractAsyncContextManager[Stores]]
"""Opens the stores that are kept at a path: empty at first, later with what was written there."""


@contextmanager
def opener(request: pytest.FixtureRequest, kind: str = "") -> Iterator[OpenStores]:
    """Opens stores of the kind, or else of the kind that `request.param` names, and clears up at the end."""
    if (kind or request.param) == "sqlite":
        yield sqlite_at
        return
    url = request.getfixturevalue("mongo_url")
    used: set[str] = set()

    @asynccontextmanager
    async def mongo_at(path: Path) -> AsyncIterator[Stores]:
        name = f"test_{derive_id(str(path))}"
        used.add(name)
        stores = await mongo.open_stores(url, name, patience=timedelta(seconds=10))
        try:
            yield stores
        finally:
            await stores.close()

    yield mongo_at
    with MongoClient[dict[str, object]](url) as client:
        for name in used:
            client.drop_database(name)


@asynccontextmanager
async def sqlite_at(path: Path) -> AsyncIterator[Stores]:
    stores = await sqlite.open_stores(path / "flow_manager.db")
    try:
        yield stores
    finally:
        await stores.close()
