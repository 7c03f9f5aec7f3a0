"""From Elasticsearch's syntax of aggregations to our tree, strictly: what is not known is refused by its place.

{"per_day": {"date_histogram": {"field": "gridTimestamp", "calendar_interval": "day"},
             "aggs": {"flows": {"cardinality": {"field": "flowId"}}}}}
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NoReturn, cast, get_args
from zoneinfo import ZoneInfo

from headrace_core import Json
from headrace_core.errors import BadRequest, Problem, ValidationFailed

from headrace_logging.query import dates, parser
from headrace_logging.query.aggregation_tree import (
    Aggregation,
    Aggregations,
    Calendar,
    DateHistogram,
    Filters,
    Histogram,
    Measure,
    Measured,
    Order,
    Percentiles,
    Ranges,
    Stretch,
    Terms,
)
from headrace_logging.query.tree import (
    AnyOf,
    Between,
    Bound,
    Equals,
    Everything,
    Exists,
    Node,
    Not,
    Period,
    all_of,
    any_of,
)

MAX_AGGREGATIONS = 50
MAX_DEPTH = 5
MAX_TERMS = 1_000
MAX_RANGES = 100
TIMES = ("gridTimestamp", "@timestamp")

_NAME = re.compile(r"[^\[\]>\x00-\x1f]{1,100}")
_FIELD = re.compile(r"[^\x00-\x1f]{1,256}")
_FIXED = re.compile(r"([1-9]\d{0,8})(ms|s|m|h|d)", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z_]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CALENDAR: Mapping[str, Calendar] = {
    **{name: name for name in get_args(Calendar)},
    **{"1m": "minute", "1h": "hour", "1d": "day", "1w": "week", "1M": "month", "1q": "quarter", "1y": "year"},
}
_PERCENTS = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)


def parse(given: Json, now: datetime) -> Aggregations:
    """The aggregations that are asked for. Raises ValidationFailed that names the place of what is wrong."""
    return _Reader(now).aggregations(given, "aggs", 1)


class _Reader:
    def __init__(self, now: datetime) -> None:
        self._now = now
        self._count = 0
        self._kinds: Mapping[str, Callable[[_Options, int, Aggregations], Aggregation]] = {
            "terms": self._terms,
            "date_histogram": self._date_histogram,
            "histogram": self._histogram,
            "range": self._range,
            "filter": self._filter,
            "filters": self._filters,
        }

    def aggregations(self, given: Json, where: str, depth: int) -> Aggregations:
        if depth > MAX_DEPTH:
            _refuse(where, f"Aggregations nest {MAX_DEPTH} levels; this is one more.")
        read: dict[str, Aggregation] = {}
        for name, each in _object(given, where).items():
            if not _NAME.fullmatch(name):
                _refuse(f"{where}.{name[:100]}", "A name has up to 100 characters, without [, ] and >.")
            self._count_in(1, where)
            read[name] = self._aggregation(_object(each, f"{where}.{name}"), f"{where}.{name}", depth)
        return read

    def _aggregation(self, given: Mapping[str, Json], where: str, depth: int) -> Aggregation:
        kinds = [name for name in given if name not in ("aggs", "aggregations", "meta")]
        if len(kinds) != 1:
            _refuse(where, "An aggregation is of exactly one kind.", f"Give one of {', '.join(self._known())}.")
        kind = kinds[0]
        options = _Options(_object(given[kind], f"{where}.{kind}"), f"{where}.{kind}")
        below = given.get("aggs", given.get("aggregations"))
        if kind in self._kinds:
            parts = self.aggregations(below, f"{where}.aggs", depth + 1) if below is not None else {}
            made = self._kinds[kind](options, depth, parts)
        elif kind == "percentiles" or kind in get_args(Measured):
            if below is not None:
                _refuse(f"{where}.aggs", f"{kind} is a number: nothing can be inside of it.")
            made = self._number(kind, options)
        else:
            _refuse(f"{where}.{kind}", "This kind is not known.", f"Give one of {', '.join(self._known())}.")
        options.end()
        return made

    def _count_in(self, more: int, where: str) -> None:
        self._count += more
        if self._count > MAX_AGGREGATIONS:
            _refuse(where, f"At most {MAX_AGGREGATIONS} aggregations and filters are answered at once.")

    def _known(self) -> list[str]:
        return [*self._kinds, *get_args(Measured), "percentiles"]

    def _number(self, kind: str, options: "_Options") -> Aggregation:
        field = options.field()
        if kind != "percentiles":
            return Measure(field, cast("Measured", kind))  # one of its words, as was just asked
        percents = options.list("percents", list(_PERCENTS), most=20)
        numbers = [each for each in percents if isinstance(each, (int, float)) and not isinstance(each, bool)]
        if len(numbers) != len(percents) or not all(0 <= each <= 100 for each in numbers):
            _refuse(f"{options.where}.percents", "Percents are numbers from 0 to 100.")
        return Percentiles(field, tuple(float(each) for each in numbers))

    def _terms(self, options: "_Options", depth: int, parts: Aggregations) -> Aggregation:
        return Terms(
            field=options.field(),
            size=options.whole("size", 10, 1, MAX_TERMS),
            order=_order(options.take("order"), f"{options.where}.order", parts),
            min_doc_count=options.whole("min_doc_count", 1, 1, 2**31),
            missing=options.scalar("missing"),
            parts=parts,
        )

    def _histogram(self, options: "_Options", depth: int, parts: Aggregations) -> Aggregation:
        interval = options.number("interval")
        if interval is None or interval <= 0:
            _refuse(f"{options.where}.interval", "The interval is a number above 0.")
        least = options.whole("min_doc_count", 0, 0, 2**31)
        return Histogram(options.field(), interval, options.number("offset") or 0.0, least, parts)

    def _date_histogram(self, options: "_Options", depth: int, parts: Aggregations) -> Aggregation:
        field = options.field()
        if field not in TIMES:
            _refuse(f"{options.where}.field", f"{field!r} is no time.", f"Give {' or '.join(TIMES)}.")
        given = {name: options.take(name) for name in ("calendar_interval", "fixed_interval", "interval")}
        chosen = [(name, value) for name, value in given.items() if value is not None]
        if len(chosen) != 1:
            _refuse(options.where, "A date_histogram has one of calendar_interval and fixed_interval.")
        zone = _zone(options.take("time_zone"), f"{options.where}.time_zone")
        width = _width(*chosen[0], options.where)
        return DateHistogram(field, width, zone, options.whole("min_doc_count", 0, 0, 2**31), parts)

    def _range(self, options: "_Options", depth: int, parts: Aggregations) -> Aggregation:
        field = options.field()
        given = options.list("ranges", [], most=MAX_RANGES)
        if not given:
            _refuse(f"{options.where}.ranges", "Give at least one range, with from, to or both.")
        stretches = [self._stretch(field, each, f"{options.where}.ranges.{place}") for place, each in enumerate(given)]
        return Ranges(field, tuple(stretches), parts)

    def _stretch(self, field: str, given: Json, where: str) -> Stretch:
        options = _Options(_object(given, where), where)
        start, end = (self._end(field, options, name) for name in ("from", "to"))
        key = options.text("key") or f"{_shown(start)}-{_shown(end)}"
        options.end()
        if start is None and end is None:
            _refuse(where, "A range has from, to or both.")
        return Stretch(key, start, end)

    def _end(self, field: str, options: "_Options", name: str) -> float | None:
        value = options.values.get(name)
        if field in TIMES and isinstance(value, str):
            options.take(name)
            stretch = dates.parse(value, self._now)
            if stretch is None:
                _refuse(f"{options.where}.{name}", f"{value[:100]!r} is no time.")
            return stretch.start / 1000
        return options.number(name)

    def _filter(self, options: "_Options", depth: int, parts: Aggregations) -> Aggregation:
        query = self._query(options.rest(), options.where, 1)
        return Filters({"": query}, is_single=True, parts=parts)

    def _filters(self, options: "_Options", depth: int, parts: Aggregations) -> Aggregation:
        where = f"{options.where}.filters"
        given = _object(options.take("filters"), where)
        if not 1 <= len(given) <= MAX_RANGES:
            _refuse(where, f"Give 1 to {MAX_RANGES} queries, each with a name.")
        queries = {
            name: self._query(_object(each, f"{where}.{name}"), f"{where}.{name}", 1) for name, each in given.items()
        }
        return Filters(queries, parts=parts)

    # Queries inside of filters.

    def _query(self, given: Mapping[str, Json], where: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            _refuse(where, f"Queries nest {MAX_DEPTH} levels; this is one more.")
        if len(given) != 1:
            _refuse(where, "A query is of exactly one kind.", "Give term, terms, range, exists, query_string or bool.")
        ((kind, value),) = given.items()
        options = _Options(_object(value, f"{where}.{kind}"), f"{where}.{kind}")
        made = self._claim(kind, options, depth)
        options.end()
        return made

    def _claim(self, kind: str, options: "_Options", depth: int) -> Node:
        match kind:
            case "match_all":
                return Everything()
            case "exists":
                return Exists(options.field())
            case "query_string":
                return self._lucene(options)
            case "term" | "match_phrase":
                field, value = options.only()
                text = value.get("value", value.get("query")) if isinstance(value, dict) else value
                return Equals(_field(field), _literal(text, options.where))
            case "terms":
                field, value = options.only()
                if not isinstance(value, list) or not 1 <= len(value) <= MAX_TERMS:
                    _refuse(f"{options.where}.{field}", f"Give a list of 1 to {MAX_TERMS} values.")
                return any_of([Equals(_field(field), _literal(each, options.where)) for each in value])
            case "range":
                field, value = options.only()
                return self._between(_field(field), _Options(_object(value, options.where), f"{options.where}.{field}"))
            case "bool":
                return self._bool(options, depth)
        _refuse(options.where, "This kind is not known.", "Give term, terms, range, exists, query_string or bool.")

    def _lucene(self, options: "_Options") -> Node:
        try:
            return parser.parse(options.text("query"), self._now)
        except BadRequest as error:
            _refuse(f"{options.where}.query", error.message)

    def _between(self, field: str, options: "_Options") -> Node:
        ends = {name: options.take(name) for name in ("gte", "gt", "lte", "lt")}
        options.end()
        if field in TIMES:
            return self._period(field, ends, options.where)
        low = _bound(ends["gte"], ends["gt"], options.where)
        high = _bound(ends["lte"], ends["lt"], options.where)
        return Between(field, low, high)

    def _period(self, field: str, ends: Mapping[str, Json], where: str) -> Node:
        found: dict[str, dates.Stretch] = {}
        for name, value in ends.items():
            if value is not None:
                stretch = dates.parse(str(value), self._now)
                if stretch is None:
                    _refuse(f"{where}.{name}", f"{str(value)[:100]!r} is no time.")
                found[name] = stretch
        start = found["gte"].start if "gte" in found else found["gt"].end if "gt" in found else None
        end = found["lt"].start if "lt" in found else found["lte"].end if "lte" in found else None
        return Period(field, start, end)

    def _bool(self, options: "_Options", depth: int) -> Node:
        parts: list[Node] = [*self._queries(options, "must", depth), *self._queries(options, "filter", depth)]
        parts += [Not(each) for each in self._queries(options, "must_not", depth)]
        choices = self._queries(options, "should", depth)
        if choices and options.whole("minimum_should_match", 0 if parts else 1, 0, 1):
            parts.append(AnyOf(tuple(choices)))
        return all_of(parts)

    def _queries(self, options: "_Options", name: str, depth: int) -> list[Node]:
        given = options.take(name)
        where = f"{options.where}.{name}"
        several = given if isinstance(given, list) else [] if given is None else [given]
        if len(several) > MAX_RANGES:
            _refuse(where, f"At most {MAX_RANGES} queries stand together.")
        return [self._query(_object(each, where), where, depth + 1) for each in several]


class _Options:
    """The options of one kind; what nobody takes is refused at the end."""

    def __init__(self, values: Mapping[str, Json], where: str) -> None:
        self.values = values
        self.where = where
        self._taken: set[str] = set()

    def take(self, name: str) -> Json:
        self._taken.add(name)
        return self.values.get(name)

    def rest(self) -> Mapping[str, Json]:
        self._taken.update(self.values)
        return self.values

    def only(self) -> tuple[str, Json]:
        """The one option there is, with the name of a field."""
        if len(self.values) != 1:
            _refuse(self.where, "Name exactly one field.")
        ((name, value),) = self.rest().items()
        return name, value

    def end(self) -> None:
        unknown = sorted(set(self.values) - self._taken)
        if unknown:
            problems = [
                Problem(f"{self.where}.{name}", "This option is not known.", field=name) for name in unknown[:20]
            ]
            raise ValidationFailed(problems)

    def text(self, name: str) -> str:
        value = self.take(name)
        if value is not None and (not isinstance(value, str) or len(value) > 10_000):
            _refuse(f"{self.where}.{name}", "Give text.")
        return value or ""

    def field(self) -> str:
        name = self.text("field")
        if not _FIELD.fullmatch(name):
            _refuse(f"{self.where}.field", "Name a field.", "For instance flowId.")
        return _field(name)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            _refuse(f"{self.where}.{name}", f"Give a whole number from {least} to {most}.")
        return value

    def number(self, name: str) -> float | None:
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300:
            _refuse(f"{self.where}.{name}", "Give a number.")
        return float(value)

    def scalar(self, name: str) -> Json:
        value = self.take(name)
        if isinstance(value, (dict, list)):
            _refuse(f"{self.where}.{name}", "Give text, a number, true or false.")
        return value

    def list(self, name: str, default: Sequence[Json], *, most: int) -> Sequence[Json]:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, list) or len(value) > most:
            _refuse(f"{self.where}.{name}", f"Give a list of at most {most}.")
        return value


def _order(given: Json, where: str, parts: Aggregations) -> tuple[Order, ...]:
    several = given if isinstance(given, list) else [] if given is None else [given]
    read = [order for each in several for order in _orders(_object(each, where), where, parts)]
    return tuple(read) or (Order("_count", descending=True),)


def _orders(given: Mapping[str, Json], where: str, parts: Aggregations) -> Iterator[Order]:
    for name, direction in given.items():
        by = name.removesuffix(".value")
        if by not in ("_count", "_key") and not isinstance(parts.get(by), Measure):
            _refuse(f"{where}.{name[:100]}", "Order by _count, _key or the name of a single number inside.")
        if direction not in ("asc", "desc"):
            _refuse(f"{where}.{name[:100]}", "Give asc or desc.")
        yield Order(by, direction == "desc")


def _width(name: str, value: Json, where: str) -> int | Calendar:
    fixed = _FIXED.fullmatch(value) if isinstance(value, str) else None
    unit = _CALENDAR.get(value) if isinstance(value, str) else None
    if unit is not None and name != "fixed_interval":
        return unit
    if fixed is not None and name != "calendar_interval":
        return int(fixed[1]) * _MILLISECONDS[fixed[2]]
    example = "day, 1h or month" if name == "calendar_interval" else "30s, 90m or 12h"
    _refuse(f"{where}.{name}", f"{str(value)[:40]!r} is no interval.", f"Give for instance {example}.")


def _zone(given: Json, where: str) -> tzinfo:
    if given in (None, "UTC", "Z"):
        return UTC
    offset = _OFFSET.fullmatch(given) if isinstance(given, str) else None
    if offset is not None and int(offset[2]) < 24 and int(offset[3]) < 60:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(span if offset[1] == "+" else -span)
    try:
        if isinstance(given, str) and _ZONE.fullmatch(given):
            return ZoneInfo(given)
    except (KeyError, ValueError, OSError):
        pass  # said below, as of everything else that is no zone
    _refuse(where, f"{str(given)[:60]!r} is no zone.", "Give for instance +02:00 or Europe/Prague.")


def _bound(inclusive: Json, exclusive: Json, where: str) -> Bound | None:
    if inclusive is not None:
        return Bound(_literal(inclusive, where), inclusive=True)
    return Bound(_literal(exclusive, where), inclusive=False) if exclusive is not None else None


def _literal(value: Json, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    _refuse(where, "Give text, a number, true or false.")


def _field(name: str) -> str:
    """The field itself where a client names the whole of a text, as Elasticsearch wants it."""
    return name.removesuffix(".keyword")


def _shown(end: float | None) -> str:
    return "*" if end is None else str(end)


def _object(given: Json, where: str) -> Mapping[str, Json]:
    if not isinstance(given, dict):
        _refuse(where, "Give an object.")
    return given


def _refuse(where: str, message: str, fix: str = "") -> NoReturn:
    raise ValidationFailed([Problem(where[:300], message, fix, field=where.rpartition(".")[2][:100])])
