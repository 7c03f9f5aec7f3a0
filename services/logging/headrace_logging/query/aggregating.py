"""What aggregations say about records, in plain Python: one meaning, whatever store the records come from.

Of each record only the values that are asked about are kept, so memory goes with their number and not with the
size of records.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from headrace_core import Json
from headrace_core.errors import BadRequest, DeadlineExceeded

from headrace_logging import model
from headrace_logging.query import dates, matching
from headrace_logging.query.aggregation_tree import (
    Aggregation,
    Aggregations,
    DateHistogram,
    Filters,
    Histogram,
    Measure,
    Order,
    Percentiles,
    Ranges,
    Stretch,
    Terms,
)
from headrace_logging.query.tree import Node

MAX_RECORDS = 100_000
MAX_BUCKETS = 10_000

Scalar: TypeAlias = str | int | float | bool
_TIMES = ("gridTimestamp", "@timestamp")


@dataclass(frozen=True, slots=True)
class Row:
    """What is asked about one record: values by the place of their field, and which queries it answers."""

    values: tuple[tuple[Scalar, ...], ...]
    fits: tuple[bool, ...]


class Tally:
    """Takes records one by one, and says what the aggregations make of them."""

    def __init__(self, asked: Aggregations, within: timedelta) -> None:
        self._asked = asked
        self._end = time.monotonic() + within.total_seconds()
        self._fields = {name: place for place, name in enumerate(dict.fromkeys(_fields(asked)))}
        self._queries = list(_queries(asked))
        self._rows: list[Row] = []
        self._buckets = 0

    def add(self, stored: model.StoredRecord) -> None:
        """Take a record. Raises BadRequest when there are too many, DeadlineExceeded when it takes too long."""
        self._check_time()
        if len(self._rows) >= MAX_RECORDS:
            raise BadRequest(
                f"Aggregations look at no more than {MAX_RECORDS} records: ask for a shorter time or one flow."
            )
        document = matching.Document(stored)
        values = tuple(tuple(values_of(stored, name)) for name in self._fields)
        self._rows.append(Row(values, tuple(matching.matches(query, document) for query in self._queries)))

    def result(self) -> dict[str, Json]:
        """The answer in Elasticsearch's shape. Raises BadRequest when it has too many buckets, else as `add`."""
        return self._all(self._asked, self._rows)

    def _check_time(self) -> None:
        if time.monotonic() > self._end:
            raise DeadlineExceeded("The aggregations took too long: ask for a shorter time, one flow or fewer of them.")

    def _all(self, asked: Aggregations, rows: Sequence[Row]) -> dict[str, Json]:
        return {name: self._one(each, rows) for name, each in asked.items()}

    def _one(self, asked: Aggregation, rows: Sequence[Row]) -> Json:
        match asked:
            case Measure(field, kind):
                return _measured(kind, field, self._values(field, rows))
            case Percentiles(field, percents):
                numbers = sorted(_numbers(self._values(field, rows)))
                return {"values": {str(each): _percentile(numbers, each) for each in percents}}
            case Terms():
                return self._terms(asked, rows)
            case Histogram():
                return self._histogram(asked, rows)
            case DateHistogram():
                return self._date_histogram(asked, rows)
            case Ranges():
                return {"buckets": [self._stretch(asked, each, rows) for each in asked.stretches]}
            case Filters():
                return self._filters(asked, rows)

    def _values(self, field: str, rows: Sequence[Row]) -> Iterator[Scalar]:
        place = self._fields[field]
        return (value for row in rows for value in row.values[place])

    def _bucket(self, begun: dict[str, Json], parts: Aggregations, rows: Sequence[Row]) -> dict[str, Json]:
        self._check_time()
        self._buckets += 1
        if self._buckets > MAX_BUCKETS:
            raise BadRequest(f"The answer would have more than {MAX_BUCKETS} buckets: ask for wider or fewer ones.")
        return {**begun, "doc_count": len(rows), **self._all(parts, rows)}

    def _terms(self, asked: Terms, rows: Sequence[Row]) -> Json:
        place = self._fields[asked.field]
        by_value: dict[tuple[str, Scalar], list[Row]] = {}
        for row in rows:
            found: Sequence[Scalar] = row.values[place]
            if not found and isinstance(asked.missing, (str, int, float, bool)):
                found = (asked.missing,)
            for key in dict.fromkeys(_key_of(value) for value in found):
                by_value.setdefault(key, []).append(row)
        kept = [(key, members) for key, members in by_value.items() if len(members) >= asked.min_doc_count]
        kept.sort(key=lambda each: each[0])
        for order in reversed(asked.order):
            kept.sort(key=self._ordering(order, asked.parts), reverse=order.descending)
        # A bucket is made only for what is shown.
        buckets = [self._bucket(_term(key[1]), asked.parts, members) for key, members in kept[: asked.size]]
        others = sum(len(members) for _, members in kept[asked.size :])
        return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": [*buckets]}

    def _ordering(
        self, order: Order, parts: Aggregations
    ) -> "Callable[[tuple[tuple[str, Scalar], list[Row]]], tuple[bool, float] | tuple[str, Scalar] | int]":
        if order.by == "_count":
            return lambda each: len(each[1])
        if order.by == "_key":
            return lambda each: each[0]
        asked = parts[order.by]

        def value(each: tuple[tuple[str, Scalar], list[Row]]) -> tuple[bool, float]:
            said = self._one(asked, each[1])
            found = said.get("value") if isinstance(said, dict) else None
            # What has no number comes last either way.
            is_number = isinstance(found, (int, float))
            return (
                is_number if order.descending else not is_number,
                float(found) if isinstance(found, (int, float)) else 0.0,
            )

        return value

    def _histogram(self, asked: Histogram, rows: Sequence[Row]) -> Json:
        def start(value: float) -> float:
            return math.floor((value - asked.offset) / asked.interval) * asked.interval + asked.offset

        found = self._placed(asked.field, rows, start)
        if asked.min_doc_count == 0 and found:
            steps = round((max(found) - min(found)) / asked.interval)
            _check_count(steps)
            first = min(found)
            # Computed as those with records are, so that rounding cannot make two of one.
            for step in range(steps + 1):
                found.setdefault(start(first + (step + 0.5) * asked.interval), [])
        return self._in_order(found, asked.min_doc_count, asked.parts, lambda key: {"key": key})

    def _date_histogram(self, asked: DateHistogram, rows: Sequence[Row]) -> Json:
        found = self._placed(asked.field, rows, lambda value: _floor(value, asked))
        if asked.min_doc_count == 0 and found:
            key, last = min(found), max(found)
            steps = 0
            while key < last:
                key = _next(key, asked)
                _check_count(steps := steps + 1)
                found.setdefault(key, [])

        def begun(key: float) -> dict[str, Json]:
            return {"key_as_string": _as_time(int(key)), "key": int(key)}

        return self._in_order(found, asked.min_doc_count, asked.parts, begun)

    def _placed(self, field: str, rows: Sequence[Row], start: Callable[[float], float]) -> dict[float, list[Row]]:
        """The records by where their buckets begin; one with several values may be in several."""
        place = self._fields[field]
        found: dict[float, list[Row]] = {}
        for row in rows:
            for key in dict.fromkeys(start(value) for value in _numbers(iter(row.values[place]))):
                found.setdefault(key, []).append(row)
        return found

    def _in_order(
        self,
        found: Mapping[float, Sequence[Row]],
        least: int,
        parts: Aggregations,
        begun: Callable[[float], dict[str, Json]],
    ) -> Json:
        kept = [key for key in sorted(found) if len(found[key]) >= least]
        return {"buckets": [self._bucket(begun(key), parts, found[key]) for key in kept]}

    def _stretch(self, asked: Ranges, stretch: Stretch, rows: Sequence[Row]) -> Json:
        place = self._fields[asked.field]
        inside = [row for row in rows if any(_lies(value, stretch) for value in _numbers(iter(row.values[place])))]
        begun: dict[str, Json] = {"key": stretch.key}
        for name, end in (("from", stretch.start), ("to", stretch.end)):
            if end is not None:
                begun |= {name: end} | ({f"{name}_as_string": _as_time(int(end))} if asked.field in _TIMES else {})
        return self._bucket(begun, asked.parts, inside)

    def _filters(self, asked: Filters, rows: Sequence[Row]) -> Json:
        buckets: dict[str, Json] = {}
        for name, query in asked.queries.items():
            place = next(number for number, each in enumerate(self._queries) if each is query)
            inside = [row for row in rows if row.fits[place]]
            buckets[name] = self._bucket({}, asked.parts, inside)
        return buckets[""] if asked.is_single else {"buckets": buckets}


