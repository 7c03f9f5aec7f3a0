"""How lists are asked for by URL: filter, pattern, sort, offset, limit, and projections of answers.

    filter=stage:running&filter=customFields.kind:!draft&sort=mtime:-1&projection=-flow&limit=20

A filter is `name:value`; the value may begin with `!` (not; alone: missing or empty), `~` (RE2 pattern), `>` or `<`.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import orjson
from headrace_core import Json

from headrace_gateway.errors import one_problem

Operator = Literal["equal", "not_equal", "match", "greater", "less", "empty"]

MAX_CONDITIONS = 50
MAX_PROJECTED = 100
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
MAX_OFFSET = 2**31 - 1

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_MILLISECONDS = re.compile(r"\d{9,14}\Z", re.ASCII)
_FIELD = re.compile(r"[^\x00-\x1f:]{1,256}\Z")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?\Z", re.ASCII)
_WORDS: Mapping[str, Json] = {"true": True, "false": False, "null": None}
_PREFIXES: Mapping[str, Operator] = {"!": "not_equal", "~": "match", ">": "greater", "<": "less"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One field compared with one value."""

    field: str
    operator: Operator
    value: Json = None
    written: str = dataclasses.field(default="", compare=False)
    """How the value stood in the URL: 1.10 may be a number or a version."""


@dataclass(frozen=True, slots=True)
class SortKey:
    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A page of a filtered, ordered list."""

    filter: tuple[Condition, ...] = ()
    pattern: str = ""
    sort: tuple[SortKey, ...] = ()
    offset: int = 0
    limit: int = DEFAULT_LIMIT


Parameters = Mapping[str, Sequence[str]]


def list_query(parameters: Parameters) -> ListQuery:
    """The page that the parameters of a URL ask for. Raises ValidationFailed naming the parameter."""
    texts = [*parameters.get("filter", ()), *parameters.get("filter[]", ())]
    if len(texts) > MAX_CONDITIONS:
        raise one_problem("filter", f"A list takes at most {MAX_CONDITIONS} filters.")
    return ListQuery(
        filter=tuple(condition(text) for text in texts if text),
        pattern=last(parameters, "pattern")[:1024],
        sort=tuple(_sort_keys(parameters.get("sort", ()))),
        offset=whole_number(parameters, "offset", 0, minimum=0, maximum=MAX_OFFSET),
        limit=whole_number(parameters, "limit", DEFAULT_LIMIT, minimum=1, maximum=MAX_LIMIT),
    )


def condition(text: str) -> Condition:
    """The condition that `name:value` stands for. Raises ValidationFailed."""
    name, colon, value = text.partition(":")
    if not colon or not _FIELD.match(name):
        raise one_problem("filter", f"{text[:100]!r} is no filter.", "Write name:value, for instance stage:running.")
    if value == "!":
        return Condition(name, "empty")
    operator = _PREFIXES.get(value[:1])
    if operator is None:
        return Condition(name, "equal", literal(value), value)
    rest = value[1:]
    return Condition(name, operator, rest if operator == "match" else literal(rest), rest)


def literal(text: str) -> Json:
    """The value that a word of a URL stands for: a number, true, false, null, else the text itself.

    Whole numbers are exact as far as 64 bits reach, as in bodies; what no number is large enough for stays text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.match(text):
        try:
            number: Json = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return number
    return text


def _sort_keys(texts: Iterable[str]) -> Iterable[SortKey]:
    for text in texts:
        for part in text.split(","):
            if part:
                yield _sort_key(part)


def _sort_key(text: str) -> SortKey:
    field, _, direction = text.rpartition(":") if ":" in text else (text, "", "1")
    if direction not in {"1", "-1", "asc", "desc"} or not _FIELD.match(field):
        raise one_problem("sort", f"{text[:100]!r} is no order.", "Write name:1 or name:-1, for instance mtime:-1.")
    return SortKey(field, direction in {"-1", "desc"})


