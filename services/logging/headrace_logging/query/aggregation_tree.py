"""What is to be counted about records, as a tree: buckets that hold others, and numbers."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal, TypeAlias

from headrace_core import Json

from headrace_logging.query.tree import Node

Calendar = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]
Measured = Literal["avg", "sum", "min", "max", "value_count", "cardinality"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about the values of a field."""

    field: str
    kind: Measured


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The values below which so many percent of the field's numbers lie."""

    field: str
    percents: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """By what buckets come: `_count`, `_key`, or the name of a number inside them."""

    by: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """A bucket for each value of the field; the first `size` in order."""

    field: str
    size: int
    order: tuple[Order, ...]
    min_doc_count: int = 1
    missing: Json = None
    parts: "Aggregations" = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Histogram:
    """A bucket for each stretch of numbers; `interval` wide, beginning at multiples of it plus `offset`."""

    field: str
    interval: float
    offset: float = 0.0
    min_doc_count: int = 0
    parts: "Aggregations" = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DateHistogram:
    """A bucket for each stretch of time: of so many milliseconds, or a unit of the calendar in a zone."""

    field: str
    width: int | Calendar
    zone: tzinfo
    min_doc_count: int = 0
    parts: "Aggregations" = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Numbers from `start` until just before `end`; either may be open."""

    key: str
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Ranges:
    """A bucket for each of these stretches; they may overlap."""

    field: str
    stretches: tuple[Stretch, ...]
    parts: "Aggregations" = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filters:
    """A bucket for each query; `is_single` for one without a name of its own."""

    queries: Mapping[str, Node]
    is_single: bool = False
    parts: "Aggregations" = dataclasses.field(default_factory=dict)


Bucketing: TypeAlias = Terms | Histogram | DateHistogram | Ranges | Filters
Aggregation: TypeAlias = Bucketing | Measure | Percentiles
Aggregations: TypeAlias = Mapping[str, Aggregation]
