"""Nodes that change a CSV file in place, and what becomes of it when they are cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.AddColumn.component import AddColumn
from headrace_connectors.utils.csv.AddRow.component import AddRow
from headrace_connectors.utils.csv.AddRows.component import AddRows
from headrace_connectors.utils.csv.DeleteColumns.component import DeleteColumns
from headrace_connectors.utils.csv.DeleteRows.component import DeleteRows
from headrace_connectors.utils.csv.RenameColumn.component import RenameColumn
from headrace_connectors.utils.csv.UpdateRows.component import UpdateRows
from headrace_core import Json
from headrace_sdk import CancelError, Component, FileInfo, JsonObject, LockUnavailable, TransientError
from headrace_sdk.testing import World
from headrace_sdk.testing.memory import MemoryFiles

if TYPE_CHECKING:
    from tests.connectors.csv.conftest import Desk

PETS = "name,age\nRex,3\nTom,12\nGus\n"
BY_POSITION: JsonObject = {"withHeaders": False}
TOM: Json = {"AND": [{"OR": [{"column": "name", "operator": "=", "value": "Tom"}]}]}


def cells(**values: Json) -> Json:
    return {"AND": [{"column": name, "value": value} for name, value in values.items()]}


COLUMNS: list[tuple[JsonObject | None, JsonObject, str]] = [
    (
        None,
        {"columnName": "id", "positioningColumn": "name", "insertMode": "beforeColumn"},
        "id,name,age\n,Rex,3\n,Tom,12\n,Gus\n",
    ),
    (
        None,
        {"columnName": "tame", "positioningColumn": "age", "insertMode": "afterColumn", "defaultValue": True},
        "name,age,tame\nRex,3,true\nTom,12,true\nGus,,true\n",
    ),
    (BY_POSITION, {"index": 0, "defaultValue": "x"}, "x,name,age\nx,Rex,3\nx,Tom,12\nx,Gus\n"),
    (BY_POSITION, {"index": "3", "defaultValue": "x"}, "name,age,,x\nRex,3,,x\nTom,12,,x\nGus,,,x\n"),
]


@pytest.mark.parametrize(("properties", "content", "after"), COLUMNS)
async def test_a_column_is_put_in_its_place_in_every_row(
    properties: JsonObject | None, content: JsonObject, after: str, desk: Desk
) -> None:
    assert await desk.edited(AddColumn, PETS, properties, **content) == after


async def test_an_empty_file_gets_its_first_column(desk: Desk) -> None:
    assert await desk.edited(AddColumn, "", columnName="id") == "id\n"


async def test_a_row_is_added_by_names_or_as_a_line(desk: Desk) -> None:
    by_name = cells(age=7, name='A, "B"')

    assert await desk.edited(AddRow, PETS, rowWithColumns=by_name) == PETS + '"A, ""B""",7\n'
    assert await desk.edited(AddRow, PETS, rowWithColumns=cells(age=None)) == PETS + ",\n"
    assert await desk.edited(AddRow, "a;b", BY_POSITION, delimiter=";", row='1;"2;3"') == 'a;b\n1;"2;3"\n'
    assert await desk.edited(AddRow, "a,b", BY_POSITION, row=[1, {"x": 1}]) == 'a,b\n1,"{""x"":1}"\n'


async def test_rows_are_added_as_lists_or_objects(desk: Desk) -> None:
    assert await desk.edited(AddRows, PETS, rows=[["Ida", 5], ["Eve"]]) == PETS + "Ida,5\nEve\n"
    assert await desk.edited(AddRows, PETS, rows='[{"age": 5, "name": "Ida"}, {}]') == PETS + "Ida,5\n,\n"
    assert await desk.edited(AddRows, PETS, rows=[]) == PETS


