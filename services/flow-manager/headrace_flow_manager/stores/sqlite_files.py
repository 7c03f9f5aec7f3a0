"""Files in SQLite, in the parts they were written in."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime

from headrace_core import Json
from headrace_core.errors import BadRequest, NotFound, TooLarge
from headrace_runtime.sqlite import Database

from headrace_flow_manager import times
from headrace_flow_manager.files.model import File, Upload
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.stores.values import parsed_object

SCHEMA = """
CREATE TABLE files (
    file_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    upload_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    metadata TEXT NOT NULL
);
CREATE INDEX files_of_tenant ON files (tenant_id, uploaded_at);
CREATE TABLE uploads (
    upload_id TEXT PRIMARY KEY,
    file_id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    opened_at INTEGER NOT NULL
);
CREATE TABLE file_parts (
    upload_id TEXT NOT NULL,
    start INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (upload_id, start)
)
"""


class SqliteFiles:
    """The Files port in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, upload: Upload) -> Upload:
        def work(connection: sqlite3.Connection) -> Upload:
            for table in ("files", "uploads"):
                row = connection.execute(
                    f"SELECT tenant_id FROM {table} WHERE file_id = ?", (upload.file_id,)
                ).fetchone()
                if row is not None and row["tenant_id"] != upload.tenant_id:
                    raise NotFound("file", upload.file_id)
            row = connection.execute("SELECT * FROM uploads WHERE file_id = ?", (upload.file_id,)).fetchone()
            if row is not None:
                return _upload(row)
            connection.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    upload.upload_id,
                    upload.file_id,
                    upload.tenant_id,
                    upload.filename,
                    upload.content_type,
                    json.dumps(dict(upload.metadata)),
                    times.to_micros(upload.opened_at),
                ),
            )
            return upload

        return await self._database.write(work)

    async def write(self, tenant: str, upload_id: str, offset: int, data: bytes, limit_bytes: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _under_way(connection, tenant, upload_id)
            if offset + len(data) > limit_bytes:
                raise TooLarge(f"A file has {limit_bytes:,} bytes at most. Send less.")
            connection.execute("INSERT OR REPLACE INTO file_parts VALUES (?, ?, ?)", (upload_id, offset, data))

        await self._database.write(work)

    async def finish(self, tenant: str, upload_id: str, now: float) -> File:
        def work(connection: sqlite3.Connection) -> File:
            upload = _under_way(connection, tenant, upload_id)
            digest, size = hashlib.sha256(), 0
            rows = connection.execute(
                "SELECT start, data FROM file_parts WHERE upload_id = ? ORDER BY start", (upload_id,)
            )
            for row in rows:
                if row["start"] != size:
                    raise BadRequest(f"The file has a gap or an overlap at byte {size}. Send the part from there.")
                digest.update(row["data"])
                size += len(row["data"])
            former = connection.execute("SELECT upload_id FROM files WHERE file_id = ?", (upload.file_id,)).fetchone()
            if former is not None:
                connection.execute("DELETE FROM file_parts WHERE upload_id = ?", (former["upload_id"],))
            file = File(
                upload.file_id,
                tenant,
                upload.filename,
                upload.content_type,
                size,
                digest.hexdigest(),
                datetime.fromtimestamp(now, UTC),
                upload.metadata,
            )
            connection.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    file.file_id,
                    tenant,
                    upload_id,
                    file.filename,
                    file.content_type,
                    size,
                    file.sha256,
                    times.to_micros(file.uploaded_at),
                    json.dumps(dict(file.metadata)),
                ),
            )
            connection.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))
            return file

        return await self._database.write(work)

    async def get(self, tenant: str, file_id: str) -> File:
        return await self._database.read(lambda connection: _file(_row(connection, tenant, file_id)))

    async def read(self, tenant: str, file_id: str, offset: int, length: int) -> bytes:
        def work(connection: sqlite3.Connection) -> bytes:
            upload_id = _row(connection, tenant, file_id)["upload_id"]
            rows = connection.execute(
                "SELECT start, data FROM file_parts WHERE upload_id = ? AND start < ? AND start + length(data) > ?"
                " ORDER BY start",
                (upload_id, offset + length, offset),
            )
            return b"".join(row["data"][max(0, offset - row["start"]) : offset + length - row["start"]] for row in rows)

        return await self._database.read(work)

    async def page(self, tenant: str, query: ListQuery) -> Page[File]:
        selection = Selection(query, names=("filename",))

        def work(connection: sqlite3.Connection) -> Page[File]:
            rows = connection.execute("SELECT * FROM files WHERE tenant_id = ? ORDER BY uploaded_at DESC", (tenant,))
            return selection.page((file, _shown(file)) for file in map(_file, rows))

        return await self._database.read(work)

    async def delete(self, tenant: str, file_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            row = _row(connection, tenant, file_id)
            connection.execute("DELETE FROM file_parts WHERE upload_id = ?", (row["upload_id"],))
            connection.execute("DELETE FROM files WHERE file_id = ? AND tenant_id = ?", (file_id, tenant))

        await self._database.write(work)

    async def purge(self, opened_before: float, limit: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(
                "SELECT upload_id FROM uploads WHERE opened_at < ? LIMIT ?", (int(opened_before * 1_000_000), limit)
            ).fetchall()
            for row in rows:
                connection.execute("DELETE FROM file_parts WHERE upload_id = ?", (row["upload_id"],))
                connection.execute("DELETE FROM uploads WHERE upload_id = ?", (row["upload_id"],))
            return len(rows)

        return await self._database.write(work)


def _under_way(connection: sqlite3.Connection, tenant: str, upload_id: str) -> Upload:
    row = connection.execute(
        "SELECT * FROM uploads WHERE upload_id = ? AND tenant_id = ?", (upload_id, tenant)
    ).fetchone()
    if row is None:
        raise NotFound("upload", upload_id)
    return _upload(row)


def _upload(row: sqlite3.Row) -> Upload:
    return Upload(
        row["upload_id"],
        row["file_id"],
        row["tenant_id"],
        row["filename"],
        row["content_type"],
        parsed_object(row["metadata"]),
        times.from_micros(row["opened_at"]),
    )


def _row(connection: sqlite3.Connection, tenant: str, file_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM files WHERE file_id = ? AND tenant_id = ?", (file_id, tenant)
    ).fetchone()
    if row is None:
        raise NotFound("file", file_id)
    return row


def _file(row: sqlite3.Row) -> File:
    return File(
        row["file_id"],
        row["tenant_id"],
        row["filename"],
        row["content_type"],
        row["size_bytes"],
        row["sha256"],
        times.from_micros(row["uploaded_at"]),
        parsed_object(row["metadata"]),
    )


def _shown(file: File) -> dict[str, Json]:
    return {
        "fileId": file.file_id,
        "filename": file.filename,
        "contentType": file.content_type,
        "length": file.size_bytes,
        "uploadDate": times.to_text(file.uploaded_at),
        "metadata": dict(file.metadata),
    }
