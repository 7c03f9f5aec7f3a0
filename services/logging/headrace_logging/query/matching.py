"""Whether one record answers a query: the meaning of the language, in plain Python.

`Tail` answers by this, stores use it for what they cannot search by, and tests hold every store to it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from headrace_logging import indexing, model
from headrace_logging.query import dates
from headrace_logging.query.tree import (
    All,
    AnyOf,
    Between,
    Bound,
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


@dataclass(frozen=True)
class Document:
    """A record on its way through a query; what is derived from it is derived once."""

    stored: model.StoredRecord

    @cached_property
    def keywords(self) -> dict[str, tuple[str, ...]]:
        return indexing.keywords_of(self.stored.record.fields)

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {}

    def values(self, field: str) -> Sequence[str]:
        """The field's values in lower case; none when the record does not have it."""
        match field:
            case "_id":
                return (self.stored.record.record_id,)
            case "_index":
                return (model.index_name(self.stored.record.at),)
            case "gridTimestamp":
                return (model.iso(self.stored.record.at).lower(),)
            case "@timestamp":
                return (model.iso(self.stored.stored_at).lower(),)
        return self.keywords.get(field, ())

    def texts(self, field: str) -> Iterator[str]:
        """The normalised text of a text field, or of every column when no field is named."""
        for column in (field,) if field else indexing.COLUMNS:
            if column not in self._texts:
                keywords = self.keywords if column == indexing.OTHERS else {}
                self._texts[column] = indexing.text_of(self.stored.record.fields, column, keywords)
            yield self._texts[column]


def matches(node: Node, document: Document) -> bool:
    """True when the record answers the query."""
    match node:
        case Everything():
            return True
        case Not(part):
            return not matches(part, document)
        case All(parts):
            return all(matches(part, document) for part in parts)
        case AnyOf(parts):
            return any(matches(part, document) for part in parts)
        case Exists(field):
            return _exists(field, document)
        case Period(field, start, end):
            at = document.stored.record.at if field == "gridTimestamp" else document.stored.stored_at
            since_1970 = dates.microseconds(at)
            return (start is None or start <= since_1970) and (end is None or since_1970 < end)
        case Equals(field, text):
            return _equals(field, text, document)
        case Resembles(field, pattern):
            return _resembles(field, pattern, document)
        case Between(field, low, high):
            return any(_within(value, low, high) for value in document.values(field))


def is_text(field: str) -> bool:
    """True for a field that is searched by word; "" stands for all of them."""
    return not field or field in indexing.TEXTS


def _exists(field: str, document: Document) -> bool:
    inside = f"{field}."
    return bool(document.values(field)) or any(name.startswith(inside) for name in document.keywords)


def _equals(field: str, text: str, document: Document) -> bool:
    if not is_text(field):
        wanted = text if field == "_id" else indexing.keyword(text)
        return wanted in document.values(field)
    phrase = OpenPhrase(tuple(indexing.words(indexing.normalised(text))), last_is_open=False)
    return any(_has_phrase(found, phrase) for found in document.texts(field))


def _resembles(field: str, pattern: Pattern, document: Document) -> bool:
    if not is_text(field):
        lowered = pattern if field == "_id" else lower(pattern)
        return any(fits(value, lowered) for value in document.values(field))
    if (phrase := open_phrase(pattern)) is not None:
        return any(_has_phrase(text, phrase) for text in document.texts(field))
    lowered = lower(pattern)
    # A look for the longest piece spares most texts from being taken apart.
    longest = max((piece for piece in lowered if isinstance(piece, str)), key=len, default="")
    return any(
        fits(word, lowered) for text in document.texts(field) if longest in text for word in indexing.words(text)
    )


@dataclass(frozen=True, slots=True)
class OpenPhrase:
    """Words in a row; the last may go on when `last_is_open`."""

    words: tuple[str, ...]
    last_is_open: bool


def open_phrase(pattern: Pattern) -> OpenPhrase | None:
    """What `some.text*` asks of a text; None for a pattern with other gaps."""
    if len(pattern) != 2 or pattern[1] is not Wild.MANY or not isinstance(pattern[0], str):
        return None
    text = indexing.normalised(pattern[0])
    found = tuple(indexing.words(text))
    return OpenPhrase(found, bool(found) and text.endswith(found[-1]))


def lower(pattern: Pattern) -> Pattern:
    """The pattern as keywords and words are written."""
    return tuple(indexing.keyword(piece) if isinstance(piece, str) else piece for piece in pattern)


def fits(text: str, pattern: Pattern) -> bool:
    """True when the whole text fits the pattern. Takes time of length times length at worst."""
    runs = _runs(pattern)
    if len(runs) == 1:
        return len(text) == len(runs[0]) and _stands_at(text, 0, runs[0])
    first, *middle, last = runs
    at, end = len(first), len(text) - len(last)
    if at > end or not _stands_at(text, 0, first) or not _stands_at(text, end, last):
        return False
    for run in middle:
        at = _found(text, at, end, run)
        if at < 0:
            return False
        at += len(run)
    return True


Run: TypeAlias = tuple[str | None, ...]
"""Characters in a row; None is any character."""


def _runs(pattern: Pattern) -> list[Run]:
    """What stands before, between and after the `*` of a pattern."""
    runs: list[list[str | None]] = [[]]
    for piece in pattern:
        if piece is Wild.MANY:
            runs.append([])
        elif piece is Wild.ONE:
            runs[-1].append(None)
        else:
            runs[-1].extend(str(piece))
    return [tuple(run) for run in runs]


def _stands_at(text: str, at: int, run: Run) -> bool:
    return all(wanted is None or text[at + place] == wanted for place, wanted in enumerate(run))


def _found(text: str, start: int, end: int, run: Run) -> int:
    """Where the run stands first between start and end; -1 when nowhere."""
    if None not in run:
        return text.find("".join(letter for letter in run if letter), start, end)
    return next((at for at in range(start, end - len(run) + 1) if _stands_at(text, at, run)), -1)


def _has_phrase(text: str, phrase: OpenPhrase) -> bool:
    if not phrase.words or phrase.words[0] not in text:
        return False
    found = indexing.words(text)
    *closed, last = phrase.words
    return any(
        found[start : start + len(closed)] == closed
        and (found[start + len(closed)].startswith(last) if phrase.last_is_open else found[start + len(closed)] == last)
        for start in range(len(found) - len(closed))
    )


def _within(value: str, low: Bound | None, high: Bound | None) -> bool:
    return (low is None or _compare(value, low) > -int(low.inclusive)) and (
        high is None or _compare(value, high) < int(high.inclusive)
    )


def _compare(value: str, bound: Bound) -> int:
    """-1, 0 or 1: by number where both are numbers, else by text."""
    number, limit = _number(value), _number(bound.text)
    if number is not None and limit is not None:
        return (number > limit) - (number < limit)
    text = indexing.keyword(bound.text)
    return (value > text) - (value < text)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
