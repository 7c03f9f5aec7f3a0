"""What a list must answer, worked out by going through everything in it.

Written from what the API says that filters mean, with nothing of the product's: names are walked step by step, numbers
are told from texts by how they are written, and patterns are Python's, in an equal form that never takes long.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .patterns import python_of

Item: TypeAlias = dict[str, Any]
Parameters: TypeAlias = Sequence[tuple[str, str]]
Test: TypeAlias = Callable[[Item], bool]

MOST_FILTERS, MOST_SORT_KEYS, MOST_PROJECTED, LONGEST_NAME, LONGEST_PATTERN = 50, 10, 100, 256, 1024
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}


class Refused(Exception):
    """What is asked for cannot be asked: the answer is 400."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as it is without any parameter, in its own order; `named` are the fields that a pattern looks at."""

    items: Sequence[Item]
    named: Sequence[str]
    fixed_pattern: str = ""
    """What the path already asks for."""


def page(listing: Listing, asked: Parameters) -> list[Item]:
    """The items that are to be answered. Raises Refused."""
    kept, order = _kept(listing, asked), _order(_all(asked, "sort"))
    offset = _whole(asked, "offset", 0, 0, 2**31 - 1)
    limit = _whole(asked, "limit", 100, 1, 1000)
    project = _projection(_all(asked, "projection"))
    for name, descending in reversed(order):
        kept.sort(key=lambda item: _rank(item, name), reverse=descending)
    return [project(item) for item in kept[offset : offset + limit]]


def count(listing: Listing, asked: Parameters) -> int:
    """How many items there are in all. Raises Refused."""
    page(listing, [each for each in asked if each[0] != "projection"])
    return len(_kept(listing, asked))


# Filters.


def _kept(listing: Listing, asked: Parameters) -> list[Item]:
    filters = [*_all(asked, "filter"), *_all(asked, "filter[]")]
    if len(filters) > MOST_FILTERS:
        raise Refused
    tests = [_test(text) for text in filters if text]
    wanted = (listing.fixed_pattern or _last(asked, "pattern"))[:LONGEST_PATTERN].casefold()
    return [item for item in listing.items if all(test(item) for test in tests) and _is_named(item, listing, wanted)]


def _is_named(item: Item, listing: Listing, wanted: str) -> bool:
    texts = [_written(each) for name in listing.named for each in reached(item, name)]
    return not wanted or any(wanted in text.casefold() for text in texts)


def _test(text: str) -> Test:
    name, colon, value = text.partition(":")
    if not colon:
        raise Refused
    _checked(name)
    if value == "!":
        return lambda item: all(each in (None, "") or each == [] or each == {} for each in _plain(item, name))
    rest = value[1:]
    match value[:1]:
        case "!":
            return lambda item: not _equals(item, name, rest)
        case "~":
            return _matches(name, rest)
        case ">" | "<":
            return _compares(name, rest, above=value[0] == ">")
    return lambda item: _equals(item, name, value)


def _plain(item: Item, name: str) -> list[Any]:
    """The values there, with 0 and false kept from looking empty."""
    return [repr(each) if isinstance(each, bool | int | float) else each for each in reached(item, name)]