def values_of(stored: model.StoredRecord, name: str) -> Iterator[Scalar]:
    """The values of a field of a record: times in milliseconds, everything else as it was logged."""
    match name:
        case "gridTimestamp":
            yield dates.microseconds(stored.record.at) / 1000
        case "@timestamp":
            yield dates.microseconds(stored.stored_at) / 1000
        case "_id":
            yield stored.record.record_id
        case "_index":
            yield model.index_name(stored.record.at)
        case _:
            yield from _scalars(_reached(stored.record.fields, name))


def _reached(fields: Mapping[str, Json], name: str) -> Json:
    """What a dotted name leads to; a name with dots in it may also stand as it is."""
    if name in fields:
        return fields[name]
    found: Json = dict(fields)
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _scalars(value: Json) -> Iterator[Scalar]:
    if isinstance(value, list):
        for each in value:
            yield from _scalars(each)
    elif isinstance(value, (str, int, float, bool)):
        yield value


def _numbers(values: Iterator[Scalar]) -> Iterator[float]:
    return (float(value) for value in values if not isinstance(value, (str, bool)) and math.isfinite(value))


def _measured(kind: str, field: str, values: Iterator[Scalar]) -> Json:
    if kind == "value_count":
        return {"value": sum(1 for _ in values)}
    if kind == "cardinality":
        return {"value": len({_key_of(value) for value in values})}
    numbers = list(_numbers(values))
    if kind == "sum":
        return {"value": math.fsum(numbers)}
    if not numbers:
        return {"value": None}
    value = math.fsum(numbers) / len(numbers) if kind == "avg" else min(numbers) if kind == "min" else max(numbers)
    return {"value": value} | ({"value_as_string": _as_time(int(value))} if field in _TIMES else {})


