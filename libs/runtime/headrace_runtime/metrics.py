"""Numbers about a process, as Prometheus reads them."""

import asyncio
import logging
import math
import re
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError

MAX_SERIES = 1000
"""Label combinations a metric keeps apart. Further ones are counted together, all their labels "other"."""

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAG_INTERVAL = timedelta(milliseconds=250)
LOOK_SECONDS = 2.0
"""How long a look at what is not in the process may hold an answer up."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")

_Series = TypeVar("_Series")
_log = logging.getLogger(__name__)


class Metrics:
    """All metrics of a process. Asking twice for a name gives the same metric; of another kind, it is an error."""

    def __init__(self) -> None:
        self._metrics: dict[str, Counter | Gauge | Histogram | Followed] = {}
        self._looks: list[Callable[[], Awaitable[None]]] = []

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> "Counter":
        """A number that only grows. By custom its name ends in `_total`."""
        return self._known(name, Counter, lambda: Counter(name, help, labels))

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> "Gauge":
        """A number that goes up and down."""
        return self._known(name, Gauge, lambda: Gauge(name, help, labels))

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS_BUCKETS
    ) -> "Histogram":
        """How values spread. `buckets` are upper bounds, growing."""
        return self._known(name, Histogram, lambda: Histogram(name, help, labels, buckets))

    def follow(
        self,
        name: str,
        help: str,
        read: Callable[[], float | Mapping[str, float]],
        *,
        label: str = "",
        kind: Literal["counter", "gauge"] = "counter",
    ) -> None:
        """A number that somebody else keeps, read whenever it is shown; with a label, numbers by its values.

        What several follow under one name is summed up.
        """
        self._known(name, Followed, lambda: Followed(name, help, (label,) if label else (), kind)).add(read)

    def look(self, at: Callable[[], Awaitable[None]]) -> None:
        """Have `at` bring its gauges up to date before each `text`. While it fails they stay as they were."""
        self._looks.append(at)

    async def text(self) -> str:
        """As `render`, after all looks, which take two seconds at most."""
        await asyncio.gather(*(_taken(look) for look in self._looks))
        return self.render()

    def render(self) -> str:
        """Everything in Prometheus' text format (0.0.4)."""
        lines = [line for metric in self._metrics.values() for line in metric.lines()]
        return "".join(f"{line}\n" for line in lines)

    def _known(self, name: str, kind: type["_Metric"], make: Callable[[], "_Metric"]) -> "_Metric":
        found = self._metrics.setdefault(name, make())
        if not isinstance(found, kind):
            raise ValueError(f"The metric {name} is a {type(found).__name__.lower()} already.")
        return found


class _Labelled(Generic[_Series]):
    """What the three kinds share: a name, and one series for each combination of labels."""

    kind = ""

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        for each in (name, *labels):
            if not _NAME.fullmatch(each):
                raise ValueError(f"{each!r} is no name for a metric or label: use a-z, 0-9 and _.")
        self.name = name
        self._help = help
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], _Series] = {}

    def lines(self) -> list[str]:
        """The metric in Prometheus' text format."""
        head = [f"# HELP {self.name} {_escaped(self._help)}", f"# TYPE {self.name} {self.kind}"]
        return head + [line for key, series in self._series.items() for line in self._lines_of(key, series)]

    def _lines_of(self, key: tuple[str, ...], series: _Series) -> list[str]:
        return [f"{self.name}{self._shown(key)} {_number(series)}"]

    def _key(self, labels: dict[str, str]) -> tuple[str, ...]:
        if len(labels) != len(self._labels):
            raise ValueError(f"The metric {self.name} has the labels {self._labels}, not {tuple(labels)}.")
        key = tuple(labels[name] for name in self._labels)
        if key in self._series or len(self._series) < MAX_SERIES:
            return key
        return ("other",) * len(key)

    def _shown(self, key: tuple[str, ...], *more: tuple[str, str]) -> str:
        pairs = [*zip(self._labels, key, strict=True), *more]
        return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}" if pairs else ""


