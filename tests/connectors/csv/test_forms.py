"""What the designer shows for CSV nodes: forms that depend on the header, and columns as variables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import headrace_connectors
import pytest
from headrace_connectors.utils.csv.CreateInspector.component import CreateInspector
from headrace_connectors.utils.csv.GenerateOutputPort.component import GenerateOutputPort
from headrace_core import Json
from headrace_core.schemas import compile_schema
from headrace_sdk import JsonObject

if TYPE_CHECKING:
    from tests.connectors.csv.conftest import Desk

FILE = ["fileId", "delimiter"]
PARSING = ["parseNumbers", "parseBooleans"]
FIELDS: list[tuple[str, list[str], list[str]]] = [
    (
        "addColumn",
        [*FILE, "columnName", "insertMode", "positioningColumn", "defaultValue", *PARSING],
        [*FILE, "index", "defaultValue", *PARSING],
    ),
    ("addRow", [*FILE, "rowWithColumns", *PARSING], [*FILE, "row", *PARSING]),
    ("deleteColumns", [*FILE, "columns"], [*FILE, "indexes"]),
    ("deleteRows", [*FILE, "filters", *PARSING], [*FILE, "indexes", *PARSING]),
    ("getCell", [*FILE, "filters", "column", *PARSING], [*FILE, "index", "columnIndex", *PARSING]),
    ("getRow", [*FILE, "filters", "rowFormat", *PARSING], [*FILE, "index", *PARSING]),
    (
        "getRows",
        [*FILE, "filters", "rowFormat", "allAtOnce", *PARSING],
        [*FILE, "indexes", "allAtOnce", *PARSING],
    ),
    ("updateRows", [*FILE, "filters", "values", *PARSING], [*FILE, "indexes", "indexedValues", *PARSING]),
]


def form(name: str, **settings: Json) -> JsonObject:
    made = CreateInspector.transforms[f"{name}Inspector"]({**settings})
    return cast("JsonObject", made)


def inputs(made: JsonObject) -> dict[str, JsonObject]:
    return cast("dict[str, JsonObject]", made["inputs"])


@pytest.mark.parametrize(("name", "with_header", "without"), FIELDS)
def test_a_form_has_the_fields_of_its_node(name: str, with_header: list[str], without: list[str]) -> None:
    assert list(inputs(form(name, withHeaders=True, filterRows=True))) == with_header
    assert list(inputs(form(name, withHeaders=False, filterRows=True))) == without


def test_rows_are_not_chosen_where_all_are_wanted() -> None:
    assert "filters" not in inputs(form("getRows", withHeaders=True, filterRows=False))


@pytest.mark.parametrize("name", [name for name, _, _ in FIELDS])
@pytest.mark.parametrize("has_header", [True, False])
def test_every_field_is_labelled_ordered_and_described_by_a_usable_schema(name: str, has_header: bool) -> None:
    made = form(name, withHeaders=has_header)
    fields = inputs(made)
    schema = cast("JsonObject", made["schema"])

    assert all(field["label"] and field["type"] for field in fields.values())
    assert [field["index"] for field in fields.values()] == list(range(1, len(fields) + 1))
    assert set(cast("list[str]", schema["required"])) <= set(fields) == set(cast("JsonObject", schema["properties"]))
    compile_schema(schema)


def test_every_form_is_asked_for_by_the_node_it_is_made_for() -> None:
    asked = {
        transform
        for each in headrace_connectors.load_builtin()
        if each.type.startswith("headrace.utils.csv.")
        for transform in CreateInspector.transforms
        if f"./CreateInspector#{transform}" in json.dumps(each.manifest)
    }

    assert asked == set(CreateInspector.transforms) == {f"{name}Inspector" for name, _, _ in FIELDS}


async def test_the_settings_of_a_node_are_those_it_was_given(desk: Desk) -> None:
    assert await desk.sent(CreateInspector, {"withHeaders": False}) == {"withHeaders": False, "filterRows": None}


def test_toggles_nobody_touched_are_on() -> None:
    assert form("getRows") == form("getRows", withHeaders=True, filterRows=True)


async def test_columns_become_variables(desk: Desk) -> None:
    target = await desk.file("name;age\nRex;3\n")

    of_file = await desk.sent(GenerateOutputPort, {"fileId": target, "delimiter": ";"})
    of_text = await desk.sent(GenerateOutputPort, {"initialContent": "a,b\n1,2"})

    assert (of_file, of_text) == ({"name": "name", "age": "age"}, {"a": "a", "b": "b"})
    assert GenerateOutputPort.transforms["outputHeaders"](of_text) == [
        {"label": "fileId", "value": "fileId"},
        {"label": "Column: a", "value": "a"},
        {"label": "Column: b", "value": "b"},
    ]


async def test_text_that_comes_from_a_variable_has_no_columns_yet(desk: Desk) -> None:
    assert await desk.sent(GenerateOutputPort, {"initialContent": "{{{$.start.out.csv}}}"}) == {}
    assert await desk.sent(GenerateOutputPort) == {}
