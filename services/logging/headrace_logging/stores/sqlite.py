"""Records in SQLite: one table, and full-text tables by stretch of arrival ("segments") that are dropped whole."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import orjson
from headrace_core import Json
from headrace_core.errors import BadRequest, DeadlineExceeded
from headrace_runtime.sqlite import Database

from headrace_logging import indexing, model
from headrace_logging.model import Bar, Found, LogRecord, Scope, Search, SortKey, StoredRecord, Written
from headrace_logging.query import aggregating, dates, matching
from headrace_logging.query.aggregation_tree import Aggregations
from headrace_logging.query.tree import Node
from headrace_logging.store import Trimmed
from headrace_logging.stores import conditions
from headrace_logging.stores.conditions import COLUMN_OF, WORD_COLUMN_OF, Condition, Value

T = TypeVar("T")

SEGMENT_RECORDS = 100_000
SEGMENT_BYTES = 128 * 1024 * 1024
SEGMENT_AGE = timedelta(days=1)
TRIM_RECORDS = 1_000
MAX_SEGMENTS = 400
_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 2_000

_FIELD_COLUMNS = [column.removeprefix("r.") for column in COLUMN_OF.values()]
_RECORD_COLUMNS = ("id", "record_id", "tenant_id", "at", "stored_at", *_FIELD_COLUMNS, "fields")

MIGRATIONS = (
    f"""
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        record_id TEXT NOT NULL,
        tenant_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        {", ".join(f"{column} TEXT" for column in _FIELD_COLUMNS)},
        fields TEXT NOT NULL
    );
    CREATE UNIQUE INDEX records_by_record ON records (tenant_id, record_id);
    CREATE INDEX records_by_time ON records (tenant_id, at);
    CREATE INDEX records_by_flow ON records (tenant_id, {COLUMN_OF["flowId"].removeprefix("r.")}, at);
    CREATE TABLE segments (
        number INTEGER PRIMARY KEY,
        first_id INTEGER NOT NULL,
        last_id INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        opened_at INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        earliest INTEGER NOT NULL,
        latest INTEGER NOT NULL
    );
    """,
)

_INSERT = f"INSERT INTO records ({', '.join(_RECORD_COLUMNS)}) VALUES ({', '.join('?' * len(_RECORD_COLUMNS))})"
_SELECT = "SELECT r.record_id, r.tenant_id, r.at, r.stored_at, r.fields FROM records AS r"
_MATCHES = "headrace_matches(r.id, r.record_id, r.tenant_id, r.at, r.stored_at, r.fields)"


class SqliteLogStore:
    """LogStore in one SQLite file."""

    def __init__(
        self, database: Database, *, segment_records: int = SEGMENT_RECORDS, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._database = database
        self._segment_records = segment_records
        self._segment_bytes = segment_bytes

    async def write(self, records: Sequence[LogRecord], now: datetime) -> Written:
        return await self._database.write(lambda connection: self._write(connection, records, now))

    async def search(self, search: Search, *, within: timedelta) -> Found:
        return await self._database.read(lambda connection: _search(connection, search, within))

    async def aggregate(self, search: Search, asked: Aggregations, *, within: timedelta) -> dict[str, Json]:
        return await self._database.read(lambda connection: _aggregate(connection, search, asked, within))

    async def get(self, scope: Scope, record_id: str) -> StoredRecord | None:
        return await self._database.read(lambda connection: _get(connection, scope, record_id))

    async def trim(self, *, before: datetime, max_bytes: int) -> Trimmed:
        return await self._database.write(lambda connection: _trim(connection, before, max_bytes))

    async def forget(self, tenant_id: str, limit: int) -> Trimmed:
        return await self._database.write(lambda connection: _forget(connection, tenant_id, limit))

    async def size_bytes(self) -> int:
        return await self._database.read(_size_bytes)

    async def close(self) -> None:
        """Finish what is under way and close the file. Closing again changes nothing."""
        await self._database.close()

    def _write(self, connection: sqlite3.Connection, records: Sequence[LogRecord], now: datetime) -> Written:
        fresh = _without_known(connection, records)
        if not fresh:
            return Written((), len(records))
        segment = self._segment(connection, now)
        stored_at = dates.microseconds(now)
        rows: list[tuple[Value | None, ...]] = []
        words: list[tuple[Value | None, ...]] = []
        for number, record in enumerate(fresh, start=segment.next_id):
            found = indexing.indexed(record.fields)
            rows.append(_row(number, record, stored_at, found))
            words.append((number, *(found.texts.get(column) for column in WORD_COLUMN_OF)))
        connection.executemany(_INSERT, rows)
        columns = ", ".join(WORD_COLUMN_OF.values())
        marks = ", ".join("?" * (len(WORD_COLUMN_OF) + 1))
        connection.executemany(f"INSERT INTO words_{segment.number} (rowid, {columns}) VALUES ({marks})", words)
        _grow(connection, segment, fresh, rows, stored_at)
        return Written(tuple(StoredRecord(record, now) for record in fresh), len(records) - len(fresh))

    def _segment(self, connection: sqlite3.Connection, now: datetime) -> "_Segment":
        """The segment to write to; a new one when the last is full or a day old."""
        row = connection.execute("SELECT * FROM segments ORDER BY number DESC LIMIT 1").fetchone()
        at = dates.microseconds(now)
        if row is not None:
            age = abs(at - row["opened_at"]) * dates.MICROSECONDS
            count = row["last_id"] - row["first_id"] + 1
            if count < self._segment_records and row["size_bytes"] < self._segment_bytes and age < SEGMENT_AGE:
                return _Segment(row["number"], row["last_id"] + 1)
        number, first = (1, 1) if row is None else (row["number"] + 1, row["last_id"] + 1)
        connection.execute(
            f"CREATE VIRTUAL TABLE words_{number} USING fts5 ({', '.join(WORD_COLUMN_OF.values())}, content='', "
            "tokenize=\"ascii tokenchars '_'\")"
        )
        # Records come in small batches: merging less often is worth a little more work for each query.
        connection.execute(f"INSERT INTO words_{number} (words_{number}, rank) VALUES ('automerge', 12)")
        connection.execute(
            "INSERT INTO segments VALUES (?, ?, ?, 0, ?, ?, ?, ?)", (number, first, first - 1, at, at, 2**62, -(2**62))
        )
        return _Segment(number, first)


@dataclass(frozen=True, slots=True)
class _Segment:
    number: int
    next_id: int


async def open_store(
    path: Path,
    *,
    segment_records: int = SEGMENT_RECORDS,
    on_broken: Callable[[BaseException], None] | None = None,
) -> SqliteLogStore:
    """Open or make the log's file. Raises Conflict when a newer release wrote it.

    `on_broken` hears of a failed commit: the process should then end and be started again.
    """
    database = await Database.open(path, MIGRATIONS, on_broken=on_broken)
    return SqliteLogStore(database, segment_records=segment_records)


# Writing.


def _without_known(connection: sqlite3.Connection, records: Sequence[LogRecord]) -> list[LogRecord]:
    first: dict[tuple[str, str], LogRecord] = {}
    for record in records:
        first.setdefault((record.tenant_id, record.record_id), record)
    for tenant_id in {tenant for tenant, _ in first}:
        asked = [record_id for tenant, record_id in first if tenant == tenant_id]
        rows = connection.execute(
            "SELECT record_id FROM records WHERE tenant_id = ? AND record_id IN (SELECT value FROM json_each(?))",
            (tenant_id, json.dumps(asked)),
        )
        for row in rows.fetchall():
            del first[tenant_id, row["record_id"]]
    return list(first.values())


def _row(number: int, record: LogRecord, stored_at: int, found: indexing.Indexed) -> tuple[Value | None, ...]:
    keywords = (found.keywords.get(name, (None,))[0] for name in COLUMN_OF)
    at = dates.microseconds(record.at)
    text = orjson.dumps(record.fields).decode()
    return (number, record.record_id, record.tenant_id, at, stored_at, *keywords, text)


def _grow(
    connection: sqlite3.Connection,
    segment: _Segment,
    records: Sequence[LogRecord],
    rows: Sequence[tuple[Value | None, ...]],
    stored_at: int,
) -> None:
    times = [dates.microseconds(record.at) for record in records]
    size = sum(len(str(row[-1])) for row in rows)
    connection.execute(
        "UPDATE segments SET last_id = ?, size_bytes = size_bytes + ?, stored_at = max(stored_at, ?), "
        "earliest = min(earliest, ?), latest = max(latest, ?) WHERE number = ?",
        (segment.next_id + len(records) - 1, size, stored_at, min(times), max(times), segment.number),
    )


# Searching.


def _search(connection: sqlite3.Connection, search: Search, within: timedelta) -> Found:
    with _one_moment(connection), _time_limit(connection, within):
        where = _where(connection, search)
        total, bars = _histogram(connection, search, where)
        records = _page(connection, search, where) if total and search.size else ()
        return Found(records, total, bars)


def _aggregate(
    connection: sqlite3.Connection, search: Search, asked: Aggregations, within: timedelta
) -> dict[str, Json]:
    tally = aggregating.Tally(asked, within)
    with _one_moment(connection), _time_limit(connection, within):
        where = _where(connection, search)
        for row in connection.execute(f"{_SELECT} WHERE {where.sql}", where.values):
            tally.add(_stored(*row))
    return tally.result()


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads inside see the same records, and no full-text table is dropped between two of them."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def _time_limit(connection: sqlite3.Connection, within: timedelta) -> Iterator[None]:
    end = time.monotonic() + within.total_seconds()
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
    try:
        yield
    except sqlite3.OperationalError as error:
        if time.monotonic() <= end:
            raise
        raise DeadlineExceeded(
            f"The query took longer than {within.total_seconds():g} s: ask for a shorter time or one flow."
        ) from error
    finally:
        connection.set_progress_handler(None, 0)


def _where(connection: sqlite3.Connection, search: Search) -> Condition:
    parts = [*_structured(search), conditions.condition(search.node, _segments(connection, search))]
    sql = " AND ".join(f"({part.sql})" for part in parts)
    values = tuple(value for part in parts for value in part.values)
    if not parts[-1].is_exact:
        connection.create_function("headrace_matches", 6, _plain_answer(search.node))
        sql += f" AND {_MATCHES}"
    return Condition(sql, values)


def _structured(search: Search) -> Iterator[Condition]:
    if not search.scope.all_tenants:
        yield Condition("r.tenant_id = ?", (search.scope.tenant_id,))
    if search.start is not None:
        yield Condition("r.at >= ?", (dates.microseconds(search.start),))
    if search.end is not None:
        yield Condition("r.at < ?", (dates.microseconds(search.end),))
    if search.flow_ids:
        flows = json.dumps([indexing.keyword(flow_id) for flow_id in search.flow_ids])
        yield Condition(f"{COLUMN_OF['flowId']} IN (SELECT value FROM json_each(?))", (flows,))
    if search.port_type:
        yield Condition(f"{COLUMN_OF['portType']} IS ?", (indexing.keyword(search.port_type),))
    if not search.trace:
        yield Condition(f"{COLUMN_OF['severity']} IS NOT 'trace'")


def _segments(connection: sqlite3.Connection, search: Search) -> list[int]:
    start = dates.microseconds(search.start) if search.start else -(2**62)
    end = dates.microseconds(search.end) if search.end else 2**62
    rows = connection.execute(
        "SELECT number FROM segments WHERE latest >= ? AND earliest < ? ORDER BY number", (start, end)
    ).fetchall()
    if len(rows) > MAX_SEGMENTS:
        raise BadRequest("The query reaches over too much at once: ask for a shorter time.")
    return [row["number"] for row in rows]


def _plain_answer(node: Node) -> Callable[[int, str, str, int, int, str], bool]:
    """The plain evaluator as an SQL function; total, bars and page ask it about the same records."""
    known: dict[int, bool] = {}

    def answer(number: int, record_id: str, tenant_id: str, at: int, stored_at: int, fields: str) -> bool:
        if number not in known:
            stored = _stored(record_id, tenant_id, at, stored_at, fields)
            known[number] = matching.matches(node, matching.Document(stored))
        return known[number]

    return answer


def _histogram(connection: sqlite3.Connection, search: Search, where: Condition) -> tuple[int, tuple[Bar, ...]]:
    start, end = search.start, search.end
    if start is None or end is None:
        row = connection.execute(
            f"SELECT min(r.at) AS first, max(r.at) AS last FROM records AS r WHERE {where.sql}", where.values
        ).fetchone()
        if row["first"] is None:
            return 0, ()
        start = start or dates.moment(row["first"])
        end = end or dates.moment(row["last"] + 1)
    if start >= end:
        return 0, ()
    width = model.bar_width(start, end)
    rows = connection.execute(
        f"SELECT r.at / ? AS bar, count(*) AS count FROM records AS r WHERE {where.sql} GROUP BY bar",
        (width // dates.MICROSECONDS, *where.values),
    )
    counts = {row["bar"]: row["count"] for row in rows}
    return sum(counts.values()), model.bars_over(start, end, width, counts)


def _page(connection: sqlite3.Connection, search: Search, where: Condition) -> tuple[StoredRecord, ...]:
    after = _after(search)
    order = ", ".join(f"{_sort_column(key)} {'DESC' if key.descending else 'ASC'}" for key in search.sort)
    rows = connection.execute(
        f"{_SELECT} WHERE {where.sql} AND ({after.sql}) ORDER BY {order} LIMIT ? OFFSET ?",
        (*where.values, *after.values, search.size, search.offset),
    )
    return tuple(_stored(*row) for row in rows)


def _after(search: Search) -> Condition:
    """What comes after the last record seen: later by the first key, or equal there and later by the next, …."""
    if search.search_after is None:
        return Condition("1")
    choices: list[str] = []
    values: list[Value] = []
    for place, key in enumerate(search.sort):
        equal = [f"{_sort_column(each)} = ?" for each in search.sort[:place]]
        further = f"{_sort_column(key)} {'<' if key.descending else '>'} ?"
        choices.append(" AND ".join([*equal, further]))
        values.extend(search.search_after[: place + 1])
    return Condition(" OR ".join(f"({choice})" for choice in choices), tuple(values))


def _sort_column(key: SortKey) -> str:
    match key.field:
        case "gridTimestamp":
            return "r.at"
        case "@timestamp":
            return "r.stored_at"
        case "_id":
            return "r.record_id"
    return f"ifnull({COLUMN_OF[key.field]}, '')"


def _get(connection: sqlite3.Connection, scope: Scope, record_id: str) -> StoredRecord | None:
    if scope.all_tenants:
        row = connection.execute(f"{_SELECT} WHERE r.record_id = ? LIMIT 1", (record_id,)).fetchone()
    else:
        row = connection.execute(
            f"{_SELECT} WHERE r.tenant_id = ? AND r.record_id = ?", (scope.tenant_id, record_id)
        ).fetchone()
    return None if row is None else _stored(*row)


def _stored(record_id: str, tenant_id: str, at: int, stored_at: int, fields: str) -> StoredRecord:
    record = LogRecord(record_id, tenant_id, dates.moment(at), orjson.loads(fields))
    return StoredRecord(record, dates.moment(stored_at))


# Forgetting.


def _trim(connection: sqlite3.Connection, before: datetime, max_bytes: int) -> Trimmed:
    rows = connection.execute("SELECT * FROM segments ORDER BY number LIMIT 2").fetchall()
    if len(rows) < 2:
        return Trimmed(0, more=False)
    oldest = rows[0]
    if oldest["stored_at"] >= dates.microseconds(before) and _size_bytes(connection) <= max_bytes:
        return Trimmed(0, more=False)
    removed = connection.execute(
        "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)",
        (oldest["first_id"], oldest["last_id"], TRIM_RECORDS),
    ).rowcount
    if removed < TRIM_RECORDS:
        connection.execute(f"DROP TABLE words_{oldest['number']}")
        connection.execute("DELETE FROM segments WHERE number = ?", (oldest["number"],))
    return Trimmed(removed, more=True)


def _forget(connection: sqlite3.Connection, tenant_id: str, limit: int) -> Trimmed:
    """Take the words out too: they are kept without their records, so they have to be named again to be removed."""
    rows = connection.execute(
        "SELECT id, fields, (SELECT number FROM segments WHERE r.id BETWEEN first_id AND last_id) AS segment"
        " FROM records AS r WHERE tenant_id = ? ORDER BY at LIMIT ?",
        (tenant_id, limit),
    ).fetchall()
    columns = ", ".join(WORD_COLUMN_OF.values())
    marks = ", ".join("?" * len(WORD_COLUMN_OF))
    for row in rows:
        texts = indexing.indexed(orjson.loads(row["fields"])).texts
        words = f"words_{row['segment']}"
        connection.execute(
            f"INSERT INTO {words} ({words}, rowid, {columns}) VALUES ('delete', ?, {marks})",
            (row["id"], *(texts.get(column) for column in WORD_COLUMN_OF)),
        )
    connection.executemany("DELETE FROM records WHERE id = ?", [(row["id"],) for row in rows])
    return Trimmed(len(rows), more=len(rows) == limit)


def _size_bytes(connection: sqlite3.Connection) -> int:
    def pragma(name: str) -> int:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])

    return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