def _percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Between the two values that lie around it, in proportion."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _key_of(value: Scalar) -> tuple[str, Scalar]:
    """What makes two values one bucket, in an order over all kinds: numbers before text."""
    if isinstance(value, bool):
        return "boolean", value
    return ("text", value) if isinstance(value, str) else ("number", value)


def _term(value: Scalar) -> dict[str, Json]:
    if isinstance(value, bool):
        return {"key": int(value), "key_as_string": "true" if value else "false"}
    return {"key": value}


def _lies(value: float, stretch: Stretch) -> bool:
    return (stretch.start is None or value >= stretch.start) and (stretch.end is None or value < stretch.end)


def _check_count(steps: int) -> None:
    if steps > MAX_BUCKETS:
        raise BadRequest(f"The answer would have more than {MAX_BUCKETS} buckets: ask for a wider interval.")


def _as_time(milliseconds: int) -> str:
    return model.iso(model.EARLIEST + timedelta(milliseconds=milliseconds))


def _floor(milliseconds: float, asked: DateHistogram) -> float:
    """Where the bucket of this time begins, in milliseconds since 1970."""
    if isinstance(asked.width, int):
        shift = _shift(milliseconds, asked)
        return (milliseconds + shift) // asked.width * asked.width - shift
    local = (model.EARLIEST + timedelta(milliseconds=milliseconds)).astimezone(asked.zone)
    return _milliseconds(_floored(local, asked.width))


def _shift(milliseconds: float, asked: DateHistogram) -> float:
    local = (model.EARLIEST + timedelta(milliseconds=milliseconds)).astimezone(asked.zone)
    return (local.utcoffset() or timedelta()) / timedelta(milliseconds=1)


def _floored(local: datetime, unit: str) -> datetime:
    start = local.replace(second=0, microsecond=0)
    if unit == "minute":
        return start
    start = start.replace(minute=0)
    if unit == "hour":
        return start
    start = start.replace(hour=0, fold=0)
    match unit:
        case "week":
            return start - timedelta(days=start.weekday())
        case "month":
            return start.replace(day=1)
        case "quarter":
            return start.replace(day=1, month=(start.month - 1) // 3 * 3 + 1)
        case "year":
            return start.replace(day=1, month=1)
    return start


def _next(milliseconds: float, asked: DateHistogram) -> float:
    """Where the bucket after this one begins."""
    if isinstance(asked.width, int):
        return milliseconds + asked.width
    # A little into the next unit, whatever daylight saving does to this one, and back to its beginning.
    longest = {"minute": 1.5 / 60, "hour": 1.5, "day": 36, "week": 24 * 10, "month": 24 * 35, "quarter": 24 * 100}
    ahead = timedelta(hours=longest.get(asked.width, 24 * 380))
    return _floor(milliseconds + ahead / timedelta(milliseconds=1), asked)


def _milliseconds(moment: datetime) -> float:
    return (moment.astimezone(UTC) - model.EARLIEST) / timedelta(milliseconds=1)


def _fields(asked: Aggregations) -> Iterator[str]:
    for each in asked.values():
        if not isinstance(each, Filters):
            yield each.field
        if not isinstance(each, (Measure, Percentiles)):
            yield from _fields(each.parts)


def _queries(asked: Aggregations) -> Iterator[Node]:
    for each in asked.values():
        if isinstance(each, Filters):
            yield from each.queries.values()
        if not isinstance(each, (Measure, Percentiles)):
            yield from _queries(each.parts)
