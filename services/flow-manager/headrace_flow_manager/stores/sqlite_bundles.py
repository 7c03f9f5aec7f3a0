"""Published bundles in SQLite, and the archives on their way there."""

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

from headrace_core.errors import NotFound, RevisionConflict
from headrace_core.ids import new_id
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.catalog.publication import Publication, PublicationState
from headrace_flow_manager.catalog.store import Content, Mark, Published
from headrace_flow_manager.stores.publications import findings_of, findings_to_json, pieces_of, together
from headrace_flow_manager.stores.values import changed_rows, instant, micros, parsed, parsed_object, parsed_texts

SCHEMA = """
CREATE TABLE bundle_generation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
);
INSERT INTO bundle_generation (one, number) VALUES (1, 0);
CREATE TABLE bundle_services (
    service TEXT PRIMARY KEY,
    content_id TEXT NOT NULL
);
CREATE TABLE bundle_contents (
    content_id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    description TEXT NOT NULL,
    holder TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    unused_since INTEGER
);
CREATE TABLE bundle_pieces (
    holder TEXT NOT NULL,
    number INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (holder, number)
);
CREATE TABLE publications (
    ticket TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    findings TEXT NOT NULL,
    types TEXT NOT NULL
);
CREATE INDEX publications_by_state ON publications (state, changed_at);
CREATE INDEX publications_by_tenant ON publications (tenant_id)
"""


