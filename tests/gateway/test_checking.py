"""Bodies are checked against the schemas of their routes, in a time that goes with their size."""

from __future__ import annotations

import time

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_gateway.checking import SchemaChecks
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Route
from headrace_gateway.schemas import COMPONENTS

CHECKS = SchemaChecks(ROUTES, COMPONENTS)
MANY = 300_000
"""About what a body of a megabyte has room for."""
LARGE: dict[str, Json] = {
    "items": [{}] * MANY,
    "numbers": [5] * MANY,
    "keys": {str(number): 5 for number in range(MANY // 4)},
    "inner": {
        **{name: [5] * (MANY // 6) for name in ("scope", "vendor", "type", "name", "aggs", "oldPassword")},
        "traces": {str(number): 5 for number in range(MANY // 8)},
    },
}


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("route", [each for each in ROUTES if each.request is not None], ids=lambda route: route.path)
def test_a_body_full_of_mistakes_is_refused_as_soon_as_one_is_found(route: Route, shape: str) -> None:
    began = time.thread_time()

    try:
        CHECKS.check(route, LARGE[shape])
    except ValidationFailed as refused:
        assert refused.problems

    assert time.thread_time() - began < 0.2


def test_a_small_body_is_told_all_its_mistakes_and_a_large_one_the_first() -> None:
    route = next(each for each in ROUTES if (each.method, each.path) == ("POST", "/user/change-password"))

    with pytest.raises(ValidationFailed) as small:
        CHECKS.check(route, {"oldPassword": 1, "newPassword": "short"})
    with pytest.raises(ValidationFailed) as large:
        CHECKS.check(route, {"oldPassword": 1, "newPassword": "short", "x": [0] * MANY})

    assert {each.field for each in small.value.problems} == {"oldPassword", "newPassword"}
    assert len(large.value.problems) == 1
    assert large.value.problems[0].field in {"oldPassword", "newPassword"}
