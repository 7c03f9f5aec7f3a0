"""The stores of records and files that every suite runs over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from headrace_core.ids import new_id
from headrace_flow_manager.data_stores.store import DataStores, Outbox
from headrace_flow_manager.files.store import FileStore
from headrace_flow_manager.stores import mongo_data_stores, mongo_files
from headrace_flow_manager.stores.mongo_data_stores import MongoDataStores
from headrace_flow_manager.stores.mongo_files import MongoFileStore
from headrace_flow_manager.stores.mongo_outbox import MongoOutbox
from headrace_flow_manager.stores.sqlite import open_stores
from headrace_runtime.mongo import Mongo, open_mongo
from pymongo import MongoClient

SCHEMA = {**mongo_data_stores.INDEXES, **mongo_files.INDEXES}


@dataclass
class Ports:
    """The ports of this half of the flow manager."""

    data_stores: DataStores
    outbox: Outbox
    files: FileStore


@asynccontextmanager
async def mongo_ports(
    url: str, database: str, patience: timedelta = timedelta(seconds=20)
) -> AsyncIterator[tuple[Ports, Mongo]]:
    """A flow manager's own ports over a database; entered again, those of a second flow manager."""
    mongo = await open_mongo(url, database, [SCHEMA], patience=patience)
    try:
        yield Ports(MongoDataStores(mongo), MongoOutbox(mongo), MongoFileStore(mongo)), mongo
    finally:
        await mongo.close()


def a_database() -> str:
    """The name of a database of one's own."""
    return f"headrace_test_{new_id().replace('-', '')}"


def drop(url: str, database: str) -> None:
    """Leave nothing behind."""
    client: MongoClient[dict[str, object]] = MongoClient(url)
    client.drop_database(database)
    client.close()


@asynccontextmanager
async def some_ports(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Ports]:
    """The ports that `request.param` names, empty."""
    if request.param == "mongo":
        url, database = request.getfixturevalue("mongo_url"), a_database()
        try:
            async with mongo_ports(url, database) as (ports, _):
                yield ports
        finally:
            drop(url, database)
    else:
        stores = await open_stores(folder / "flow_manager.db")
        yield Ports(stores.data_stores, stores.outbox, stores.files)
        await stores.close()
