"""Everything flow-manager keeps, in one SQLite file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headrace_runtime.sqlite import Database

from headrace_flow_manager.stores import (
    sqlite_data_stores,
    sqlite_documents,
    sqlite_files,
    sqlite_flows,
    sqlite_people,
)

MIGRATIONS = [
    ";\n".join(
        module.SCHEMA for module in (sqlite_people, sqlite_flows, sqlite_data_stores, sqlite_files, sqlite_documents)
    )
]


@dataclass(frozen=True, slots=True)
class Stores:
    """The adapters over one file."""

    database: Database
    people: sqlite_people.SqlitePeopleStore
    tokens: sqlite_people.SqliteTokenLookup
    flows: sqlite_flows.SqliteFlowStore
    directory: sqlite_flows.SqliteFlowDirectory
    data_stores: sqlite_data_stores.SqliteDataStores
    files: sqlite_files.SqliteFiles
    documents: sqlite_documents.SqliteDocuments

    async def close(self) -> None:
        await self.database.close()


async def open_stores(path: Path) -> Stores:
    """Open or make the file. Raises Conflict when a newer release wrote it."""
    database = await Database.open(path, MIGRATIONS)
    return Stores(
        database,
        sqlite_people.SqlitePeopleStore(database),
        sqlite_people.SqliteTokenLookup(database),
        sqlite_flows.SqliteFlowStore(database),
        sqlite_flows.SqliteFlowDirectory(database),
        sqlite_data_stores.SqliteDataStores(database),
        sqlite_files.SqliteFiles(database),
        sqlite_documents.SqliteDocuments(database),
    )
