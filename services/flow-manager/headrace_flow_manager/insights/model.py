"""A chart, and what it may hold."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.flow import kind_of

from headrace_flow_manager import json_text, times

TYPES: Final = ("bar", "line", "scatter", "area", "pie")
MAX_CHARTS: Final = 1_000
MAX_DOCUMENT_BYTES: Final = 256 * 1024
MAX_NAME: Final = 255
MAX_TRACES: Final = 50
_FIELDS: Final = ("name", "index", "type", "options", "query", "traces")
_CHART_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TRACE_OBJECTS: Final = ("agg", "options", "source")


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing; `revision` counts its saves."""

    chart_id: str
    tenant_id: str
    document: Mapping[str, Json]
    revision: int
    created_at: datetime
    updated_at: datetime


def check_chart_id(chart_id: str) -> None:
    """Raises ValidationFailed when a caller chose an id that is not allowed."""
    if not _CHART_ID.fullmatch(chart_id):
        said = "A chart id has 1 to 64 letters, digits, hyphens and underscores."
        raise ValidationFailed([Problem("chartId", said, "Use a UUID.", field="chartId")])


def public(chart: Chart) -> dict[str, Json]:
    """The chart as it is shown, filtered and sorted."""
    return {
        **chart.document,
        "chartId": chart.chart_id,
        "userId": chart.tenant_id,
        "revision": chart.revision,
        "created": times.to_text(chart.created_at),
        "mtime": times.to_text(chart.updated_at),
    }


def check(document: Mapping[str, Json]) -> None:
    """Raises ValidationFailed with every problem of the document, or TooLarge."""
    json_text.limited(json_text.encode(dict(document)), MAX_DOCUMENT_BYTES, "chart")
    problems = list(_problems(document))
    if problems:
        raise ValidationFailed(problems)


def _problems(document: Mapping[str, Json]) -> Iterator[Problem]:
    for key in document:
        if key not in _FIELDS:
            yield _problem(key[:100], "A chart has no such field.", f"Known fields: {', '.join(_FIELDS)}.")
    name, index = document.get("name"), document.get("index", 0)
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        yield _problem("name", f"Give it a name of 1 to {MAX_NAME} characters.")
    if isinstance(index, bool) or not isinstance(index, (int, float)):
        yield _problem("index", f"It is {kind_of(index)} and not a number.", "It is the chart's place among others.")
    if document.get("type") not in TYPES:
        yield _problem("type", "This type is not known.", f"Give one of {', '.join(TYPES)}.")
    for key in ("options", "query", "traces"):
        if not isinstance(document.get(key, {}), dict):
            yield _problem(key, f"It is {kind_of(document[key])} and not an object.")
    traces = document.get("traces", {})
    if isinstance(traces, dict):
        yield from _problems_of_traces(traces)


def _problems_of_traces(traces: Mapping[str, Json]) -> Iterator[Problem]:
    if len(traces) > MAX_TRACES:
        yield _problem("traces", f"A chart has at most {MAX_TRACES} traces.")
    for trace_id, trace in traces.items():
        where = f"traces.{trace_id[:100]}"
        if not isinstance(trace, dict):
            yield _problem(where, f"It is {kind_of(trace)} and not an object.")
            continue
        for key in _TRACE_OBJECTS:
            if not isinstance(trace.get(key, {}), dict):
                yield _problem(f"{where}.{key}", f"It is {kind_of(trace[key])} and not an object.")


def _problem(where: str, message: str, fix: str = "") -> Problem:
    return Problem(where, message, fix, field=where.rpartition(".")[2])