class Counter(_Labelled[float]):
    """A number that only grows."""

    kind = "counter"

    def inc(self, by: float = 1, **labels: str) -> None:
        """Count. Counting down raises ValueError."""
        if by < 0:
            raise ValueError(f"The counter {self.name} does not go back.")
        key = self._key(labels)
        self._series[key] = self._series.get(key, 0.0) + by

    def value(self, **labels: str) -> float:
        """How far it has counted."""
        return self._series.get(self._key(labels), 0.0)


class Gauge(_Labelled[float]):
    """A number that goes up and down."""

    kind = "gauge"

    def set(self, value: float, **labels: str) -> None:
        """Say what it is now."""
        self._series[self._key(labels)] = value

    def inc(self, by: float = 1, **labels: str) -> None:
        """Say that it changed by so much."""
        key = self._key(labels)
        self._series[key] = self._series.get(key, 0.0) + by

    def value(self, **labels: str) -> float:
        """What it was last."""
        return self._series.get(self._key(labels), 0.0)


class _Spread:
    """The values of one series of a histogram."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.sum = 0.0


class Histogram(_Labelled[_Spread]):
    """How values spread."""

    kind = "histogram"

    def __init__(self, name: str, help: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        super().__init__(name, help, labels)
        if list(buckets) != sorted(set(buckets)) or not buckets:
            raise ValueError(f"The buckets of {name} have to grow, and there has to be one.")
        self._buckets = tuple(buckets)

    def observe(self, value: float, **labels: str) -> None:
        """Count a value."""
        key = self._key(labels)
        spread = self._series.get(key)
        if spread is None:
            spread = self._series[key] = _Spread(len(self._buckets))
        spread.counts[bisect_left(self._buckets, value)] += 1
        spread.sum += value

    def count(self, **labels: str) -> int:
        """How many values were counted."""
        spread = self._series.get(self._key(labels))
        return sum(spread.counts) if spread else 0

    def _lines_of(self, key: tuple[str, ...], series: _Spread) -> list[str]:
        lines, seen = [], 0
        for bound, count in zip((*self._buckets, math.inf), series.counts, strict=True):
            seen += count
            lines.append(f"{self.name}_bucket{self._shown(key, ('le', _number(bound)))} {seen}")
        labels = self._shown(key)
        return [*lines, f"{self.name}_sum{labels} {_number(series.sum)}", f"{self.name}_count{labels} {seen}"]


class Followed(_Labelled[float]):
    """A counter or gauge whose numbers are kept by those who do the work."""

    def __init__(self, name: str, help: str, labels: Sequence[str], kind: Literal["counter", "gauge"]) -> None:
        super().__init__(name, help, labels)
        self.kind = kind
        self._reads: list[Callable[[], float | Mapping[str, float]]] = []

    def add(self, read: Callable[[], float | Mapping[str, float]]) -> None:
        """Count what this says, too."""
        self._reads.append(read)

    def lines(self) -> list[str]:
        self._series = {} if self._labels else {(): 0.0}
        for read in self._reads:
            found = read()
            for value, number in found.items() if isinstance(found, Mapping) else (("", found),):
                key = self._key(dict.fromkeys(self._labels, value))
                self._series[key] = self._series.get(key, 0.0) + number
        return super().lines()


_Metric = TypeVar("_Metric", Counter, Gauge, Histogram, Followed)


async def _taken(look: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await look()
    except (HeadraceError, TimeoutError) as error:
        # Numbers are asked for most when something is wrong: what is known is shown.
        _log.warning("Some metrics are older than they seem: %s", error or "a store did not answer in time")


async def watch_loop_lag(metrics: Metrics, clock: Clock, *, interval: timedelta = LAG_INTERVAL) -> None:
    """Measure for ever how late the event loop wakes those who sleep. Run it in a task group.

    Above about 0.2 s something holds the loop up that belongs into a thread.
    """
    latest = metrics.gauge("headrace_loop_lag_seconds", "How late the event loop woke a sleeper last.")
    spread = metrics.histogram("headrace_loop_lag_spread_seconds", "How late the event loop wakes sleepers.")
    seconds = interval.total_seconds()
    while True:
        began = clock.monotonic()
        await clock.sleep(seconds)
        lag = max(0.0, clock.monotonic() - began - seconds)
        latest.set(lag)
        spread.observe(lag)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: object) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value) if isinstance(value, float) and not value.is_integer() else f"{value:.0f}"
