"""The page that says, for each endpoint of the map, whether it is there and which test holds it to its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from . import calls, map

PASS = "pass"
NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Row:
    """One endpoint of the map, what is to be said of it, and the test that shows it."""

    endpoint: map.Endpoint
    state: str
    test: str = ""


@cache
def rows() -> tuple[Row, ...]:
    """What holds of each endpoint of the map. A place that is served and that no test calls is no pass."""
    served, tests = calls.served(), calls.tests_by_place()
    return tuple(_row(each, each.place in served, tests) for each in map.endpoints())


def page() -> str:
    """The page in Markdown, by section."""
    found = rows()
    passed = sum(row.state == PASS for row in found)
    parts = [
        "# Compatibility",
        "Generated from the tests by `make docs`.",
        f"{passed} of {len(found)} endpoints pass: served, and called by a test that `make test` is green only "
        "with. Payments of the original are left out.",
    ]
    for section, members in groupby(found, key=lambda row: row.endpoint.section):
        parts.append(f"## {section}\n\n" + "\n".join(_table(list(members))))
    return "\n\n".join(parts) + "\n"


def _row(endpoint: map.Endpoint, is_served: bool, tests: Mapping[tuple[str, str], list[str]]) -> Row:
    holding = tests.get(endpoint.place, [])
    if is_served and holding:
        return Row(endpoint, PASS, holding[0])
    if endpoint.subject and not is_served:
        return Row(endpoint, f"owned by the issue on {endpoint.subject}")
    return Row(endpoint, "no test calls it" if is_served else NOT_YET)


def _table(members: list[Row]) -> Iterator[str]:
    yield "| endpoint | state | test |"
    yield "| --- | --- | --- |"
    for row in members:
        yield f"| `{row.endpoint.name}` | {row.state} | {f'`{row.test}`' if row.test else ''} |"
