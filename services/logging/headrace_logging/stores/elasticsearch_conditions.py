"""From a query's tree to an Elasticsearch query.

A query may let too much through, never too little; it then says so, and the store asks `query.matching` about each
record that is left. User text only ever travels as a value of `term`, `match_phrase`, `prefix` and `wildcard`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from headrace_logging import indexing, model
from headrace_logging.query import dates, matching
from headrace_logging.query.tree import (
    All,
    AnyOf,
    Between,
    Equals,
    Everything,
    Exists,
    Node,
    Not,
    Pattern,
    Period,
    Resembles,
    Wild,
)
from headrace_logging.stores.elasticsearch_documents import DATA, NAMES, TEXT, escaped

Query: TypeAlias = dict[str, Any]

FIELD_OF = {"gridTimestamp": "at", "@timestamp": "storedAt", "_id": "recordId"} | {
    name: name for name in model.KEYWORDS
}
"""The field that each sortable name of the public API stands in."""

_TIMES = ("gridTimestamp", "@timestamp")
_LONGEST = 2**62
_INDEX_NAME = re.compile(rf"{model.INDEX_PREFIX}(\d{{8}})", re.ASCII)
_SPECIAL = re.compile(r"[*?\\]")


@dataclass(frozen=True, slots=True)
class Condition:
    """A query in filter context, and whether it is true of nothing but what is asked for."""

    query: Query
    is_exact: bool = True


_ALL = Condition({"match_all": {}})
_NONE = Condition({"match_none": {}})
_UNKNOWN = Condition({"match_all": {}}, is_exact=False)


def condition(node: Node) -> Condition:
    """What Elasticsearch can say about the query."""
    match node:
        case Everything():
            return _ALL
        case Not(part):
            inner = condition(part)
            return Condition({"bool": {"must_not": [inner.query]}}) if inner.is_exact else _UNKNOWN
        case All(parts):
            return _every([condition(part) for part in parts])
        case AnyOf(parts):
            return _any([condition(part) for part in parts])
        case Exists(field):
            return _exists(field)
        case Period(field, start, end):
            return Condition(period(FIELD_OF[field], start, end))
        case Equals(field, text):
            return _equals(field, text)
        case Resembles(field, pattern):
            return _resembles(field, pattern)
        case Between(field):
            return _UNKNOWN if field in (*_TIMES, "_id", "_index") else _roughly(_named(field))


def period(field: str, start: int | None, end: int | None) -> Query:
    """At or after `start`, before `end`."""
    bounds = {} if start is None else {"gte": max(-_LONGEST, min(_LONGEST, start))}
    bounds |= {} if end is None else {"lt": max(-_LONGEST, min(_LONGEST, end))}
    return {"range": {field: bounds}}


def _every(parts: Sequence[Condition]) -> Condition:
    return Condition({"bool": {"filter": [part.query for part in parts]}}, all(part.is_exact for part in parts))


def _any(parts: Sequence[Condition]) -> Condition:
    query = {"bool": {"should": [part.query for part in parts], "minimum_should_match": 1}}
    return Condition(query, all(part.is_exact for part in parts))


def _roughly(part: Condition) -> Condition:
    return Condition(part.query, is_exact=False)


def _named(field: str) -> Condition:
    """Records with a value of exactly this name."""
    return Condition({"term": {NAMES: field}})


def _exists(field: str) -> Condition:
    if field in (*_TIMES, "_id", "_index"):
        return _ALL
    return _any([_named(field), Condition({"prefix": {NAMES: f"{field}."}})])


def _equals(field: str, text: str) -> Condition:
    if matching.is_text(field):
        return _phrase(field, indexing.words(indexing.normalised(text)))
    if field == "_index":
        return _day(indexing.keyword(text))
    if field in _TIMES:
        return _UNKNOWN
    if field == "_id":
        return Condition({"term": {"recordId": text}})
    wanted = indexing.keyword(text)
    if len(wanted) > 2 * indexing.MAX_VALUE_CHARACTERS:
        return _NONE
    if field in model.KEYWORDS:
        return _every([_named(field), Condition({"term": {field: wanted}})])
    return _every([_named(field), Condition({"term": {f"{DATA}.{escaped(field)}": wanted}})])


def _day(name: str) -> Condition:
    found = _INDEX_NAME.fullmatch(name)
    try:
        day = datetime.strptime(found[1] if found else "", "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return _NONE
    start = dates.microseconds(day)
    return Condition(period("at", start, start + timedelta(days=1) // dates.MICROSECONDS))


def _resembles(field: str, pattern: Pattern) -> Condition:
    if matching.is_text(field):
        return _in_words(field, pattern)
    if field in ("_index", *_TIMES):
        return _UNKNOWN
    if field == "_id":
        return _wildcard("recordId", pattern)
    lowered = matching.lower(pattern)
    if field in model.KEYWORDS:
        return _every([_named(field), _wildcard(field, lowered)])
    # A key of a flattened field takes no wildcards: any value of the record may have let it through.
    return _roughly(_every([_named(field), _wildcard(DATA, lowered)]))


def _in_words(field: str, pattern: Pattern) -> Condition:
    phrase = matching.open_phrase(pattern)
    if phrase is None:
        return _any([_wildcard(column, matching.lower(pattern)) for column in _columns(field)])
    if not phrase.last_is_open:
        return _phrase(field, phrase.words)
    *closed, last = phrase.words
    begins = _any([Condition({"prefix": {column: last}}) for column in _columns(field)])
    return _roughly(_every([_phrase(field, closed), begins])) if closed else begins


def _phrase(field: str, words: Sequence[str]) -> Condition:
    if not words:
        return _NONE
    phrase = " ".join(words)
    return _any([Condition({"match_phrase": {column: phrase}}) for column in _columns(field)])


def _columns(field: str) -> list[str]:
    return [f"{TEXT}.{column}" for column in ([field] if field else indexing.COLUMNS)]


def _wildcard(field: str, pattern: Pattern) -> Condition:
    written = "".join(piece.value if isinstance(piece, Wild) else _SPECIAL.sub(r"\\\g<0>", piece) for piece in pattern)
    return Condition({"wildcard": {field: {"value": written}}})