async def test_keys_that_are_no_columns_are_left_out_and_named(desk: Desk) -> None:
    target = await desk.file(PETS)

    outcome = await desk.run(AddRows, fileId=target, rows=[{"name": "Ida", "wild": True}])

    assert desk.text_of(target) == PETS + "Ida,\n"
    [(level, message)] = outcome.logs
    assert level == "warning" and "'wild'" in str(message)


async def test_columns_go_by_name_or_position(desk: Desk) -> None:
    assert await desk.edited(DeleteColumns, PETS, columns=" age ,") == "name\nRex\nTom\nGus\n"
    assert await desk.edited(DeleteColumns, PETS, BY_POSITION, indexes="0") == "age\n3\n12\n\n"
    assert await desk.edited(DeleteColumns, "a,b,c,d\n1,2,3,4\n", BY_POSITION, indexes="0,2-9") == "b\n2\n"


async def test_rows_go_by_filter_or_position(desk: Desk) -> None:
    assert await desk.edited(DeleteRows, PETS, filters=TOM) == "name,age\nRex,3\nGus\n"
    assert await desk.edited(DeleteRows, PETS, BY_POSITION, indexes="0,2-3") == "Rex,3\n"


async def test_a_column_gets_another_name(desk: Desk) -> None:
    after = await desk.edited(RenameColumn, PETS, columnName="age", newColumnName="years, full")

    assert after == PETS.replace("age", '"years, full"')


async def test_values_are_written_into_chosen_rows(desk: Desk) -> None:
    assert await desk.edited(UpdateRows, PETS, filters=TOM, values=cells(age=13)) == PETS.replace("12", "13")
    everywhere = await desk.edited(UpdateRows, PETS, filters={}, values=cells(age="?"))
    assert everywhere == "name,age\nRex,?\nTom,?\nGus,?\n"
    by_place: Json = {"AND": [{"column": "0", "value": "x"}, {"column": 3, "value": "y"}]}
    assert await desk.edited(UpdateRows, "a\nb\n", BY_POSITION, indexes="1", indexedValues=by_place) == "a\nx,,,y\n"


async def test_what_is_not_edited_stays_as_it_was(desk: Desk) -> None:
    target = await desk.file(b'\xef\xbb\xbfid,note\r\n007,"=1+1"\r\n1.50,"a\nb"\r\n')

    await desk.run(AddRow, fileId=target, rowWithColumns=cells(id="true", note="ž"))

    expected = '\ufeffid,note\r\n007,=1+1\r\n1.50,"a\nb"\r\ntrue,ž\r\n'
    assert desk.text_of(target) == expected
    assert (await desk.world.files.info(target)).filename == "pets.csv"


REFUSED: list[tuple[type[Component], JsonObject | None, JsonObject, str]] = [
    (AddColumn, None, {"columnName": "x", "positioningColumn": "weight"}, "no column 'weight'"),
    (AddColumn, None, {"columnName": "x"}, "positioningColumn is empty"),
    (AddColumn, None, {"positioningColumn": "age"}, "columnName is empty"),
    (AddColumn, None, {"columnName": "age", "positioningColumn": "name"}, "a column 'age' already"),
    (AddColumn, None, {"columnName": "x", "positioningColumn": "age", "insertMode": "on"}, "not 'on'"),
    (AddColumn, BY_POSITION, {"index": 20_000}, "must be below 10000"),
    (AddRow, None, {"rowWithColumns": cells(weight=1)}, "no column 'weight'"),
    (AddRow, BY_POSITION, {"row": "a\nb"}, "more than one line"),
    (AddRows, None, {"rows": "[1"}, "not well-formed JSON"),
    (AddRows, None, {"rows": {"a": 1}}, "must be a JSON list"),
    (AddRows, None, {"rows": [["a"], {"name": 1}]}, "lists only or objects only"),
    (AddRows, None, {"rows": [{"weight": 1}, {"wild": 1}]}, "no column 'weight'"),
    (AddRows, None, {"rows": [[1]] * 100_001}, "at most 100000"),
    (DeleteColumns, None, {"columns": "name,weight"}, "no column 'weight'"),
    (DeleteColumns, None, {"columns": ""}, "columns is empty"),
    (DeleteRows, None, {"filters": {"AND": [{"column": "weight", "value": 1}]}}, "no column 'weight'"),
    (RenameColumn, None, {"columnName": "weight", "newColumnName": "w"}, "no column 'weight'"),
    (RenameColumn, None, {"columnName": "name", "newColumnName": "age"}, "a column 'age' already"),
    (RenameColumn, None, {"columnName": "name"}, "newColumnName is empty"),
    (UpdateRows, None, {"values": cells(weight=1)}, "no column 'weight'"),
    (UpdateRows, BY_POSITION, {"indexedValues": {"AND": [{"column": 10_000, "value": 1}]}}, "must be below 10000"),
]