def last(parameters: Parameters, name: str, default: str = "") -> str:
    """The last value of a parameter."""
    found = parameters.get(name)
    return found[-1] if found else default


def whole_number(parameters: Parameters, name: str, default: int, *, minimum: int, maximum: int) -> int:
    """The whole number in a parameter. Raises ValidationFailed when it is none, or out of bounds."""
    text = last(parameters, name)
    if not text:
        return default
    if not re.fullmatch(r"-?\d{1,12}", text, re.ASCII) or not minimum <= int(text) <= maximum:
        raise one_problem(name, f"{text[:40]!r} is not allowed.", f"Give a whole number from {minimum} to {maximum}.")
    return int(text)


def moment(parameters: Parameters, name: str) -> datetime | None:
    """The moment in a parameter, an ISO date or time (in UTC where it says nothing else) or milliseconds since 1970.

    None where there is none. Raises ValidationFailed when it cannot be read.
    """
    text = last(parameters, name)
    if not text:
        return None
    try:
        found = EPOCH + timedelta(milliseconds=int(text)) if _MILLISECONDS.match(text) else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        found = None
    if found is not None:
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        if EPOCH <= found < LATEST:
            return found.astimezone(UTC)
    raise one_problem(
        name,
        f"{text[:40]!r} is no moment.",
        "Give a date, a time or milliseconds since 1970: 2026-01-31, 2026-01-31T12:00:00Z or 1769860800000.",
    )


def flag(parameters: Parameters, name: str, default: bool = False) -> bool:
    """The yes or no in a parameter; a bare name is a yes. Raises ValidationFailed for anything else."""
    if name not in parameters:
        return default
    text = last(parameters, name).lower()
    if text in {"", "true", "yes", "1"}:
        return True
    if text in {"false", "no", "0"}:
        return False
    raise one_problem(name, f"{text[:40]!r} is neither yes nor no.", "Give true or false.")


@dataclass(frozen=True, slots=True)
class Projection:
    """Which fields of an answer to show: these only, or all but these; empty for all."""

    names: tuple[str, ...] = ()
    without: bool = False

    def apply(self, record: dict[str, Json]) -> dict[str, Json]:
        """The record with the fields that were asked for; dotted names reach into objects."""
        if not self.names:
            return record
        if self.without:
            for name in self.names:
                record = _without(record, name.split("."))
            return record
        shown: dict[str, Json] = {}
        for name in self.names:
            _show(record, shown, name.split("."))
        return shown


def projection(parameters: Parameters) -> Projection:
    """The projection a URL asks for: `a,b` or `-a,-b`. Raises ValidationFailed for too many names, or both kinds."""
    names = [name.strip() for text in parameters.get("projection", ()) for name in text.split(",")]
    names = [name for name in names if name]
    if len(names) > MAX_PROJECTED:
        raise one_problem("projection", f"It takes at most {MAX_PROJECTED} names, here are {len(names)}.")
    hidden = [name[1:] for name in names if name.startswith("-")]
    if hidden and len(hidden) != len(names):
        raise one_problem("projection", "Names to show and names to leave out are mixed.", "Write a,b or -a,-b.")
    return Projection(tuple(hidden or names), bool(hidden))


def _without(record: dict[str, Json], path: Sequence[str]) -> dict[str, Json]:
    name, *rest = path
    if name not in record:
        return record
    kept = dict(record)
    inner = kept[name]
    if not rest:
        del kept[name]
    elif isinstance(inner, dict):
        kept[name] = _without(inner, rest)
    return kept


def _show(record: Mapping[str, Json], shown: dict[str, Json], path: Sequence[str]) -> None:
    name, *rest = path
    if name not in record:
        return
    inner = record[name]
    if not rest:
        shown[name] = inner
    elif isinstance(inner, dict):
        target = shown.setdefault(name, {})
        if isinstance(target, dict):
            _show(inner, target, rest)
