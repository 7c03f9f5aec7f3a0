"""Documents as MongoDB's clients speak of them: which ones a filter means, and what an update leaves. Pure functions.

The Node runner has the same in `documents.js`; one table of cases holds both to it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import cmp_to_key
from typing import Any, Final, TypeAlias, TypeGuard

from headrace_sdk.errors import CancelError

Document: TypeAlias = dict[str, Any]
"""JSON and datetimes."""


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""A field that is not there; compared it is equal to null."""


def fits(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a document is one that a filter means. Raises CancelError for a word that is not known."""
    return all(_fits(document, name, each) for name, each in wanted.items())


def updated(document: Document, update: Mapping[str, Any], *, is_new: bool = False) -> Document:
    """What an update leaves of a document, which stays as it is itself. Raises CancelError."""
    made = copy.deepcopy(document)
    if not any(name.startswith("$") for name in update):
        return {**copy.deepcopy(dict(update)), "_id": document["_id"]}
    for name, fields in update.items():
        if name == "$setOnInsert" and not is_new:
            continue
        for path, value in fields.items():
            _CHANGES.get(name, _unknown_change(name))(made, path, copy.deepcopy(value))
    return {**made, "_id": document["_id"]}


def seed_of(wanted: Mapping[str, Any]) -> Document:
    """The beginning of a document that an update makes where none is found."""
    seed: Document = {}
    for name, each in wanted.items():
        if not name.startswith("$") and not _is_comparison(each):
            put(seed, name, copy.deepcopy(each))
    return seed


def sort(documents: Iterable[Document], order: Mapping[str, int]) -> list[Document]:
    """By fields, each upwards (1) or downwards (-1); what is not there comes first."""

    def compare(one: Document, other: Document) -> int:
        for name, direction in order.items():
            found = ordered(value_at(one, name), value_at(other, name))
            if found:
                return found * int(direction)
        return 0

    return sorted(documents, key=cmp_to_key(compare))


def projected(document: Document, projection: Mapping[str, Any] | None) -> Document:
    """The fields that are named with 1, or all but those with 0."""
    if not projection:
        return document
    names = list(projection)
    is_kept = any(name != "_id" and projection[name] for name in names) or all(projection.values())
    if not is_kept:
        made = copy.deepcopy(document)
        for name in names:
            unset(made, name)
        return made
    made = {}
    for name in ("_id", *names):
        value = value_at(document, name)
        if value is not MISSING and projection.get(name, 1):
            put(made, name, value)
    return made


def value_at(document: Any, path: str) -> Any:
    """What stands at a path with dots, or MISSING."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return MISSING
    return document


def packed(value: Any) -> Any:
    """As it is kept: JSON knows no dates."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        return {"$date": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"}
    if isinstance(value, list | tuple):
        return [packed(each) for each in value]
    if isinstance(value, dict):
        return {str(name): packed(each) for name, each in value.items()}
    return None if value is MISSING else value


def unpacked(value: Any) -> Any:
    """What `packed` wrote."""
    if isinstance(value, list):
        return [unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$date"), str):
        return datetime.fromisoformat(value["$date"].replace("Z", "+00:00"))
    return {name: unpacked(each) for name, each in value.items()}


def is_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same; what is not there is null."""
    if one in (None, MISSING) or other in (None, MISSING):
        return one in (None, MISSING) and other in (None, MISSING)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return spelled(one) == spelled(other) if type(one) is type(other) else _are_numbers(one, other) and one == other


def spelled(value: Any) -> str:
    """A value as a key: equal values have one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(packed(value))


def ordered(one: Any, other: Any) -> int:
    """-1, 0 or 1. What is not there comes first, then numbers, texts, objects, lists, booleans and dates."""
    ranks = _rank(one), _rank(other)
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if ranks[0] == 0:
        return 0
    if ranks[0] in (3, 4):
        one, other = spelled(one), spelled(other)
    return int(one > other) - int(one < other)


def put(document: Document, path: str, value: Any) -> None:
    """Set what stands at a path; objects on the way are made."""
    *way, last = path.split(".")
    place: Any = document
    for part in way:
        found = place[int(part)] if _is_index(place, part) else place.get(part) if isinstance(place, dict) else None
        if not isinstance(found, dict | list):
            found = {}
            _set(place, part, found)
        place = found
    _set(place, last, value)


def unset(document: Document, path: str) -> None:
    """Take away what stands at a path."""
    way, _, last = path.rpartition(".")
    place = value_at(document, way) if way else document
    if isinstance(place, dict):
        place.pop(last, None)


def unknown(name: str) -> CancelError:
    """What is said of a word that is not known; those that run code or write elsewhere never are."""
    return CancelError(f"Collections know no {name}.")


# Filters.


def _fits(document: Mapping[str, Any], name: str, wanted: Any) -> bool:
    match name:
        case "$and":
            return all(fits(document, each) for each in wanted)
        case "$or":
            return any(fits(document, each) for each in wanted)
        case "$nor":
            return not any(fits(document, each) for each in wanted)
    if name.startswith("$"):
        raise unknown(name)
    return _has_value(value_at(document, name), wanted)


def _has_value(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return _matches(value, wanted)
    if not _is_comparison(wanted):
        in_list = isinstance(value, list) and not isinstance(wanted, list) and any(is_equal(e, wanted) for e in value)
        return is_equal(value, wanted) or in_list
    return all(_holds(value, name, other, wanted) for name, other in wanted.items())


def _holds(value: Any, name: str, other: Any, wanted: Mapping[str, Any]) -> bool:
    if name == "$not":
        return not _has_value(value, other)
    if name == "$elemMatch":
        return isinstance(value, list) and any(_is_element(each, other) for each in value)
    if name == "$all":
        return all(_has_value(value, each) for each in other)
    if name == "$options":
        return True
    compare = _COMPARISONS.get(name)
    if compare is None:
        raise unknown(name)
    if name == "$regex":
        other = other if isinstance(other, re.Pattern) else _pattern(str(other), str(wanted.get("$options", "")))
    if compare(value, other):
        return True
    is_of_any = isinstance(value, list) and name not in ("$size", "$exists", "$ne", "$nin")
    return is_of_any and any(compare(each, other) for each in value)


def _is_element(each: Any, wanted: Mapping[str, Any]) -> bool:
    if _is_comparison(wanted):
        return _has_value(each, wanted)
    return isinstance(each, dict) and fits(each, wanted)


def _pattern(text: str, options: str) -> re.Pattern[str]:
    flags = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
    found = re.RegexFlag(0)
    for option in options:
        if option not in flags:
            raise CancelError(f"A pattern has no option {option!r}.")
        found |= flags[option]
    try:
        return re.compile(text, found)
    except re.error as error:
        raise CancelError(f"{text!r} is no pattern: {error}.") from None


def _matches(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.search(value) is not None


def _compared(holds: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    """Only what is of one kind is compared: numbers, texts, dates."""

    def compare(one: Any, other: Any) -> bool:
        rank = _rank(one)
        return rank == _rank(other) and rank in (1, 2, 6) and holds(ordered(one, other))

    return compare


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": is_equal,
    "$ne": lambda one, other: not _has_value(one, other),
    "$gt": _compared(lambda order: order > 0),
    "$gte": _compared(lambda order: order >= 0),
    "$lt": _compared(lambda order: order < 0),
    "$lte": _compared(lambda order: order <= 0),
    "$in": lambda one, other: any(is_equal(one, each) for each in other),
    "$nin": lambda one, other: not any(_has_value(one, each) for each in other),
    "$exists": lambda one, other: (one is not MISSING) == bool(other),
    "$size": lambda one, other: isinstance(one, list) and len(one) == other,
    "$regex": _matches,
}


# Updates.


def _list_at(document: Document, path: str) -> list[Any]:
    found = value_at(document, path)
    if found in (None, MISSING):
        return []
    if not isinstance(found, list):
        raise CancelError(f"{path} is no list.")
    return list(found)


def _each_of(value: Any) -> list[Any]:
    return value["$each"] if isinstance(value, dict) and isinstance(value.get("$each"), list) else [value]


def _inc(document: Document, path: str, value: Any) -> None:
    found = value_at(document, path)
    known = 0 if found in (None, MISSING) else found
    if not _are_numbers(known, value):
        raise CancelError(f"{path} is no number, or what is added to it is none.")
    put(document, path, known + value)


def _extreme(sign: int) -> Callable[[Document, str, Any], None]:
    def change(document: Document, path: str, value: Any) -> None:
        known = value_at(document, path)
        if known is MISSING or ordered(value, known) * sign > 0:
            put(document, path, value)

    return change


def _add_to_set(document: Document, path: str, value: Any) -> None:
    kept = _list_at(document, path)
    for each in _each_of(value):
        if not any(is_equal(each, known) for known in kept):
            kept.append(each)
    put(document, path, kept)


_CHANGES: Mapping[str, Callable[[Document, str, Any], None]] = {
    "$set": put,
    "$setOnInsert": put,
    "$unset": lambda document, path, value: unset(document, path),
    "$inc": _inc,
    "$min": _extreme(-1),
    "$max": _extreme(1),
    "$push": lambda document, path, value: put(document, path, [*_list_at(document, path), *_each_of(value)]),
    "$addToSet": _add_to_set,
    "$pull": lambda document, path, value: put(
        document, path, [each for each in _list_at(document, path) if not _is_pulled(each, value)]
    ),
}


def _is_pulled(each: Any, value: Any) -> bool:
    if isinstance(value, dict) and isinstance(each, dict) and not _is_comparison(value):
        return fits(each, value)
    return _has_value(each, value)


def _unknown_change(name: str) -> Callable[[Document, str, Any], None]:
    def refuse(document: Document, path: str, value: Any) -> None:
        raise unknown(name)

    return refuse


# Values.


def _is_comparison(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and any(name.startswith("$") for name in value)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)


def _rank(value: Any) -> int:
    if value in (None, MISSING):
        return 0
    if isinstance(value, bool):
        return 5
    kinds: Sequence[tuple[type | tuple[type, ...], int]] = (
        ((int, float), 1),
        (str, 2),
        (dict, 3),
        (list, 4),
        (datetime, 6),
    )
    return next((rank for kind, rank in kinds if isinstance(value, kind)), 7)


def _is_index(place: Any, part: str) -> bool:
    return isinstance(place, list) and part.isdecimal() and int(part) < len(place)


def _set(place: Any, part: str, value: Any) -> None:
    if _is_index(place, part):
        place[int(part)] = value
    elif isinstance(place, dict):
        place[part] = value
    else:
        raise CancelError(f"{part} is no place in a list.")
