"""Which way a filter sends its message."""

from __future__ import annotations

import pytest
from headrace_connectors.utils.filters import values
from headrace_connectors.utils.filters.Contains.component import Contains
from headrace_connectors.utils.filters.Equal.component import Equal
from headrace_connectors.utils.filters.GreaterThan.component import GreaterThan
from headrace_connectors.utils.filters.Identity.component import Identity
from headrace_connectors.utils.filters.IsNotEmpty.component import IsNotEmpty
from headrace_connectors.utils.filters.LessThan.component import LessThan
from headrace_connectors.utils.filters.Modulo.component import Modulo
from headrace_connectors.utils.filters.NotEqual.component import NotEqual
from headrace_connectors.utils.filters.Range.component import Range
from headrace_core import Json
from headrace_sdk import CancelError, Component, JsonObject
from headrace_sdk.testing import run_component
from hypothesis import given, settings
from hypothesis import strategies as st

CONTAINS: list[tuple[Json, Json, str]] = [
    ("Hello World", "world", "contains"),
    ("Hello", "x", "notContains"),
    (["a", "b"], "B", "contains"),
    ({"a": 1}, '"a":1', "contains"),
    (1234, 23, "contains"),
    ("ÄRGER", "ärger", "contains"),
    ("anything", "", "contains"),
]


@pytest.mark.parametrize(("source", "value", "port"), CONTAINS)
async def test_contains_looks_without_regard_to_case(source: Json, value: Json, port: str) -> None:
    assert await way(Contains, sourceData=source, value=value) == port


EQUAL: list[tuple[Json, Json, bool]] = [
    ("a", "a", True),
    ("a", "A", False),
    ("5", 5, True),
    (5, "5.0", True),
    ("5", "5.0", False),
    ("", 0, True),
    (True, 1, True),
    (True, "true", False),
    (None, "", False),
    (None, None, True),
    ([1, 2], "1,2", True),
    ({"a": 1}, {"a": 1}, True),
    ({"a": 1}, '{"a":1}', False),
    (float(2), 2, True),
]


@pytest.mark.parametrize(("source", "value", "is_equal"), EQUAL)
async def test_equal_and_not_equal_agree(source: Json, value: Json, is_equal: bool) -> None:
    port = "equals" if is_equal else "notEquals"

    assert await way(Equal, sourceData=source, value=value) == port
    assert await way(NotEqual, sourceData=source, value=value) == port


async def test_what_is_missing_equals_the_empty_text() -> None:
    assert await way(Equal) == "equals"
    assert await way(Equal, sourceData="") == "equals"


ORDER: list[tuple[Json, Json, bool, bool, bool]] = [
    # value, bound, exclusive, is greater, is less
    ("10", "9", False, True, False),
    (10, "10", False, True, True),
    (10, 10, True, False, False),
    ("0x10", 15, False, True, False),
    ("-1.5e2", "-149", False, False, True),
    ("2024-05-01", "2024-04-30T23:59:59Z", False, True, False),
    ("2024-05-01T00:00:00Z", "2024-05-01T02:00:00+02:00", True, False, False),
    ("2024-05-01T00:00:00Z", "2024-05-01T02:00:00+02:00", False, True, True),
    ("Wed, 01 May 2024 10:00:00 +0000", "05/02/2024", False, False, True),
    ("Mar 5, 2024", "2024/03/06 10:00", False, False, True),
    ("apples", "pears", False, False, False),
    ("2024-05-01", 5, False, False, False),
    ({"a": 1}, 1, False, False, False),
]


@pytest.mark.parametrize(("value", "bound", "exclusive", "is_greater", "is_less"), ORDER)
async def test_numbers_and_dates_are_compared(
    value: Json, bound: Json, exclusive: bool, is_greater: bool, is_less: bool
) -> None:
    greater = await way(GreaterThan, sourceData=value, greaterThan=bound, exclusive=exclusive)
    less = await way(LessThan, sourceData=value, lessThan=bound, exclusive=exclusive)

    assert greater == ("greater" if is_greater else "notGreater")
    assert less == ("less" if is_less else "notLess")


RANGE: list[tuple[Json, Json, Json, JsonObject, bool]] = [
    (5, 1, 10, {}, True),
    ("1", 1, 10, {}, True),
    (1, 1, 10, {"exclusiveMin": True}, False),
    (10, 1, 10, {"exclusiveMax": True}, False),
    (11, 1, 10, {}, False),
    ("2024-05-01", "2024-05-01", "2024-06-01", {}, True),
    ("2024-05-01", "2024-05-01", "2024-06-01", {"exclusiveMin": True}, False),
    ("x", 1, 10, {}, False),
]


@pytest.mark.parametrize(("value", "low", "high", "options", "is_within"), RANGE)
async def test_range_has_bounds_that_belong_to_it_or_not(
    value: Json, low: Json, high: Json, options: JsonObject, is_within: bool
) -> None:
    port = await way(Range, sourceData=value, rangeMin=low, rangeMax=high, **options)

    assert port == ("inRange" if is_within else "notInRange")


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("", "empty"),
        (None, "empty"),
        ([], "empty"),
        ({}, "empty"),
        (0, "notEmpty"),
        (False, "notEmpty"),
        (" ", "notEmpty"),
        ([None], "notEmpty"),
    ],
)
async def test_numbers_and_booleans_are_never_empty(value: Json, port: str) -> None:
    assert await way(IsNotEmpty, sourceData=value) == port


@pytest.mark.parametrize(
    ("value", "divisor", "rest"),
    [(7, 3, 1), (-7, 3, -1), (7, -3, 1), (6.5, 2, 0.5), (6.0, 2, 0), ("7 apples", "3", 1), (2**80 + 1, 2, 1)],
)
async def test_the_rest_of_a_division_has_the_sign_of_what_is_divided(value: Json, divisor: Json, rest: Json) -> None:
    outcome = await run_component(Modulo, content={"sourceData": value, "value": divisor})

    assert outcome.outputs == [("modulo", rest)]


@pytest.mark.parametrize(("value", "divisor"), [(1, 0), ("x", 1), (1, None), ("1e999", 2)])
async def test_a_division_that_has_no_rest_is_refused(value: Json, divisor: Json) -> None:
    with pytest.raises(CancelError):
        await run_component(Modulo, content={"sourceData": value, "value": divisor})


@pytest.mark.parametrize("content", [None, "text", {"a": [1]}])
async def test_identity_changes_nothing(content: Json) -> None:
    assert (await run_component(Identity, content=content)).outputs == [("out", content)]


async def test_a_filter_passes_its_message_on_as_it_came() -> None:
    content: JsonObject = {"sourceData": "a", "value": "a", "more": {"x": 1}}

    assert (await run_component(Equal, content=content)).outputs == [("equals", content)]


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=40), st.none(), st.booleans()))
def test_every_value_equals_itself_and_reading_it_never_fails(value: Json) -> None:
    assert values.are_equal(value, value)
    values.number(value)
    values.date(value)
    values.leading_number(value)


async def way(component: type[Component], **content: Json) -> str:
    outcome = await run_component(component, content=content)
    [(port, sent)] = outcome.outputs
    assert sent == content
    return port