@pytest.mark.parametrize(("component", "properties", "content", "message"), REFUSED)
async def test_an_edit_that_makes_no_sense_is_refused_and_the_file_stays(
    component: type[Component], properties: JsonObject | None, content: JsonObject, message: str, desk: Desk
) -> None:
    target = await desk.file(PETS)

    with pytest.raises(CancelError, match=message):
        await desk.run(component, properties, fileId=target, **content)

    assert desk.text_of(target) == PETS


async def test_a_file_does_not_grow_beyond_its_bound(desk: Desk) -> None:
    target = await desk.file(b"a\n" + (b"x" * 1023 + b"\n") * (sheet.MAX_FILE_BYTES // 1024 - 1))

    with pytest.raises(CancelError, match="may have at most"):
        await desk.run(AddRow, fileId=target, rowWithColumns=cells(a="x" * 1024))


async def test_a_step_that_is_repeated_edits_once(desk: Desk) -> None:
    target = await desk.file(PETS)
    row = cells(name="Ida", age=5)

    await desk.cut_short("s", AddRow, fileId=target, rowWithColumns=row)
    again = await desk.step("s", AddRow, fileId=target, rowWithColumns=row)

    assert desk.text_of(target) == PETS + "Ida,5\n"
    assert again.outputs == [("fileId", {"fileId": target})]
    assert again.run_state == {}


async def test_a_repeated_step_does_not_edit_what_others_changed_meanwhile(desk: Desk) -> None:
    target = await desk.file(PETS)
    row = cells(name="Ida", age=5)

    await desk.cut_short("s", AddRow, fileId=target, rowWithColumns=row)
    await desk.step("other", AddRow, fileId=target, rowWithColumns=cells(name="Eve"))

    with pytest.raises(CancelError, match="changed by others"):
        await desk.step("s", AddRow, fileId=target, rowWithColumns=row)
    assert desk.text_of(target) == PETS + "Ida,5\nEve,\n"


class FailingOnce(MemoryFiles):
    """Files whose first replacement does not get through."""

    has_failed = False

    async def replace(
        self, file_id: str, content: bytes, *, filename: str | None = None, content_type: str | None = None
    ) -> FileInfo:
        if not self.has_failed:
            self.has_failed = True
            raise TransientError("The store of files does not answer.")
        return await super().replace(file_id, content, filename=filename, content_type=content_type)


async def test_a_step_that_could_not_write_writes_when_it_is_repeated(desk: Desk) -> None:
    desk.world = World(files=FailingOnce())
    target = await desk.file(PETS)

    with pytest.raises(TransientError):
        await desk.step("s", DeleteRows, fileId=target, filters=TOM)
    await desk.step("s", DeleteRows, fileId=target, filters=TOM)

    assert desk.text_of(target) == "name,age\nRex,3\nGus\n"


async def test_two_steps_edit_one_after_the_other(desk: Desk) -> None:
    target = await desk.file(PETS)
    desk.world.locked.add(f"csv:{target}")

    with pytest.raises(LockUnavailable):
        await desk.run(DeleteRows, fileId=target, filters=TOM)

    assert desk.text_of(target) == PETS
