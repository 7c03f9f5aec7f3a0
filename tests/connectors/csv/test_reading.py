"""Nodes that read CSV files, and those that bring them into a flow or out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from headrace_connectors.utils.csv.CreateCSV.component import CreateCSV
from headrace_connectors.utils.csv.ExportCSV.component import ExportCSV
from headrace_connectors.utils.csv.GetCell.component import GetCell
from headrace_connectors.utils.csv.GetRow.component import GetRow
from headrace_connectors.utils.csv.GetRows.component import GetRows
from headrace_connectors.utils.csv.ImportCSV.component import ImportCSV
from headrace_core import Json
from headrace_sdk import CancelError, Component, JsonObject

if TYPE_CHECKING:
    from tests.connectors.csv.conftest import Desk

PETS = "name,age,tame\nRex,3,true\nTom,12,false\nIda,,true\nGus\n"
BY_POSITION: JsonObject = {"withHeaders": False}


def where(column: str, operator: str, value: Json) -> Json:
    return {"AND": [{"OR": [{"column": column, "operator": operator, "value": value}]}]}


async def names(desk: Desk, filters: Json, **more: Json) -> list[Json]:
    """The names of the pets that pass a filter."""
    outcome = await desk.run(GetRows, fileId=await desk.file(PETS), filters=filters, rowFormat="array", **more)
    [answer] = outcome.on("out")
    assert isinstance(answer, dict) and isinstance(answer["rows"], list)
    return [row[0] for row in answer["rows"] if isinstance(row, list)]


FILTERS: list[tuple[Json, list[Json]]] = [
    (None, ["Rex", "Tom", "Ida", "Gus"]),
    ({}, ["Rex", "Tom", "Ida", "Gus"]),
    (where("name", "=", "Tom"), ["Tom"]),
    (where(" name ", "!=", "Tom"), ["Rex", "Ida", "Gus"]),
    (where("age", "=", "3.0"), ["Rex"]),
    (where("age", "=", 3), ["Rex"]),
    (where("age", ">", "3"), ["Tom"]),
    (where("age", ">=", "3"), ["Rex", "Tom"]),
    (where("age", "<", "100"), ["Rex", "Tom"]),
    (where("age", "<=", 3), ["Rex"]),
    (where("age", "=", ""), ["Ida", "Gus"]),
    (where("age", "=", None), ["Ida", "Gus"]),
    (where("age", "=", "0"), []),
    (where("age", "<", "old"), []),
    (where("name", "<", "J"), ["Ida", "Gus"]),
    (where("tame", "=", "true"), ["Rex", "Ida"]),
    (where("tame", "=", True), ["Rex", "Ida"]),
    (where("name", "regex", "^[RT]"), ["Rex", "Tom"]),
    ({"OR": [{"column": "name", "value": "Rex"}, {"column": "age", "operator": "=", "value": "12"}]}, ["Rex", "Tom"]),
    ({"AND": [{"column": "tame", "value": "true"}, {"column": "age", "operator": ">", "value": 1}]}, ["Rex"]),
]


@pytest.mark.parametrize(("filters", "found"), FILTERS)
async def test_filters_choose_rows(filters: Json, found: list[Json], desk: Desk) -> None:
    assert await names(desk, filters) == found


async def test_cells_are_compared_as_texts_where_numbers_are_not_read(desk: Desk) -> None:
    assert await names(desk, where("age", "<", "3"), parseNumbers=False) == ["Tom"]


BAD_FILTERS: list[tuple[Json, str]] = [
    (where("weight", "=", 1), "no column 'weight'. The file has: 'name', 'age', 'tame'"),
    (where("name", "~", 1), "unknown operator '~'"),
    (where("name", "regex", "("), "no regular expression"),
    (where("name", "regex", "x" * 2000), "at most 1000 characters"),
    ("name = Rex", "no condition"),
    ({"AND": [{"column": "name", "value": "x"}] * 300}, "more than 200 conditions"),
    ([[[[[[[[[["deep"]]]]]]]]]], "more than 8 levels"),
]


@pytest.mark.parametrize(("filters", "message"), BAD_FILTERS)
async def test_filters_that_make_no_sense_are_refused_by_name(filters: Json, message: str, desk: Desk) -> None:
    with pytest.raises(CancelError, match=message):
        await names(desk, filters)


async def test_a_pattern_made_to_explode_takes_no_time(desk: Desk) -> None:
    target = await desk.file("text\n" + "a" * 50_000 + "!\n")

    answer = await desk.sent(GetRow, fileId=target, filters=where("text", "regex", "^(a+)+$"))

    assert answer == {"fileId": target, "row": None}


async def test_a_row_is_the_first_that_passes(desk: Desk) -> None:
    target = await desk.file(PETS)

    tame = where("tame", "=", "true")
    assert await desk.sent(GetRow, fileId=target, filters=tame, rowFormat="object") == {
        "fileId": target,
        "row": {"name": "Rex", "age": 3, "tame": True},
    }
    assert await desk.sent(GetRow, fileId=target, filters=where("name", "=", "Gus"), rowFormat="object") == {
        "fileId": target,
        "row": {"name": "Gus", "age": None, "tame": None},
    }
    assert await desk.sent(GetRow, fileId=target, filters=where("name", "=", "Eve")) == {"fileId": target, "row": None}


async def test_a_row_stands_at_a_position_where_there_is_no_header(desk: Desk) -> None:
    target = await desk.file(PETS)

    assert await desk.sent(GetRow, BY_POSITION, fileId=target, index=1) == {"fileId": target, "row": ["Rex", 3, True]}
    assert await desk.sent(GetRow, BY_POSITION, fileId=target, index="9") == {"fileId": target, "row": None}


async def test_a_cell_is_found_by_column_or_position(desk: Desk) -> None:
    target = await desk.file("id;zip\n1;01234\n")

    by_name: JsonObject = {"fileId": target, "delimiter": ";", "filters": where("id", "=", 1), "column": "zip"}
    assert await desk.sent(GetCell, **by_name) == {"fileId": target, "cell": 1234}
    assert await desk.sent(GetCell, **by_name, parseNumbers=False) == {"fileId": target, "cell": "01234"}
    by_place: JsonObject = {"fileId": target, "delimiter": ";", "index": "1"}
    assert await desk.sent(GetCell, BY_POSITION, **by_place, columnIndex=0) == {"fileId": target, "cell": 1}
    assert await desk.sent(GetCell, BY_POSITION, **by_place, columnIndex=7) == {"fileId": target, "cell": None}


async def test_a_column_that_is_not_there_is_named_even_when_no_row_passes(desk: Desk) -> None:
    target = await desk.file(PETS)

    with pytest.raises(CancelError, match="no column 'weight'"):
        await desk.sent(GetCell, fileId=target, filters=where("name", "=", "Eve"), column="weight")
    with pytest.raises(CancelError, match="The file has: no columns"):
        await desk.sent(GetCell, fileId=await desk.file(""), column="weight")


@pytest.mark.parametrize("place", [None, "", "-1", "x", 1.5, True, 10**12])
async def test_a_position_is_a_whole_number_from_nought(place: Json, desk: Desk) -> None:
    with pytest.raises(CancelError, match="columnIndex must be a position"):
        await desk.sent(GetCell, BY_POSITION, fileId=await desk.file(PETS), index=0, columnIndex=place)


async def test_rows_leave_together_or_one_by_one(desk: Desk) -> None:
    target = await desk.file("a,b\n1,2\n3,4\n")
    everything: JsonObject = {"withHeaders": True, "filterRows": False}

    together = await desk.run(GetRows, everything, fileId=target, rowFormat="object", allAtOnce=True)
    single = await desk.run(GetRows, everything, fileId=target, rowFormat="array", allAtOnce=False)

    assert together.on("out") == [{"fileId": target, "rows": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}]
    assert single.on("out") == [{"fileId": target, "rows": [1, 2]}, {"fileId": target, "rows": [3, 4]}]


async def test_rows_are_chosen_by_positions_where_there_is_no_header(desk: Desk) -> None:
    target = await desk.file("0\n1\n2\n3\n4\n")
    by_position: JsonObject = {"withHeaders": False, "filterRows": True}

    answer = await desk.sent(GetRows, by_position, fileId=target, indexes="0, 2-3, 900000000-999999999")

    assert answer == {"fileId": target, "rows": [[0], [2], [3]]}
    for wrong in ("a", "1-", "-1", "1.5", "1;2", "1" * 20):
        with pytest.raises(CancelError, match="write positions like 0,3,6-7"):
            await desk.sent(GetRows, by_position, fileId=target, indexes=wrong)


async def test_more_rows_than_a_message_holds_are_refused_together_and_sent_one_by_one(desk: Desk) -> None:
    target = await desk.file("1,2,3,4,5\n" * 100_001)
    everything: JsonObject = {"withHeaders": False, "filterRows": False}

    with pytest.raises(CancelError, match="more than 500000 cells"):
        await desk.run(GetRows, everything, fileId=target)
    outcome = await desk.run(GetRows, everything, fileId=target, allAtOnce=False)

    assert len(outcome.outputs) == 100_001


@pytest.mark.parametrize("component", [GetRow, GetRows, GetCell, ExportCSV, ImportCSV])
async def test_a_node_without_a_file_says_so(component: type[Component], desk: Desk) -> None:
    with pytest.raises(CancelError, match="The field fileId is empty"):
        await desk.sent(component, column="a")
    with pytest.raises(CancelError, match="no file 'lost'"):
        await desk.sent(component, fileId="lost", column="a")


async def test_an_import_tells_the_columns(desk: Desk) -> None:
    target = await desk.file(b"\xef\xbb\xbfname; age \nRex;3\n")

    answer = await desk.sent(ImportCSV, fileId=target, delimiter=";")

    assert answer == {"name": "name", "age": "age", "fileId": target}


async def test_a_picked_file_is_saved_first(desk: Desk) -> None:
    picked: JsonObject = {"filePickerFilename": "new.csv", "filePickerContent": "a,b\n1,2\n"}

    by_picker = await desk.sent(ImportCSV, picked)
    by_field = await desk.sent(ImportCSV, filename="other.csv", content="c\n")

    assert isinstance(by_picker, dict) and isinstance(by_field, dict)
    assert desk.text_of(str(by_picker.pop("fileId"))) == "a,b\n1,2\n"
    assert desk.text_of(str(by_field.pop("fileId"))) == "c\n"
    assert (by_picker, by_field) == ({"a": "a", "b": "b"}, {"c": "c"})


async def test_a_file_is_made_of_text(desk: Desk) -> None:
    answer = await desk.sent(CreateCSV, filename="new.csv", initialContent="a;b\n1;2", delimiter=";")

    assert isinstance(answer, dict)
    file_id = str(answer.pop("fileId"))
    info = await desk.world.files.info(file_id)
    assert answer == {"a": "a", "b": "b"}
    assert (desk.text_of(file_id), info.filename, info.content_type) == ("a;b\n1;2", "new.csv", "text/csv")


async def test_an_export_is_the_whole_text(desk: Desk) -> None:
    target = await desk.file("name\nžluťoučký\n".encode("utf-16"))

    assert await desk.sent(ExportCSV, fileId=target) == {"content": "name\nžluťoučký\n"}
    with pytest.raises(CancelError, match="fit into a message"):
        await desk.sent(ExportCSV, fileId=await desk.file(b"x" * (11 * 1024 * 1024)))
