"""Log records: what is kept of one, how it is cleaned on the way in and shown on the way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson
from headrace_core import Json
from headrace_core.errors import BadRequest

from headrace_logging.query import dates
from headrace_logging.query.tree import Everything, Node

MAX_TEXT_BYTES = 51_200
MAX_KEYWORD_CHARACTERS = 1_024
MAX_FIELDS_BYTES = 262_144
MAX_ID_CHARACTERS = 128
MAX_SIZE = 1_000
MAX_OFFSET = 10_000
DEFAULT_SIZE = 50
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
INDEX_PREFIX = "headrace-"

LONG_TEXTS = ("msg", "err", "inputMessages")
KEYWORDS = (
    "severity",
    "flowId",
    "componentId",
    "componentType",
    "correlationId",
    "portType",
    "port",
    "type",
    "dataMessageType",
    "userId",
    "senderId",
    "senderType",
    "senderPort",
    "bundleId",
    "entity",
)
"""Fields whose value counts as a whole."""
SHORT_TEXTS = ("flowName",)
SORT_FIELDS = ("gridTimestamp", "@timestamp", "_id", *KEYWORDS)

_ADDED_ON_READ = ("_id", "_index", "@timestamp", "gridTimestamp")
_BAR_WIDTHS = tuple(
    timedelta(**width)
    for width in (
        *({"milliseconds": count} for count in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        *({"seconds": count} for count in (1, 2, 5, 10, 20, 30)),
        *({"minutes": count} for count in (1, 2, 5, 10, 20, 30)),
        *({"hours": count} for count in (1, 2, 3, 6, 12)),
        *({"days": count} for count in (1, 2, 4, 7, 14, 28, 56, 112, 224, 448, 896, 1792)),
    )
)
MAX_BARS = 60


@dataclass(frozen=True, slots=True)
class LogRecord:
    """Something that happened, as it came in. Equal ids of one tenant are one record."""

    record_id: str
    tenant_id: str
    at: datetime
    fields: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record and when the log service stored it."""

    record: LogRecord
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose records may be seen: one tenant's, or everybody's for an administrator."""

    tenant_id: str
    all_tenants: bool = False

    def covers(self, tenant_id: str) -> bool:
        return self.all_tenants or self.tenant_id == tenant_id


@dataclass(frozen=True, slots=True)
class SortKey:
    """Order by one field."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Which records are asked for, in what order, and which page of them."""

    scope: Scope
    node: Node = field(default_factory=Everything)
    start: datetime | None = None
    end: datetime | None = None
    flow_ids: tuple[str, ...] = ()
    port_type: str = ""
    trace: bool = False
    size: int = DEFAULT_SIZE
    offset: int = 0
    sort: tuple[SortKey, ...] = (SortKey("gridTimestamp", descending=True), SortKey("_id"))
    search_after: tuple[int | str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """Records from `start` until the next bar."""

    start: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """A page of records, how many there are in all, when they happened, and what else was asked about them."""

    records: tuple[StoredRecord, ...]
    total: int
    bars: tuple[Bar, ...]
    aggregations: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch: stored now, there already, refused."""

    stored: tuple[StoredRecord, ...]
    known: int
    refused_ids: tuple[str, ...] = ()


def cleaned(record: LogRecord) -> LogRecord | None:
    """The record as it is kept; None when it cannot be: no id, no tenant, a wild time, or far too large."""
    if not (0 < len(record.record_id) <= MAX_ID_CHARACTERS and 0 < len(record.tenant_id) <= MAX_ID_CHARACTERS):
        return None
    if not EARLIEST <= record.at < LATEST:
        return None
    fields = {name: value for name, value in record.fields.items() if name not in _ADDED_ON_READ and value is not None}
    for name in LONG_TEXTS:
        if name in fields:
            fields[name] = _cut(_text(fields[name]))
    for name in (*KEYWORDS, *SHORT_TEXTS):
        if name in fields:
            fields[name] = _text(fields[name])[:MAX_KEYWORD_CHARACTERS]
    fields["severity"] = (str(fields.get("severity") or "info")).lower()
    if len(orjson.dumps(fields)) > MAX_FIELDS_BYTES:
        return None
    return LogRecord(record.record_id, record.tenant_id, record.at, fields)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _cut(text: str) -> str:
    """At most MAX_TEXT_BYTES of UTF-8, with a mark where something is missing."""
    if len(text) * 4 <= MAX_TEXT_BYTES:
        return text
    encoded = text.encode("utf-8")
    if len(encoded) <= MAX_TEXT_BYTES:
        return text
    mark = f"… [cut, {len(encoded)} bytes in all]"
    room = MAX_TEXT_BYTES - len(mark.encode("utf-8"))
    return encoded[:room].decode("utf-8", "ignore") + mark


def shown(stored: StoredRecord) -> dict[str, Json]:
    """The public fields of a record, with those that only reading knows."""
    record = stored.record
    return {
        **record.fields,
        "gridTimestamp": iso(record.at),
        "@timestamp": iso(stored.stored_at),
        "_id": record.record_id,
        "_index": index_name(record.at),
    }


def iso(moment: datetime) -> str:
    """Milliseconds where they say it all, as JavaScript writes them; microseconds else."""
    precision = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def index_name(at: datetime) -> str:
    """The day's name, as a search server would call the index."""
    return f"{INDEX_PREFIX}{at.astimezone(UTC):%Y%m%d}"


def bar_width(start: datetime, end: datetime) -> timedelta:
    """The width that gives about 30 to 60 bars over this range."""
    for width in _BAR_WIDTHS:
        if _count_bars(start, end, width) <= MAX_BARS:
            return width
    return _BAR_WIDTHS[-1]


def _count_bars(start: datetime, end: datetime, width: timedelta) -> int:
    return (end - EARLIEST - timedelta(microseconds=1)) // width - (start - EARLIEST) // width + 1


def bars_over(start: datetime, end: datetime, width: timedelta, counts: Mapping[int, int]) -> tuple[Bar, ...]:
    """Every bar of the range, empty ones too; `counts` is by number of the bar since 1970."""
    first = (start - EARLIEST) // width
    last = max(first, (end - EARLIEST - timedelta(microseconds=1)) // width)
    return tuple(Bar(EARLIEST + number * width, counts.get(number, 0)) for number in range(first, last + 1))


def total_order(asked: Sequence[SortKey]) -> tuple[SortKey, ...]:
    """The asked order with the id as last key, so that no two records tie. Raises BadRequest."""
    for key in asked:
        if key.field not in SORT_FIELDS:
            raise BadRequest(f"Records cannot be sorted by {key.field!r}: sort by one of {', '.join(SORT_FIELDS)}.")
    keys = tuple(asked) or (SortKey("gridTimestamp", descending=True),)
    return keys if any(key.field == "_id" for key in keys) else (*keys, SortKey("_id"))


def cursor(sort: Sequence[SortKey], values: Json, now: datetime) -> tuple[int | str, ...]:
    """The place in the order after which the page begins, from the last record's values. Raises BadRequest."""
    names = ", ".join(key.field for key in sort)
    if not isinstance(values, list) or len(values) != len(sort):
        raise BadRequest(f"searchAfter takes one value for each sort key, in this order: {names}.")
    return tuple(_cursor_value(key, value, now) for key, value in zip(sort, values, strict=True))


def _cursor_value(key: SortKey, value: Json, now: datetime) -> int | str:
    if key.field not in ("gridTimestamp", "@timestamp"):
        text = "" if value is None else _text(value)
        return text if key.field == "_id" else text.lower()
    stretch = dates.parse(_text(value), now)
    if stretch is None:
        raise BadRequest(f"searchAfter has {value!r} for {key.field}: give the time as the record shows it.")
    return stretch.start
