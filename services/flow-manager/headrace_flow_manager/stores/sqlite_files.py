"""Files in SQLite, in chunks."""

import hashlib
import sqlite3
from datetime import datetime

from headrace_core import Json
from headrace_core.errors import Conflict, NotFound, RevisionConflict, TooLarge
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.files.model import MAX_CHUNK_BYTES, MAX_CHUNKS, Description, Digest, File, Upload
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores.values import micros, of_tenants, parsed_object, shown

SCHEMA = """
CREATE TABLE files (
    tenant_id TEXT NOT NULL,
    file_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    content_id TEXT NOT NULL UNIQUE,
    uploaded_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, file_id)
);
CREATE TABLE file_uploads (
    upload_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    file_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    writes INTEGER NOT NULL,
    fresh INTEGER NOT NULL,
    UNIQUE (tenant_id, file_id)
);
CREATE INDEX file_uploads_by_time ON file_uploads (opened_at);
CREATE TABLE file_chunks (
    content_id TEXT NOT NULL,
    offset INTEGER NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (content_id, offset)
)
"""


class SqliteFileStore:
    """The FileStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, tenant: str, upload_id: str, file_id: str, description: Description, now: datetime) -> str:
        values = {
            "upload_id": upload_id,
            "tenant_id": tenant,
            "file_id": file_id,
            "filename": description.filename,
            "content_type": description.content_type,
            "metadata": json_text.encode(dict(description.metadata)),
            "opened_at": micros(now),
        }

        def work(connection: sqlite3.Connection) -> str:
            connection.execute(
                "INSERT INTO file_uploads (upload_id, tenant_id, file_id, filename, content_type, metadata, opened_at,"
                " writes, fresh) VALUES (:upload_id, :tenant_id, :file_id, :filename, :content_type, :metadata,"
                " :opened_at, 0, 1) ON CONFLICT (tenant_id, file_id) DO UPDATE SET filename = :filename,"
                " content_type = :content_type, metadata = :metadata, opened_at = :opened_at, fresh = 1",
                values,
            )
            row = connection.execute(
                "SELECT upload_id FROM file_uploads WHERE tenant_id = ? AND file_id = ?", (tenant, file_id)
            ).fetchone()
            return str(row["upload_id"])

        return await self._database.write(work)

    async def write(self, tenant: str, upload_id: str, offset: int, data: bytes, max_bytes: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            row = _upload_row(connection, tenant, upload_id)
            if row["fresh"] and offset == 0:
                connection.execute("DELETE FROM file_chunks WHERE content_id = ?", (upload_id,))
            connection.execute("DELETE FROM file_chunks WHERE content_id = ? AND offset = ?", (upload_id, offset))
            kept = connection.execute(
                "SELECT count(*) AS chunks, total(size) AS bytes FROM file_chunks WHERE content_id = ?", (upload_id,)
            ).fetchone()
            if kept["bytes"] + len(data) > max_bytes:
                raise TooLarge(f"A file has at most {max_bytes} bytes.")
            if kept["chunks"] >= MAX_CHUNKS:
                raise TooLarge(f"A file has at most {MAX_CHUNKS} chunks. Send larger ones.")
            connection.execute(
                "INSERT INTO file_chunks (content_id, offset, size, data) VALUES (?, ?, ?, ?)",
                (upload_id, offset, len(data), data),
            )
            connection.execute(
                "UPDATE file_uploads SET writes = writes + 1, fresh = 0 WHERE upload_id = ?", (upload_id,)
            )

        await self._database.write(work)

    async def upload(self, tenant: str, upload_id: str) -> Upload:
        def work(connection: sqlite3.Connection) -> Upload:
            row = _upload_row(connection, tenant, upload_id)
            return Upload(upload_id, row["file_id"], _description(row), row["writes"])

        return await self._database.read(work)

    async def finished(self, tenant: str, upload_id: str) -> File | None:
        def work(connection: sqlite3.Connection) -> File | None:
            row = connection.execute(
                "SELECT * FROM files WHERE tenant_id = ? AND content_id = ?", (tenant, upload_id)
            ).fetchone()
            return None if row is None else _file(row)

        return await self._database.read(work)

    async def digest(self, tenant: str, upload_id: str) -> Digest:
        def work(connection: sqlite3.Connection) -> Digest:
            upload = _upload_row(connection, tenant, upload_id)
            size, digest = 0, hashlib.sha256()
            if not upload["fresh"]:
                for chunk in connection.execute(
                    "SELECT offset, data FROM file_chunks WHERE content_id = ? ORDER BY offset", (upload_id,)
                ):
                    if chunk["offset"] != size:
                        raise Conflict(f"The upload is not whole: a chunk belongs at offset {size}. Write it first.")
                    digest.update(chunk["data"])
                    size += len(chunk["data"])
            return Digest(size, digest.hexdigest(), upload["writes"])

        return await self._database.read(work)

    async def finish(self, tenant: str, upload_id: str, digest: Digest, now: datetime) -> File:
        def work(connection: sqlite3.Connection) -> File:
            upload = _upload_row(connection, tenant, upload_id)
            if upload["writes"] != digest.writes:
                raise RevisionConflict("Chunks were written in between. Finish the upload again.")
            if upload["fresh"]:  # opened again and nothing written since: the content is empty
                connection.execute("DELETE FROM file_chunks WHERE content_id = ?", (upload_id,))
            _drop_content(connection, tenant, upload["file_id"])
            connection.execute(
                "INSERT OR REPLACE INTO files (tenant_id, file_id, filename, content_type, metadata, size_bytes,"
                " sha256, content_id, uploaded_at) SELECT tenant_id, file_id, filename, content_type, metadata, ?, ?,"
                " upload_id, ? FROM file_uploads WHERE upload_id = ?",
                (digest.size_bytes, digest.sha256, micros(now), upload_id),
            )
            connection.execute("DELETE FROM file_uploads WHERE upload_id = ?", (upload_id,))
            return _get(connection, tenant, upload["file_id"])

        return await self._database.write(work)

    async def get(self, tenants: Tenants, file_id: str) -> File:
        return await self._database.read(lambda connection: _get(connection, tenants, file_id))

    async def read(self, tenants: Tenants, file_id: str, offset: int, length: int) -> bytes:
        def work(connection: sqlite3.Connection) -> bytes:
            file = _get(connection, tenants, file_id)
            end = min(offset + length, file.size_bytes)
            if offset >= end:
                return b""
            rows = connection.execute(
                "SELECT offset, data FROM file_chunks WHERE content_id = ?1 AND offset < ?2 AND offset >="
                " (SELECT max(offset) FROM file_chunks WHERE content_id = ?1 AND offset <= ?3) ORDER BY offset",
                (file.content_id, end, offset),
            )
            return b"".join(row["data"][max(0, offset - row["offset"]) : end - row["offset"]] for row in rows)

        return await self._database.read(work)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[File]:
        selection = Selection(query, names=("filename",))
        within, values = of_tenants(tenants)

        def work(connection: sqlite3.Connection) -> Page[File]:
            rows = connection.execute(f"SELECT * FROM files WHERE {within} ORDER BY uploaded_at, file_id", values)
            return selection.page((_file(row), _public(row)) for row in rows)

        return await self._database.read(work)

    async def delete(self, tenant: str, file_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _get(connection, tenant, file_id)
            _drop_content(connection, tenant, file_id)
            connection.execute("DELETE FROM files WHERE tenant_id = ? AND file_id = ?", (tenant, file_id))
            rows = connection.execute(
                "SELECT upload_id FROM file_uploads WHERE tenant_id = ? AND file_id = ?", (tenant, file_id)
            ).fetchall()
            _drop_uploads(connection, rows)

        await self._database.write(work)

    async def prune(self, before: datetime) -> None:
        def work(connection: sqlite3.Connection) -> None:
            rows = connection.execute("SELECT upload_id FROM file_uploads WHERE opened_at < ?", (micros(before),))
            _drop_uploads(connection, rows.fetchall())

        await self._database.write(work)


def _upload_row(connection: sqlite3.Connection, tenant: str, upload_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM file_uploads WHERE tenant_id = ? AND upload_id = ?", (tenant, upload_id)
    ).fetchone()
    if row is None:
        raise NotFound("upload", upload_id[:256])
    return row


def _get(connection: sqlite3.Connection, tenants: Tenants, file_id: str) -> File:
    within, values = of_tenants(tenants)
    row = connection.execute(f"SELECT * FROM files WHERE file_id = ? AND {within}", (file_id, *values)).fetchone()
    if row is None:
        raise NotFound("file", file_id[:256])
    return _file(row)


def _drop_content(connection: sqlite3.Connection, tenant: str, file_id: str) -> None:
    connection.execute(
        "DELETE FROM file_chunks WHERE content_id IN"
        " (SELECT content_id FROM files WHERE tenant_id = ? AND file_id = ?)",
        (tenant, file_id),
    )


def _drop_uploads(connection: sqlite3.Connection, rows: list[sqlite3.Row]) -> None:
    for row in rows:
        connection.execute("DELETE FROM file_chunks WHERE content_id = ?", (row["upload_id"],))
        connection.execute("DELETE FROM file_uploads WHERE upload_id = ?", (row["upload_id"],))


def _description(row: sqlite3.Row) -> Description:
    return Description(row["filename"], row["content_type"], parsed_object(row["metadata"]))


def _file(row: sqlite3.Row) -> File:
    return File(
        file_id=row["file_id"],
        tenant_id=row["tenant_id"],
        description=_description(row),
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        content_id=row["content_id"],
        uploaded_at=times.from_micros(row["uploaded_at"]),
    )


def _public(row: sqlite3.Row) -> Record:
    metadata: dict[str, Json] = {**parsed_object(row["metadata"]), "userId": row["tenant_id"]}
    return {
        "fileId": row["file_id"],
        "filename": row["filename"],
        "contentType": row["content_type"],
        "length": row["size_bytes"],
        "chunkSize": MAX_CHUNK_BYTES,
        "sha256": row["sha256"],
        "uploadDate": shown(row["uploaded_at"]),
        "metadata": metadata,
    }
