"""Which rows hold, and which way Condition and Switch go."""

import pytest
from headrace_connectors.utils.controls import conditions
from headrace_connectors.utils.controls.Condition.component import Condition
from headrace_connectors.utils.controls.Switch5.component import Switch5
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject
from headrace_sdk.testing import run_component

ROWS: list[tuple[JsonObject, bool]] = [
    ({"operator": "=", "input": 5, "value": "5"}, True),
    ({"operator": "=", "input": True, "value": "true"}, True),
    ({"operator": "=", "input": "007", "value": "7"}, False),
    ({"operator": "=", "input": None, "value": ""}, False),
    ({"operator": "!=", "input": "a", "value": "b"}, True),
    ({"operator": "!=", "input": 1, "value": "1.0"}, False),
    ({"operator": ">", "input": "10", "value": 9}, True),
    ({"operator": ">", "input": 9, "value": 9}, False),
    ({"operator": ">=", "input": 9, "value": "9"}, True),
    ({"operator": "<", "input": "2026-01-01", "value": "2026-02-01"}, True),
    ({"operator": "<", "input": "apple", "value": "banana"}, True),
    ({"operator": "<=", "input": "b", "value": "b"}, True),
    ({"operator": "<=", "input": {"a": 1}, "value": "b"}, False),
    ({"operator": "%", "input": "9", "divisor": 3}, True),
    ({"operator": "%", "input": 9, "divisor": 2}, False),
    ({"operator": "%", "input": 9, "divisor": 0}, False),
    ({"operator": "%", "input": "nine", "divisor": 3}, False),
    ({"operator": "empty", "input": ""}, True),
    ({"operator": "empty"}, True),
    ({"operator": "empty", "input": 0}, False),
    ({"operator": "notEmpty", "input": False}, True),
    ({"operator": "notEmpty", "input": []}, False),
    ({"operator": "contains", "input": "Hello World", "value": "WORLD"}, True),
    ({"operator": "contains", "input": ["a", "b"], "value": '"b"'}, True),
    ({"operator": "contains", "value": "null"}, False),
    ({"operator": "range", "input": 5, "rangeMin": "1", "rangeMax": 5}, True),
    ({"operator": "range", "input": 5, "rangeMin": 1, "rangeMax": 5, "exclusiveMax": True}, False),
    ({"operator": "range", "input": 1, "rangeMin": 1, "rangeMax": 5, "exclusiveMin": True}, False),
    ({"operator": "range", "input": "2026-01-15", "rangeMin": "2026-01-01", "rangeMax": "2026-02-01"}, True),
    ({"operator": "regex", "input": "order 42", "regex": r"\d+$"}, True),
    ({"operator": "regex", "input": 42, "regex": "^4"}, True),
    ({"operator": "regex", "regex": "x"}, False),
]


@pytest.mark.parametrize(("row", "holds"), ROWS)
def test_a_row_holds_as_its_operator_says(row: JsonObject, holds: bool) -> None:
    assert conditions.row_holds(row) is holds


def yes() -> Json:
    return {"operator": "=", "input": 1, "value": 1}


def no() -> Json:
    return {"operator": "=", "input": 1, "value": 2}


@pytest.mark.parametrize(
    ("expression", "port"),
    [
        ({"AND": [{"OR": [yes()]}]}, "true"),
        ({"AND": [{"OR": [no(), yes()]}]}, "true"),
        ({"AND": [{"OR": [yes()]}, {"OR": [no()]}]}, "false"),
        ({"AND": [{"OR": []}]}, "false"),
        ({"AND": []}, "true"),
        (None, "false"),
    ],
)
async def test_a_condition_needs_every_group_and_one_row_of_each(expression: Json, port: str) -> None:
    outcome = await run_component(Condition, content={"expression": expression})

    assert outcome.outputs == [(port, {})]


@pytest.mark.parametrize(
    "row",
    [
        {"operator": "~", "input": 1},
        {"input": 1},
        {"operator": "regex", "input": "a", "regex": "("},
        {"operator": "regex", "input": "a", "regex": "(?=a)"},
        {"operator": "regex", "input": "a", "regex": "a" * 20_000},
    ],
)
async def test_a_row_that_makes_no_sense_cancels(row: JsonObject) -> None:
    with pytest.raises(CancelError):
        await run_component(Condition, content={"expression": {"AND": [{"OR": [row]}]}})


@pytest.mark.parametrize(
    ("content", "port"),
    [
        ({"expression1": {"AND": [{"OR": [yes()]}]}, "expression2": {"AND": [{"OR": [yes()]}]}}, "out1"),
        ({"expression1": {"AND": [{"OR": [no()]}]}, "expression4": {"AND": [{"OR": [yes()]}]}}, "out4"),
        ({"expression5": {"AND": [{"OR": [yes()]}]}}, "out5"),
        ({"expression1": {"AND": [{"OR": [no()]}]}}, "else"),
        ({}, "else"),
    ],
)
async def test_a_switch_takes_the_first_way_that_holds(content: Json, port: str) -> None:
    outcome = await run_component(Switch5, content=content)

    assert outcome.outputs == [(port, {})]
