"""Installation-wide documents in SQLite."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from headrace_core import Json
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text
from headrace_flow_manager.stores.values import is_same_json, micros, parsed_object

SCHEMA = """
CREATE TABLE documents (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
)
"""


class SqliteDocumentStore:
    """The DocumentStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Mapping[str, Json] | None:
        def work(connection: sqlite3.Connection) -> Mapping[str, Json] | None:
            row = connection.execute("SELECT document FROM documents WHERE name = ?", (name,)).fetchone()
            return None if row is None else parsed_object(row["document"])

        return await self._database.read(work)

    async def put(self, actor: str, name: str, document: Mapping[str, Json], now: datetime) -> None:
        values = (name, json_text.encode(dict(document)), actor, micros(now))

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO documents (name, document, changed_by, changed_at) VALUES (?, ?, ?, ?)", values
            )

        await self._database.write(work)

    async def replace(
        self, before: Mapping[str, Json] | None, actor: str, name: str, document: Mapping[str, Json], now: datetime
    ) -> bool:
        values = (name, json_text.encode(dict(document)), actor, micros(now))

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute("SELECT document FROM documents WHERE name = ?", (name,)).fetchone()
            if not is_same_json(None if row is None else parsed_object(row["document"]), _json(before)):
                return False
            connection.execute(
                "INSERT OR REPLACE INTO documents (name, document, changed_by, changed_at) VALUES (?, ?, ?, ?)", values
            )
            return True

        return await self._database.write(work)

    async def remove(self, before: Mapping[str, Json], name: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute("SELECT document FROM documents WHERE name = ?", (name,)).fetchone()
            if row is None or not is_same_json(parsed_object(row["document"]), _json(before)):
                return False
            connection.execute("DELETE FROM documents WHERE name = ?", (name,))
            return True

        return await self._database.write(work)

    async def delete(self, name: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM documents WHERE name = ?", (name,))

        await self._database.write(work)


def _json(document: Mapping[str, Json] | None) -> Json:
    return None if document is None else dict(document)