class SqliteBundleStore:
    """The BundleStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def generation(self) -> int:
        return await self._database.read(_generation)

    async def published(self) -> Published:
        def work(connection: sqlite3.Connection) -> Published:
            rows = connection.execute("SELECT service, content_id FROM bundle_services ORDER BY service")
            contents = {row["service"]: row["content_id"] for row in rows}
            return Published(_generation(connection), contents)

        return await self._database.read(work)

    async def publish(self, before: Published, service: str, content_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if _generation(connection) != before.generation:
                raise RevisionConflict("Something was published in between. Look again and publish over that.")
            connection.execute("DELETE FROM bundle_services WHERE service = ?", (service,))
            if content_id:
                connection.execute(
                    "INSERT INTO bundle_services (service, content_id) VALUES (?, ?)", (service, content_id)
                )
            connection.execute("UPDATE bundle_generation SET number = number + 1")

        await self._database.write(work)

    async def add(self, content: Content, archive: bytes, now: datetime) -> None:
        description = json_text.encode(dict(content.description))
        values = (content.content_id, content.service, description, new_id(), times.to_micros(now))

        def work(connection: sqlite3.Connection) -> None:
            added = connection.execute(
                "INSERT INTO bundle_contents (content_id, service, description, holder, created_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (content_id) DO NOTHING",
                values,
            )
            if changed_rows(added):
                _put_pieces(connection, values[3], archive)
            connection.execute(
                "UPDATE bundle_contents SET unused_since = NULL WHERE content_id = ?", (content.content_id,)
            )

        await self._database.write(work)

    async def contents(self, content_ids: Collection[str]) -> Sequence[Content]:
        wanted = list(content_ids)
        marks = ", ".join("?" * len(wanted))

        def work(connection: sqlite3.Connection) -> list[Content]:
            rows = connection.execute(f"SELECT * FROM bundle_contents WHERE content_id IN ({marks})", wanted)
            return [Content(row["content_id"], row["service"], parsed_object(row["description"])) for row in rows]

        return await self._database.read(work)

    async def piece(self, content_id: str, number: int) -> bytes:
        def work(connection: sqlite3.Connection) -> bytes:
            row = connection.execute(
                "SELECT p.data FROM bundle_contents c LEFT JOIN bundle_pieces p"
                " ON p.holder = c.holder AND p.number = ? WHERE c.content_id = ?",
                (number, content_id),
            ).fetchone()
            if row is None:
                raise NotFound("bundle", content_id[:100])
            return row["data"] or b""

        return await self._database.read(work)

    async def marks(self) -> Sequence[Mark]:
        def work(connection: sqlite3.Connection) -> list[Mark]:
            rows = connection.execute("SELECT content_id, unused_since FROM bundle_contents ORDER BY content_id")
            return [Mark(row["content_id"], instant(row["unused_since"])) for row in rows]

        return await self._database.read(work)

    async def mark(self, content_id: str, unused_since: datetime | None) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE bundle_contents SET unused_since = ? WHERE content_id = ?", (micros(unused_since), content_id)
            )

        await self._database.write(work)

    async def drop(self, content_id: str, before: datetime) -> None:
        where, values = "content_id = ? AND unused_since < ?", (content_id, micros(before))

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"DELETE FROM bundle_pieces WHERE holder IN (SELECT holder FROM bundle_contents WHERE {where})", values
            )
            connection.execute(f"DELETE FROM bundle_contents WHERE {where}", values)

        await self._database.write(work)


class SqlitePublicationStore:
    """The PublicationStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, publication: Publication) -> None:
        await self._put(publication)

    async def write(self, tenant: str, ticket: str, number: int, data: bytes) -> None:
        def work(connection: sqlite3.Connection) -> None:
            found = connection.execute(
                "SELECT 1 FROM publications WHERE ticket = ? AND tenant_id = ? AND state = ?",
                (ticket, tenant, str(PublicationState.UPLOADING)),
            ).fetchone()
            if found is None:
                raise NotFound("upload", ticket[:100])
            connection.execute(
                "INSERT OR REPLACE INTO bundle_pieces (holder, number, data) VALUES (?, ?, ?)", (ticket, number, data)
            )

        await self._database.write(work)

    async def archive(self, ticket: str) -> bytes:
        def work(connection: sqlite3.Connection) -> bytes:
            rows = connection.execute(
                "SELECT number, data FROM bundle_pieces WHERE holder = ? ORDER BY number", (ticket,)
            )
            return together((row["number"], row["data"]) for row in rows)

        return await self._database.read(work)

    async def get(self, tenant: str, ticket: str) -> Publication:
        def work(connection: sqlite3.Connection) -> Publication:
            row = connection.execute(
                "SELECT * FROM publications WHERE ticket = ? AND tenant_id = ?", (ticket, tenant)
            ).fetchone()
            if row is None:
                raise NotFound("ticket", ticket[:100])
            return _publication(row)

        return await self._database.read(work)

    async def save(self, publication: Publication) -> None:
        await self._put(publication)

    async def waiting(self, tenant: str) -> int:
        def work(connection: sqlite3.Connection) -> int:
            found = connection.execute(
                "SELECT count(*) FROM publications WHERE tenant_id = ? AND state <> ?",
                (tenant, str(PublicationState.FINISHED)),
            )
            return int(found.fetchone()[0])

        return await self._database.read(work)

    async def submitted(self, limit: int) -> Sequence[Publication]:
        def work(connection: sqlite3.Connection) -> list[Publication]:
            rows = connection.execute(
                "SELECT * FROM publications WHERE state = ? ORDER BY changed_at, ticket LIMIT ?",
                (str(PublicationState.SUBMITTED), limit),
            )
            return [_publication(row) for row in rows]

        return await self._database.read(work)

    async def prune(self, before: datetime) -> None:
        await self._delete("state <> ? AND changed_at < ?", (str(PublicationState.SUBMITTED), micros(before)))

    async def delete_owned(self, tenant: str) -> None:
        await self._delete("tenant_id = ?", (tenant,))

    async def _delete(self, where: str, values: tuple[object, ...]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"DELETE FROM bundle_pieces WHERE holder IN (SELECT ticket FROM publications WHERE {where})", values
            )
            connection.execute(f"DELETE FROM publications WHERE {where}", values)

        await self._database.write(work)

    async def _put(self, publication: Publication) -> None:
        values = (
            publication.ticket,
            publication.tenant_id,
            str(publication.state),
            micros(publication.created_at),
            micros(publication.changed_at),
            publication.error,
            json_text.encode(findings_to_json(publication.findings)),
            json_text.encode(list(publication.types)),
        )

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO publications (ticket, tenant_id, state, created_at, changed_at, error,"
                " findings, types) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            if publication.state is PublicationState.FINISHED:
                connection.execute("DELETE FROM bundle_pieces WHERE holder = ?", (publication.ticket,))

        await self._database.write(work)


def _generation(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT number FROM bundle_generation").fetchone()[0])


def _put_pieces(connection: sqlite3.Connection, holder: str, archive: bytes) -> None:
    connection.executemany(
        "INSERT INTO bundle_pieces (holder, number, data) VALUES (?, ?, ?)",
        ((holder, number, data) for number, data in pieces_of(archive)),
    )


def _publication(row: sqlite3.Row) -> Publication:
    return Publication(
        ticket=row["ticket"],
        tenant_id=row["tenant_id"],
        created_at=times.from_micros(row["created_at"]),
        changed_at=times.from_micros(row["changed_at"]),
        state=PublicationState(row["state"]),
        error=row["error"],
        findings=findings_of(parsed(row["findings"])),
        types=parsed_texts(row["types"]),
    )
