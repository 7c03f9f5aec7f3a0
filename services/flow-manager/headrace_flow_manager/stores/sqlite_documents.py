"""Documents of the installation in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from headrace_core import Json
from headrace_runtime.sqlite import Database

from headrace_flow_manager.stores.values import parsed_object

SCHEMA = "CREATE TABLE documents (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID"


class SqliteDocuments:
    """The Documents port in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> dict[str, Json] | None:
        def work(connection: sqlite3.Connection) -> dict[str, Json] | None:
            row = connection.execute("SELECT content FROM documents WHERE name = ?", (name,)).fetchone()
            return None if row is None else parsed_object(row["content"])

        return await self._database.read(work)

    async def put(self, name: str, document: Mapping[str, Json]) -> None:
        text = json.dumps(dict(document))
        await self._database.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (name, text))
        )

    async def delete(self, name: str) -> None:
        await self._database.write(
            lambda connection: connection.execute("DELETE FROM documents WHERE name = ?", (name,))
        )