def _checked(name: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME or any(ord(letter) < 32 for letter in name):
        raise Refused


def _equals(item: Item, name: str, text: str) -> bool:
    return any(same(each, meant) for each in _spread(item, name) for meant in meanings(text))


def _matches(name: str, source: str) -> Test:
    pattern = python_of(source)
    if pattern is None:
        raise Refused
    return lambda item: any(isinstance(each, str) and pattern.search(each) is not None for each in _spread(item, name))


def _compares(name: str, text: str, *, above: bool) -> Test:
    meant = meanings(text)[-1]
    if meant is None or isinstance(meant, bool):
        raise Refused
    kinds = (str,) if isinstance(meant, str) else (int, float)

    def is_beyond(each: Any) -> bool:
        if isinstance(each, bool) or not isinstance(each, kinds):
            return False
        return bool(each > meant) if above else bool(each < meant)

    return lambda item: any(is_beyond(each) for each in _spread(item, name))


def meanings(text: str) -> list[Any]:
    """What a word of a URL may stand for: itself, and the JSON value that is written so."""
    if text in _WORDS:
        return [text, _WORDS[text]]
    if _NUMBER.fullmatch(text) and math.isfinite(number := json.loads(text, parse_int=_bounded)):
        return [text, number]
    return [text]


def _bounded(digits: str) -> int | float:
    """Whole numbers are exact as far as 64 bits reach, as everywhere in the API."""
    if len(digits) > 400:
        return math.inf
    whole = int(digits)
    return whole if -(2**63) <= whole < 2**64 else float(whole) if abs(whole) < 10**308 else math.inf


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and bool(one == other)


# Names.


def reached(value: Any, name: str) -> list[Any]:
    """The values that a dotted name leads to; through a list it leads to each element."""
    if not isinstance(value, dict):
        return []
    if name in value:
        return [value[name]]
    first, dot, rest = name.partition(".")
    if not dot or first not in value:
        return []
    inner = value[first] if isinstance(value[first], list) else [value[first]]
    return [found for each in inner for found in reached(each, rest)]


def _spread(item: Item, name: str) -> list[Any]:
    """The values there, and the elements of those that are lists."""
    return [one for each in reached(item, name) for one in ([each, *each] if isinstance(each, list) else [each])]


# Order, pages, projections.


def _order(texts: Sequence[str]) -> list[tuple[str, bool]]:
    keys: list[tuple[str, bool]] = []
    for part in [part for text in texts for part in text.split(",") if part]:
        name, direction = part.rsplit(":", 1) if ":" in part else (part, "1")
        if direction not in ("1", "-1", "asc", "desc") or ":" in name:
            raise Refused
        _checked(name)
        keys.append((name, direction in ("-1", "desc")))
    if len(keys) > MOST_SORT_KEYS:
        raise Refused
    return keys


def _rank(item: Item, name: str) -> tuple[int, Any]:
    """Missing, null, false, true, numbers, texts, then the rest by its writing."""
    found = reached(item, name)
    if not found:
        return 0, 0
    value = found[0]
    if value is None:
        return 1, 0
    for rank, kind in ((2, bool), (3, (int, float)), (4, str)):
        if isinstance(value, kind):  # type: ignore[arg-type]  # a class or a pair of them
            return rank, value
    return 5, json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _whole(asked: Parameters, name: str, default: int, least: int, most: int) -> int:
    text = _last(asked, name)
    if not text:
        return default
    if not re.fullmatch(r"-?[0-9]{1,12}", text) or not least <= int(text) <= most:
        raise Refused
    return int(text)


def _projection(texts: Sequence[str]) -> Callable[[Item], Item]:
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if not names:
        return lambda item: item
    if len(names) > MOST_PROJECTED:
        raise Refused
    hidden = [name[1:] for name in names if name.startswith("-")]
    if not hidden:
        return lambda item: _only(item, [name.split(".") for name in names])
    if len(hidden) != len(names):
        raise Refused
    return lambda item: _but(item, [name.split(".") for name in hidden])


def _only(item: Item, paths: Sequence[Sequence[str]]) -> Item:
    """What these paths lead to, and nothing beside them."""
    shown: Item = {}
    for name, value in item.items():
        below = [path[1:] for path in paths if path[0] == name]
        if any(not rest for rest in below):
            shown[name] = value
        elif below and isinstance(value, dict) and any(rest for rest in below):
            shown[name] = _only(value, below)
    return shown


def _but(item: Item, paths: Sequence[Sequence[str]]) -> Item:
    """Everything but what these paths lead to."""
    shown: Item = {}
    for name, value in item.items():
        below = [path[1:] for path in paths if path[0] == name]
        if all(below):
            shown[name] = _but(value, below) if isinstance(value, dict) and below else value
    return shown


def _all(asked: Parameters, name: str) -> list[str]:
    return [text for each, text in asked if each == name]


def _last(asked: Parameters, name: str) -> str:
    return next((text for each, text in reversed(asked) if each == name), "")


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
