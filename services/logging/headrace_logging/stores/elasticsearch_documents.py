"""How a record lies in Elasticsearch: names, the index template, the document and the way back.

One index holds one day, by the time at which records happened, so that a repeated record meets its first copy. All of
them stand behind one alias. What is searched by is derived from the record and not kept twice: only `record`, the
fields as they came, and the named keywords can be read back.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

from headrace_logging import indexing, model
from headrace_logging.model import LogRecord, StoredRecord
from headrace_logging.query import dates

TEXT = "text"
NAMES = "names"
DATA = "data"
READ_BACK = ("tenantId", "recordId", "at", "storedAt", "record")

_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,63}")
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9_@$.-]")
_OUTER_DOTS = re.compile(r"^\.|\.(?=\.|$)")


@dataclass(frozen=True, slots=True)
class Names:
    """What things are called under one prefix. Raises ValidationFailed when no index could be called so."""

    prefix: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            fix = "Take small letters, digits and -, beginning with a letter, 64 at most."
            raise ValidationFailed([Problem("HEADRACE_ELASTICSEARCH_PREFIX", "No index can be called so.", fix)])

    @property
    def alias(self) -> str:
        """All days together, for reading; the template has this name, too."""
        return f"{self.prefix}-logs"

    def index(self, day: str) -> str:
        """The index of a day as `day_of` writes it."""
        return f"{self.alias}-{day}"

    def write_alias(self, day: str) -> str:
        """The day's index by a name that only we give: writing to it never makes an index that nobody laid out."""
        return f"{self.index(day)}-write"

    def day(self, index: str) -> datetime | None:
        """When the day of an index begins; None when the index is none of ours."""
        try:
            found = datetime.strptime(index.removeprefix(f"{self.alias}-"), "%Y%m%d")
        except ValueError:
            return None
        return found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Layout:
    """What an operator decides about the indices."""

    shards: int = 1
    replicas: int = 1
    refresh: timedelta = timedelta(seconds=1)


def template(names: Names, layout: Layout) -> dict[str, Any]:
    """The composable index template: strict, with everything that users may name freely in one flattened field."""
    keyword: dict[str, Any] = {"type": "keyword"}
    # A record without the field is sorted as one with an empty one; `names` tells the two apart.
    or_empty = {"type": "keyword", "null_value": ""}
    words = {"type": "text", "analyzer": "whitespace", "norms": False}
    return {
        "index_patterns": [f"{names.alias}-*"],
        "priority": 200,
        "template": {
            "aliases": {names.alias: {}},
            "settings": {
                "index": {
                    "number_of_shards": layout.shards,
                    "number_of_replicas": layout.replicas,
                    "refresh_interval": f"{layout.refresh // timedelta(milliseconds=1)}ms",
                    "max_result_window": model.MAX_OFFSET + model.MAX_SIZE,
                }
            },
            "mappings": {
                "dynamic": "strict",
                "_source": {"excludes": [TEXT, NAMES, DATA]},
                "properties": {
                    "tenantId": keyword,
                    "recordId": keyword,
                    "at": {"type": "long"},
                    "storedAt": {"type": "long"},
                    "gridTimestamp": {"type": "date"},
                    "@timestamp": {"type": "date"},
                    **dict.fromkeys(model.KEYWORDS, or_empty),
                    TEXT: {"properties": dict.fromkeys(indexing.COLUMNS, words)},
                    NAMES: keyword,
                    DATA: {"type": "flattened"},
                    "record": {"type": "keyword", "index": False, "doc_values": False},
                },
            },
        },
        "_meta": {"description": "Headrace's log records, one index a day."},
    }


def day_of(at: datetime) -> str:
    """The day that a record belongs to."""
    return f"{at.astimezone(UTC):%Y%m%d}"


def document_id(record: LogRecord) -> str:
    """The same for the same record, however often it is written."""
    digest = hashlib.sha256(f"{record.tenant_id}\0{record.record_id}".encode()).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def document(record: LogRecord, stored_at: datetime) -> dict[str, Json]:
    """What is indexed of a record."""
    found = indexing.indexed(record.fields)
    data: dict[str, Json] = {escaped(name): list(values) for name, values in found.keywords.items() if _is_free(name)}
    return {
        "tenantId": record.tenant_id,
        "recordId": record.record_id,
        "at": dates.microseconds(record.at),
        "storedAt": dates.microseconds(stored_at),
        "gridTimestamp": model.iso(record.at),
        "@timestamp": model.iso(stored_at),
        **{name: found.keywords.get(name, (None,))[0] for name in model.KEYWORDS},
        TEXT: {column: " ".join(indexing.words(text)) for column, text in found.texts.items()},
        NAMES: list(found.keywords),
        DATA: data,
        "record": orjson.dumps(record.fields).decode(),
    }


def stored_record(source: Mapping[str, Any]) -> StoredRecord:
    """The record that `document` was made of."""
    fields = orjson.loads(source["record"])
    record = LogRecord(source["recordId"], source["tenantId"], dates.moment(source["at"]), fields)
    return StoredRecord(record, dates.moment(source["storedAt"]))


def escaped(name: str) -> str:
    """A user's name for a value as a key of the flattened field: plain letters, and no dot that stands alone."""
    plain = _PLAIN_NAME.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)
    return _OUTER_DOTS.sub("%2E", plain) or "%"


def _is_free(name: str) -> bool:
    return name not in model.KEYWORDS and name not in indexing.TEXTS
