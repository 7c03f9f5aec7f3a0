"""From a query's tree to an SQL condition.

A condition may let too much through; it then says so, and the store asks `query.matching` about each record that is
left. User text only ever travels in bound values; in a MATCH expression it stands as plain words in quotes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace_logging import indexing, model
from headrace_logging.query import matching
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

Value = int | str

COLUMN_OF = {name: f"r.field_{number}" for number, name in enumerate(model.KEYWORDS)}
"""SQL column of each keyword field."""
WORD_COLUMN_OF = {name: f"text_{number}" for number, name in enumerate(indexing.COLUMNS)}
"""Full-text column of each text field and of all other fields together."""

_TIMES = {"gridTimestamp": "r.at", "@timestamp": "r.stored_at"}


@dataclass(frozen=True, slots=True)
class Condition:
    """An SQL expression that is 0 or 1, never NULL, and the values bound in it."""

    sql: str
    values: tuple[Value, ...] = ()
    is_exact: bool = True


_TRUE = Condition("1")
_FALSE = Condition("0")
_UNKNOWN = Condition("1", is_exact=False)


def condition(node: Node, segments: Sequence[int]) -> Condition:
    """What SQL can say about the query; `segments` are the full-text tables to look in."""
    match node:
        case Everything():
            return _TRUE
        case Not(part):
            inner = condition(part, segments)
            return Condition(f"NOT ({inner.sql})", inner.values) if inner.is_exact else _UNKNOWN
        case All(parts):
            return _joined(" AND ", [condition(part, segments) for part in parts])
        case AnyOf(parts):
            return _joined(" OR ", [condition(part, segments) for part in parts])
        case Exists(field):
            return _exists(field)
        case Period(field, start, end):
            return _period(_TIMES[field], start, end)
        case Equals(field, text):
            return _equals(field, text, segments)
        case Resembles(field, pattern):
            return _resembles(field, pattern, segments)
        case Between():
            return _UNKNOWN


def _joined(operator: str, parts: Sequence[Condition]) -> Condition:
    return Condition(
        operator.join(f"({part.sql})" for part in parts),
        tuple(value for part in parts for value in part.values),
        all(part.is_exact for part in parts),
    )


def _exists(field: str) -> Condition:
    if column := COLUMN_OF.get(field):
        return Condition(f"{column} IS NOT NULL")
    if field in ("_id", "_index", *_TIMES):
        return _TRUE
    return _UNKNOWN


def _period(column: str, start: int | None, end: int | None) -> Condition:
    parts = []
    if start is not None:
        parts.append(Condition(f"{column} >= ?", (_in_range(start),)))
    if end is not None:
        parts.append(Condition(f"{column} < ?", (_in_range(end),)))
    return _joined(" AND ", parts) if parts else _TRUE


def _in_range(since_1970: int) -> int:
    return max(-(2**62), min(2**62, since_1970))


def _equals(field: str, text: str, segments: Sequence[int]) -> Condition:
    if matching.is_text(field):
        return _phrase(field, indexing.words(indexing.normalised(text)), "", segments)
    if field == "_id":
        return Condition("r.record_id IS ?", (text,))
    if column := COLUMN_OF.get(field):
        return Condition(f"{column} IS ?", (indexing.keyword(text),))
    return _UNKNOWN


def _resembles(field: str, pattern: Pattern, segments: Sequence[int]) -> Condition:
    if matching.is_text(field):
        beginning = matching.open_phrase(pattern)
        if beginning is None:
            return _UNKNOWN
        return _phrase(field, beginning.words, "*" if beginning.last_is_open else "", segments)
    if column := COLUMN_OF.get(field):
        return Condition(f"({column} IS NOT NULL AND {column} GLOB ?)", (_glob(matching.lower(pattern)),))
    return _UNKNOWN


def _glob(pattern: Pattern) -> str:
    return "".join(piece.value if isinstance(piece, Wild) else _plain(piece) for piece in pattern)


def _plain(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _phrase(field: str, words: Sequence[str], suffix: str, segments: Sequence[int]) -> Condition:
    if not words or not segments:
        return _FALSE
    columns = " ".join([WORD_COLUMN_OF[field]] if field else WORD_COLUMN_OF.values())
    # Words are letters, digits and _ only, so nothing in them can end the quotes.
    expression = f'{{{columns}}} : "{" ".join(words)}"{suffix}'
    tables = " UNION ALL ".join(
        f"SELECT rowid FROM words_{segment} WHERE words_{segment} MATCH ?" for segment in segments
    )
    return Condition(f"r.id IN ({tables})", (expression,) * len(segments))
