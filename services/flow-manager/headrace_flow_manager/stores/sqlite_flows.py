"""Flows in SQLite."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from headrace_core import Json
from headrace_core.errors import AlreadyExists, NotFound, RevisionConflict
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.flows.logger import log_level_of
from headrace_flow_manager.flows.model import Executable, Flow, FlowVersion, Instance, Stage, UsingFlow, types_of
from headrace_flow_manager.flows.sharing import PERMISSIONS, Guest, Permission, marks_of, permits, visible
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores.values import instant, micros, of_tenants, parsed_object, shown

SCHEMA = """
CREATE TABLE flows (
    flow_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    stage TEXT NOT NULL,
    version INTEGER NOT NULL,
    running_version INTEGER NOT NULL,
    activated_version INTEGER NOT NULL,
    activation_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    record TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    started_at INTEGER,
    stopped_at INTEGER,
    stage_error TEXT NOT NULL,
    removed INTEGER NOT NULL,
    settled INTEGER NOT NULL
);
CREATE INDEX flows_of_tenant ON flows (tenant_id, created_at);
CREATE INDEX flows_by_name ON flows (tenant_id, name);
CREATE INDEX flows_active ON flows (flow_id) WHERE stage IN ('starting', 'running') AND removed = 0;
CREATE INDEX flows_unfinished ON flows (flow_id) WHERE settled = 0;
CREATE TABLE flow_versions (
    flow_id TEXT NOT NULL REFERENCES flows (flow_id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    descriptor TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (flow_id, version)
)
"""

TEMPLATES_SCHEMA = """
ALTER TABLE flows ADD COLUMN template_id TEXT NOT NULL DEFAULT '';
UPDATE flows SET template_id = coalesce(json_extract(record, '$.templateId'), '');
CREATE INDEX flows_of_template ON flows (template_id, flow_id) WHERE template_id <> ''
"""

SHARES_SCHEMA = """
CREATE TABLE flow_shares (
    flow_id TEXT NOT NULL REFERENCES flows (flow_id) ON DELETE CASCADE,
    mark TEXT NOT NULL,
    PRIMARY KEY (mark, flow_id)
) WITHOUT ROWID;
CREATE INDEX flow_shares_of_flow ON flow_shares (flow_id);
INSERT OR IGNORE INTO flow_shares (flow_id, mark)
SELECT f.flow_id, mark.key || ':' || CASE mark.key WHEN 'scope' THEN mark.value ELSE casefold(mark.value) END
FROM flows f, json_each(f.record, '$.sharedWith') entry,
    json_each(CASE entry.type WHEN 'object' THEN entry.value ELSE '{}' END) mark
WHERE mark.key IN ('email', 'domain', 'scope') AND mark.type = 'text' AND mark.value <> ''
"""
"""Whom flows are shared with, as `sharing.marks_of` writes it, for those who ask what is shared with them."""

BUNDLES_SCHEMA = """
CREATE TABLE flow_pins (
    flow_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    content_id TEXT NOT NULL,
    PRIMARY KEY (flow_id, version, content_id),
    FOREIGN KEY (flow_id, version) REFERENCES flow_versions (flow_id, version) ON DELETE CASCADE
);
CREATE INDEX flow_pins_by_content ON flow_pins (content_id);
CREATE TABLE flow_types (
    flow_id TEXT NOT NULL REFERENCES flows (flow_id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    PRIMARY KEY (flow_id, type)
);
CREATE INDEX flow_types_by_type ON flow_types (type, flow_id);
INSERT INTO flow_types (flow_id, type)
    SELECT DISTINCT f.flow_id, json_extract(node.value, '$.type')
    FROM flows f
    JOIN flow_versions v ON v.flow_id = f.flow_id AND v.version = f.version
    JOIN json_each(v.descriptor) node
    WHERE node.type = 'object' AND json_type(node.value, '$.type') = 'text'
"""

_COLUMNS = (
    "f.flow_id, f.tenant_id, f.name, f.stage, f.version, f.running_version, f.revision,"
    " f.created_at, f.modified_at, f.started_at, f.stopped_at, f.stage_error"
)
_PINS = (
    "(SELECT group_concat(p.content_id, ' ') FROM flow_pins p WHERE p.flow_id = v.flow_id AND p.version = v.version)"
    " AS pins"
)
_SELECT = (
    f"SELECT f.*, v.descriptor, {_PINS} FROM flows f JOIN flow_versions v ON v.flow_id = f.flow_id"
    " AND v.version = f.version"
)
_SELECT_VERSION = (
    f"SELECT f.flow_id, f.tenant_id, f.name, f.record, v.version, v.descriptor, v.label, v.created_at, {_PINS}"
    " FROM flows f JOIN flow_versions v ON v.flow_id = f.flow_id"
)
_SELECT_EXECUTABLE = (
    "SELECT f.flow_id, f.tenant_id, f.name, f.record, f.stage, f.removed, v.version, v.descriptor, v.label,"
    f" v.created_at, {_PINS} FROM flows f LEFT JOIN flow_versions v ON v.flow_id = f.flow_id"
    " AND v.version = CASE :version WHEN 0 THEN f.running_version ELSE :version END WHERE f.flow_id = :flow_id"
)

_INDEXED: Final = {"stage": "stage", "name": "name", "flowId": "flow_id", "userId": "tenant_id"}
"""Public fields whose equality the database looks up."""

_PUBLIC_COLUMNS: Final = frozenset(
    {
        "flowId", "userId", "name", "stage", "version", "runningVersion", "revision", "btime", "mtime", "started",
        "stopped", "stageError",
    }
)  # fmt: skip
"""Public fields that need no look into the record."""


class SqliteFlowStore:
    """The FlowStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tenant: str, flow: Flow) -> None:
        def work(connection: sqlite3.Connection) -> None:
            taken = connection.execute("SELECT removed FROM flows WHERE flow_id = ?", (flow.flow_id,)).fetchone()
            if taken is not None:
                hint = "It is being removed; try again in a moment." if taken["removed"] else "Choose another one."
                raise AlreadyExists(f"There is a flow {flow.flow_id!r} already. {hint}")
            _insert(connection, tenant, flow)
            _put_marks(connection, flow)
            _insert_version(connection, flow)

        await self._database.write(work)

    async def get(self, tenants: Tenants, flow_id: str) -> Flow:
        return await self._database.read(lambda connection: _get(connection, tenants, flow_id))

    async def shared(self, guest: Guest, flow_id: str) -> Flow:
        def work(connection: sqlite3.Connection) -> Flow:
            row = connection.execute(f"{_SELECT} WHERE f.flow_id = ? AND f.removed = 0", (flow_id,)).fetchone()
            flow = None if row is None else _flow(row)
            if flow is None or not any(permits(flow.record, guest, each) for each in PERMISSIONS):
                raise NotFound("flow", flow_id)
            return flow

        return await self._database.read(work)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Flow]:
        selection = Selection(query)

        def work(connection: sqlite3.Connection) -> Page[Flow]:
            page = selection.page(_candidates(connection, tenants, query))
            flows = (
                connection.execute(f"{_SELECT} WHERE f.flow_id = ?", (flow_id,)).fetchone() for flow_id in page.items
            )
            return Page(tuple(_flow(row) for row in flows if row is not None), page.total)

        return await self._database.read(work)

    async def count(self, tenants: Tenants, query: ListQuery) -> int:
        selection = Selection(query)

        def work(connection: sqlite3.Connection) -> int:
            return sum(selection.holds(each) for _, each in _candidates(connection, tenants, query))

        return await self._database.read(work)

    async def page_shared(
        self, tenant: str, guest: Guest, permissions: Sequence[Permission], query: ListQuery
    ) -> Page[Flow]:
        selection = Selection(query)

        def work(connection: sqlite3.Connection) -> Page[Flow]:
            candidates = ((flow.flow_id, shown) for flow, shown in _shared(connection, tenant, guest, permissions))
            page = selection.page(candidates)
            rows = (connection.execute(f"{_SELECT} WHERE f.flow_id = ?", (each,)).fetchone() for each in page.items)
            flows = (_flow(row) for row in rows if row is not None)
            # Read once more, so asked once more: a share may have ended in between.
            return Page(tuple(each for each in flows if _grants(each, guest, permissions)), page.total)

        return await self._database.read(work)

    async def count_shared(self, tenant: str, guest: Guest, permissions: Sequence[Permission], query: ListQuery) -> int:
        selection = Selection(query)

        def work(connection: sqlite3.Connection) -> int:
            return sum(selection.holds(each) for _, each in _shared(connection, tenant, guest, permissions))

        return await self._database.read(work)

    async def save(self, tenant: str, before: Flow, after: Flow) -> Flow:
        saved = replace(after, revision=before.revision + 1)

        def work(connection: sqlite3.Connection) -> None:
            kept = connection.execute(
                "SELECT revision FROM flows WHERE tenant_id = ? AND flow_id = ?", (tenant, before.flow_id)
            ).fetchone()
            if kept is None:
                raise NotFound("flow", before.flow_id)
            if kept["revision"] != before.revision:
                raise RevisionConflict(f"Flow {before.flow_id!r} was saved in between. Read it again and save that.")
            _update(connection, tenant, saved)
            if marks_of(saved.record) != marks_of(before.record):
                _put_marks(connection, saved)
            if saved.version > before.version:
                _insert_version(connection, saved)
                return
            if saved.descriptor != before.descriptor:
                _replace_version(connection, saved)
            if saved.pins != before.pins and _pin(connection, saved.flow_id, saved.version, saved.pins) != saved.pins:
                raise RevisionConflict(f"Flow {before.flow_id!r} was pinned in between. Read it again and save that.")

        await self._database.write(work)
        return saved

    async def versions(self, tenants: Tenants, flow_id: str, offset: int, limit: int) -> Page[FlowVersion]:
        def work(connection: sqlite3.Connection) -> Page[FlowVersion]:
            _get(connection, tenants, flow_id)
            total = connection.execute("SELECT count(*) FROM flow_versions WHERE flow_id = ?", (flow_id,)).fetchone()[0]
            rows = connection.execute(
                f"{_SELECT_VERSION} WHERE f.flow_id = ? ORDER BY v.version DESC LIMIT ? OFFSET ?",
                (flow_id, limit, offset),
            )
            return Page(tuple(map(_version, rows)), total)

        return await self._database.read(work)

    async def version(self, tenants: Tenants, flow_id: str, version: int) -> FlowVersion:
        return await self._database.read(lambda connection: _one_version(connection, tenants, flow_id, version))

    async def label(self, tenant: str, flow_id: str, version: int, label: str) -> FlowVersion:
        def work(connection: sqlite3.Connection) -> FlowVersion:
            _one_version(connection, tenant, flow_id, version)
            connection.execute(
                "UPDATE flow_versions SET label = ? WHERE flow_id = ? AND version = ?", (label, flow_id, version)
            )
            return _one_version(connection, tenant, flow_id, version)

        return await self._database.write(work)

    async def erase(self, tenant: str, flow_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            erased = connection.execute(
                "DELETE FROM flows WHERE tenant_id = ? AND flow_id = ? AND removed = 1", (tenant, flow_id)
            )
            if erased.rowcount:  # its triggers listen no more, even where their stop hook could not run
                connection.execute("DELETE FROM store_listeners WHERE tenant_id = ? AND flow_id = ?", (tenant, flow_id))

        await self._database.write(work)


class SqliteFlowDirectory:
    """The FlowDirectory in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, flow_id: str) -> Flow:
        def work(connection: sqlite3.Connection) -> Flow:
            row = connection.execute(f"{_SELECT} WHERE f.flow_id = ?", (flow_id,)).fetchone()
            if row is None:
                raise NotFound("flow", flow_id)
            return _flow(row)

        return await self._database.read(work)

    async def executable(self, flow_id: str, version: int) -> Executable:
        def work(connection: sqlite3.Connection) -> Executable:
            row = connection.execute(_SELECT_EXECUTABLE, {"flow_id": flow_id, "version": version}).fetchone()
            if row is None:
                raise NotFound("flow", flow_id)
            if version and row["version"] is None:
                raise NotFound("flow version", f"{flow_id}:{version}")
            found = None if row["version"] is None else _version(row)
            return Executable(row["tenant_id"], Stage(row["stage"]), bool(row["removed"]), found)

        return await self._database.read(work)

    async def active(self, after_flow_id: str, limit: int) -> Sequence[FlowVersion]:
        def work(connection: sqlite3.Connection) -> list[FlowVersion]:
            rows = connection.execute(
                f"{_SELECT_VERSION} AND v.version = f.running_version WHERE f.flow_id > ?"
                " AND f.stage IN ('starting', 'running') AND f.removed = 0 ORDER BY f.flow_id LIMIT ?",
                (after_flow_id, limit),
            )
            return [_version(row) for row in rows]

        return await self._database.read(work)

    async def instances(self, template_id: str, after_flow_id: str, limit: int) -> Sequence[Instance]:
        def work(connection: sqlite3.Connection) -> list[Instance]:
            rows = connection.execute(
                "SELECT tenant_id, flow_id FROM flows WHERE template_id = ? AND template_id <> '' AND flow_id > ?"
                " AND removed = 0 ORDER BY flow_id LIMIT ?",
                (template_id, after_flow_id, limit),
            )
            return [Instance(row["tenant_id"], row["flow_id"]) for row in rows]

        return await self._database.read(work)

    async def pin(self, flow_id: str, version: int, pins: tuple[str, ...]) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            found = connection.execute(
                "SELECT 1 FROM flow_versions WHERE flow_id = ? AND version = ?", (flow_id, version)
            ).fetchone()
            if found is None:
                raise NotFound("flow version", f"{flow_id}:{version}")
            return _pin(connection, flow_id, version, pins)

        return await self._database.write(work)

    async def pinned(self, content_ids: Collection[str]) -> Collection[str]:
        wanted = list(content_ids)
        marks = ", ".join("?" * len(wanted))

        def work(connection: sqlite3.Connection) -> set[str]:
            rows = connection.execute(
                f"SELECT DISTINCT content_id FROM flow_pins WHERE content_id IN ({marks})", wanted
            )
            return {row["content_id"] for row in rows}

        return await self._database.read(work)

    async def using(self, selector: str, limit: int) -> Sequence[UsingFlow]:
        def work(connection: sqlite3.Connection) -> list[UsingFlow]:
            rows = connection.execute(
                "SELECT tenant_id, flow_id, name FROM flows WHERE removed = 0 AND flow_id IN (SELECT flow_id FROM"
                " flow_types WHERE type = ?1 OR (type >= ?1 || '.' AND type < ?1 || '/')) ORDER BY flow_id LIMIT ?2",
                (selector, limit),
            )
            return [UsingFlow(row["tenant_id"], row["flow_id"], row["name"]) for row in rows]

        return await self._database.read(work)

    async def unfinished(self, after_flow_id: str, limit: int) -> Sequence[Flow]:
        def work(connection: sqlite3.Connection) -> list[Flow]:
            rows = connection.execute(
                f"{_SELECT} WHERE f.flow_id > ? AND f.settled = 0 ORDER BY f.flow_id LIMIT ?", (after_flow_id, limit)
            )
            return [_flow(row) for row in rows]

        return await self._database.read(work)


def _get(connection: sqlite3.Connection, tenants: Tenants, flow_id: str) -> Flow:
    within, values = of_tenants(tenants, "f.tenant_id")
    row = connection.execute(
        f"{_SELECT} WHERE f.flow_id = ? AND f.removed = 0 AND {within}", (flow_id, *values)
    ).fetchone()
    if row is None:
        raise NotFound("flow", flow_id)
    return _flow(row)


def _one_version(connection: sqlite3.Connection, tenants: Tenants, flow_id: str, version: int) -> FlowVersion:
    within, values = of_tenants(tenants, "f.tenant_id")
    row = connection.execute(
        f"{_SELECT_VERSION} WHERE f.flow_id = ? AND f.removed = 0 AND {within} AND v.version = ?",
        (flow_id, *values, version),
    ).fetchone()
    if row is None:
        _get(connection, tenants, flow_id)
        raise NotFound("flow version", f"{flow_id}:{version}")
    return _version(row)


def _candidates(connection: sqlite3.Connection, tenants: Tenants, query: ListQuery) -> Iterator[tuple[str, Record]]:
    """The flows that the indexes leave over, oldest first, each with as much of its record as the query looks at."""
    within, values = of_tenants(tenants, "f.tenant_id")
    conditions = [within, "f.removed = 0"]
    for field, column in _INDEXED.items():
        for text in query.equalities(field):
            conditions.append(f"f.{column} = ?")
            values.append(text)
    whole = not _PUBLIC_COLUMNS.issuperset(query.fields)
    columns = "f.*, v.descriptor" if whole else _COLUMNS
    joined = "JOIN flow_versions v ON v.flow_id = f.flow_id AND v.version = f.version" if whole else ""
    sql = f"SELECT {columns} FROM flows f {joined} WHERE {' AND '.join(conditions)} ORDER BY f.created_at, f.flow_id"
    for row in connection.execute(sql, values):
        yield row["flow_id"], _public(row, whole=whole)


def _shared(
    connection: sqlite3.Connection, tenant: str, guest: Guest, permissions: Sequence[Permission]
) -> Iterator[tuple[Flow, Record]]:
    """The flows of others that the guest has one of the permissions for, oldest first, each as the guest sees it."""
    marks = sorted(guest.marks)
    found = f"SELECT flow_id FROM flow_shares WHERE mark IN ({', '.join('?' * len(marks))})"
    rows = connection.execute(
        f"{_SELECT} WHERE f.flow_id IN ({found}) AND f.tenant_id <> ? AND f.removed = 0"
        " ORDER BY f.created_at, f.flow_id",
        (*marks, tenant),
    )
    for row in rows:
        flow = _flow(row)
        if _grants(flow, guest, permissions):
            yield flow, visible(_public(row, whole=True), guest)


def _grants(flow: Flow, guest: Guest, permissions: Sequence[Permission]) -> bool:
    return not flow.removed and any(permits(flow.record, guest, each) for each in permissions)


def _public(row: sqlite3.Row, *, whole: bool) -> Record:
    record: dict[str, Json] = parsed_object(row["record"]) if whole else {}
    if whole:
        record["flow"] = parsed_object(row["descriptor"])
    return record | {
        "flowId": row["flow_id"],
        "userId": row["tenant_id"],
        "name": row["name"],
        "stage": row["stage"],
        "version": row["version"],
        "runningVersion": row["running_version"] or None,
        "revision": row["revision"],
        "btime": shown(row["created_at"]),
        "mtime": shown(row["modified_at"]),
        "started": shown(row["started_at"]),
        "stopped": shown(row["stopped_at"]),
        **({"stageError": row["stage_error"]} if row["stage_error"] else {}),
    }


def _values(flow: Flow) -> dict[str, object]:
    return {
        "flow_id": flow.flow_id,
        "name": flow.name,
        "stage": str(flow.stage),
        "version": flow.version,
        "running_version": flow.running_version,
        "activated_version": flow.activated_version,
        "activation_id": flow.activation_id,
        "revision": flow.revision,
        "record": json_text.encode(dict(flow.record)),
        "created_at": micros(flow.created_at),
        "modified_at": micros(flow.modified_at),
        "started_at": micros(flow.started_at),
        "stopped_at": micros(flow.stopped_at),
        "stage_error": flow.stage_error,
        "removed": flow.removed,
        "settled": flow.is_settled,
        "template_id": flow.template_id,
    }


def _insert(connection: sqlite3.Connection, tenant: str, flow: Flow) -> None:
    values = {"tenant_id": tenant} | _values(flow)
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT INTO flows ({names}) VALUES ({marks})", values)


def _update(connection: sqlite3.Connection, tenant: str, flow: Flow) -> None:
    values = {"tenant_id": tenant} | _values(flow)
    settings = ", ".join(f"{name} = :{name}" for name in values if name not in ("tenant_id", "flow_id", "created_at"))
    connection.execute(f"UPDATE flows SET {settings} WHERE tenant_id = :tenant_id AND flow_id = :flow_id", values)


def _put_marks(connection: sqlite3.Connection, flow: Flow) -> None:
    """Note whom the flow is shared with now."""
    connection.execute("DELETE FROM flow_shares WHERE flow_id = ?", (flow.flow_id,))
    marks = [(flow.flow_id, mark) for mark in sorted(marks_of(flow.record))]
    connection.executemany("INSERT INTO flow_shares (flow_id, mark) VALUES (?, ?)", marks)


def _insert_version(connection: sqlite3.Connection, flow: Flow) -> None:
    connection.execute(
        "INSERT INTO flow_versions (flow_id, version, descriptor, label, created_at) VALUES (?, ?, ?, '', ?)",
        (flow.flow_id, flow.version, json_text.encode(dict(flow.descriptor)), micros(flow.modified_at)),
    )
    connection.execute("DELETE FROM flow_types WHERE flow_id = ?", (flow.flow_id,))
    connection.executemany(
        "INSERT INTO flow_types (flow_id, type) VALUES (?, ?)",
        ((flow.flow_id, each) for each in types_of(flow.descriptor)),
    )
    _pin(connection, flow.flow_id, flow.version, flow.pins)


def _replace_version(connection: sqlite3.Connection, flow: Flow) -> None:
    connection.execute(
        "UPDATE flow_versions SET descriptor = ? WHERE flow_id = ? AND version = ?",
        (json_text.encode(dict(flow.descriptor)), flow.flow_id, flow.version),
    )


def _pin(connection: sqlite3.Connection, flow_id: str, version: int, pins: tuple[str, ...]) -> tuple[str, ...]:
    """Pin a version that has no pins yet; the pins that it has then."""
    rows = connection.execute("SELECT content_id FROM flow_pins WHERE flow_id = ? AND version = ?", (flow_id, version))
    kept = tuple(sorted(row["content_id"] for row in rows))
    if kept:
        return kept
    connection.executemany(
        "INSERT INTO flow_pins (flow_id, version, content_id) VALUES (?, ?, ?)",
        ((flow_id, version, each) for each in pins),
    )
    return pins


def _flow(row: sqlite3.Row) -> Flow:
    return Flow(
        flow_id=row["flow_id"],
        tenant_id=row["tenant_id"],
        record=parsed_object(row["record"]),
        descriptor=parsed_object(row["descriptor"]),
        created_at=times.from_micros(row["created_at"]),
        modified_at=times.from_micros(row["modified_at"]),
        stage=Stage(row["stage"]),
        version=row["version"],
        running_version=row["running_version"],
        activated_version=row["activated_version"],
        activation_id=row["activation_id"],
        revision=row["revision"],
        started_at=instant(row["started_at"]),
        stopped_at=instant(row["stopped_at"]),
        stage_error=row["stage_error"],
        removed=bool(row["removed"]),
        pins=_pins(row),
    )


def _pins(row: sqlite3.Row) -> tuple[str, ...]:
    return tuple(sorted((row["pins"] or "").split()))


def _version(row: sqlite3.Row) -> FlowVersion:
    record = parsed_object(row["record"])
    custom_fields = record.get("customFields")
    return FlowVersion(
        flow_id=row["flow_id"],
        tenant_id=row["tenant_id"],
        version=row["version"],
        name=row["name"],
        descriptor=parsed_object(row["descriptor"]),
        custom_fields=custom_fields if isinstance(custom_fields, dict) else {},
        created_at=times.from_micros(row["created_at"]),
        label=row["label"],
        log_level=log_level_of(record),
        pins=_pins(row),
    )
