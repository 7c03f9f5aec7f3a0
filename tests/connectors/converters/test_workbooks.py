"""Excel workbooks and PDF files, and what is refused of them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from datetime import date, datetime
from typing import Any

import pytest
from headrace_connectors.utils.converters import portable, workbooks
from headrace_connectors.utils.converters.CSV2XLSX.component import CSV2XLSX
from headrace_connectors.utils.converters.HTML2XLSX.component import HTML2XLSX
from headrace_connectors.utils.converters.JSON2XLSX.component import JSON2XLSX
from headrace_connectors.utils.converters.PDF2Text.component import PDF2Text
from headrace_connectors.utils.converters.tables import Table
from headrace_connectors.utils.converters.XLSX2CSV.component import XLSX2CSV
from headrace_connectors.utils.converters.XLSX2HTML.component import XLSX2HTML
from headrace_connectors.utils.converters.XLSX2JSON.component import XLSX2JSON
from headrace_core import Json
from headrace_sdk import CancelError, Component
from headrace_sdk.testing import World, run_component
from openpyxl import Workbook, load_workbook
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

OBJECTS = [{"name": "Rex", "age": 3, "good": True}, {"name": "=1+1", "age": 2.5, "tags": ["a"]}]


async def converted(component: type[Component], content: bytes, **more: Json) -> tuple[dict[str, Any], str, bytes]:
    """What was told, the content type, and the file that was made."""
    world = World()
    source = await world.files.save("pets.old.bin", content)
    [told] = (await run_component(component, content={"fileId": source.file_id, **more}, world=world)).on("out")
    assert isinstance(told, dict)
    info = await world.files.info(str(told["fileId"]))
    assert info.filename == told["fileName"]
    return told, info.content_type, await world.files.load(info.file_id)


def rows_of(workbook: bytes) -> list[tuple[object, ...]]:
    return list(load_workbook(io.BytesIO(workbook)).worksheets[0].iter_rows(values_only=True))


def workbook(*rows: list[Any], more_sheets: int = 0) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    for _ in range(more_sheets):
        book.create_sheet().append(["another"])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def rewritten(content: bytes, name: str, part: bytes) -> bytes:
    """The workbook with another part."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for each in old.namelist():
            new.writestr(each, part if each == name else old.read(each))
        if name not in old.namelist():
            new.writestr(name, part)
    return made.getvalue()


async def test_objects_become_a_sheet_and_text_stays_text() -> None:
    told, kind, made = await converted(JSON2XLSX, json.dumps(OBJECTS).encode())

    assert (told["fileName"], kind) == ("pets.old.xlsx", workbooks.CONTENT_TYPE)
    assert rows_of(made) == [
        ("name", "age", "good", "tags"),
        ("Rex", 3, True, None),
        ("=1+1", 2.5, None, '["a"]'),
    ]
    cell = load_workbook(io.BytesIO(made)).worksheets[0]["A3"]
    assert cell.data_type == "s", "a formula of somebody else would run where the file is opened"


async def test_csv_and_html_become_sheets() -> None:
    _, _, of_csv = await converted(CSV2XLSX, b"name,age,ok\nRex,3,TRUE\n@x,,0012\n")
    _, _, of_html = await converted(HTML2XLSX, b"<table><tr><th>name<th>age<tr><td>Rex<td>3</table>")

    assert rows_of(of_csv) == [("name", "age", "ok"), ("Rex", 3, True), ("@x", None, 12)]
    assert rows_of(of_html) == [("name", "age"), ("Rex", 3)]


async def test_the_first_sheet_becomes_objects_lines_and_a_page() -> None:
    made = workbook(
        ["name", "born", "born", None],
        ["Rex", date(2020, 2, 29), datetime(2020, 2, 29, 8, 30), 1],
        [None, None, None, None],
        ["<b>", None, True],
        more_sheets=2,
    )

    _, _, as_json = await converted(XLSX2JSON, made)
    _, _, as_csv = await converted(XLSX2CSV, made)
    _, kind, as_html = await converted(XLSX2HTML, made)

    assert json.loads(as_json) == [
        {"name": "Rex", "born": "2020-02-29", "born_1": "2020-02-29T08:30:00", "__EMPTY": 1},
        {"name": "<b>", "born_1": True},
    ]
    assert as_csv.decode() == "name,born,born,\nRex,2020-02-29,2020-02-29T08:30:00,1\n,,,\n<b>,,true,\n"
    assert kind == "text/html"
    assert b"<td>&lt;b&gt;</td>" in as_html


async def test_what_was_written_is_read_again() -> None:
    _, _, made = await converted(JSON2XLSX, json.dumps(OBJECTS[:1]).encode())

    assert json.loads((await converted(XLSX2JSON, made))[2]) == OBJECTS[:1]


async def test_an_empty_sheet_has_nothing() -> None:
    assert json.loads((await converted(XLSX2JSON, workbook()))[2]) == []
    assert (await converted(XLSX2CSV, workbook()))[2] == b""


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"name,age\n", workbook(["a"])[:-30]])
def test_what_is_no_workbook_is_refused(content: bytes) -> None:
    with pytest.raises(CancelError, match="no Excel workbook"):
        workbooks.cells(content)


SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def sheet_with(rows: bytes, before: bytes = b"", dimension: bytes = b"") -> bytes:
    inside = b"<worksheet " + NAMESPACE + b">" + dimension + b"<sheetData>" + rows + b"</sheetData></worksheet>"
    return rewritten(workbook(["a"]), SHEET, before + inside)


def many_parts() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(workbooks.MAX_PARTS + 1):
            archive.writestr(f"{number}.xml", "")
    return made.getvalue()


BOMBS = {
    "entities": sheet_with(
        b'<row r="1"><c r="A1" t="str"><v>&b;</v></c></row>',
        b'<!DOCTYPE x [<!ENTITY a "0123456789"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ),
    "a file of this machine": sheet_with(
        b'<row r="1"><c r="A1" t="str"><v>&f;</v></c></row>',
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
    ),
    "rows that are not there": sheet_with(b'<row r="999999999"><c r="A999999999"><v>1</v></c></row>'),
    "columns that are not there": sheet_with(
        b"".join(b'<row r="%d"><c r="ZZZ%d"><v>1</v></c></row>' % (row, row) for row in range(1, 80))
    ),
    "many tags": rewritten(workbook(["a"]), "xl/styles.xml", b"<styleSheet>" + b"<a/>" * 4_000_001 + b"</styleSheet>"),
    "a long zero": rewritten(workbook(["a"]), "xl/media/zero.bin", bytes(workbooks.MAX_UNPACKED_BYTES)),
    "many parts": many_parts(),
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_is_refused(name: str) -> None:
    with pytest.raises(CancelError):
        workbooks.cells(BOMBS[name])


def test_a_wrong_size_of_a_sheet_loses_and_makes_up_nothing() -> None:
    rows = b'<row r="2"><c r="B2"><v>7</v></c></row>'

    assert workbooks.cells(sheet_with(rows, dimension=b'<dimension ref="A1:A1"/>')) == [[None, None], [None, 7]]
    assert workbooks.cells(sheet_with(rows, dimension=b'<dimension ref="A1:ZZZ1048576"/>')) == [[None, None], [None, 7]]


def test_reading_ends_when_its_time_is_over() -> None:
    with pytest.raises(CancelError, match=r"more than 0\.01 seconds"):
        workbooks.cells(workbook(*[["a"] * 50] * 500), seconds=0.01)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([["x" * 32_768]], "row 1 has 32768 characters"),
        ([["x"] * 16_385], "16384 columns"),
        ([[1]] * 1_048_577, "1048576 rows"),
        ([[1] * 1000] * 1001, "1000000 cells"),
    ],
)
def test_what_fits_into_no_sheet_is_refused(row: list[list[Json]], said: str) -> None:
    with pytest.raises(CancelError, match=said):
        list(workbooks.of_table(Table([], iter(row))))


def test_numbers_and_characters_that_a_sheet_cannot_hold_stay_readable() -> None:
    [made] = workbooks.of_table(Table(["a"], iter([[2**60], ["x\x00\x1by"], [2**53 - 1]])))

    assert [row[0] for row in rows_of(made)] == ["a", str(2**60), "x\ufffd\ufffdy", 2**53 - 1]


def pdf(*pages: str, password: str = "") -> bytes:
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(200, 200)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = DecodedStreamObject()
        drawn.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(drawn)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


async def test_the_text_of_a_pdf_is_saved_and_sent_where_it_is_wanted() -> None:
    told, kind, made = await converted(PDF2Text, pdf("Hello", "World"))
    with_text, _, _ = await converted(PDF2Text, pdf("Hello", "World"), outputTextContent=True)

    assert (told["fileName"], kind, made) == ("pets.old.txt", "text/plain", b"Hello\n\nWorld")
    assert told["length"] == 12
    assert told["md5"] == hashlib.md5(made, usedforsecurity=False).hexdigest()
    assert "textContent" not in told
    assert with_text["textContent"] == "Hello\n\nWorld"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no PDF"),
        (b"%PDF-1.7\nnothing", "no PDF"),
        (pdf("secret", password="p"), "password"),
        (workbook(["a"]), "begin with %PDF-"),
    ],
)
def test_what_is_no_open_pdf_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(CancelError, match=said):
        portable.text(content)


def test_a_page_that_unpacks_to_too_much_is_refused() -> None:
    packed = zlib.compress(b" " * 100_000_000)
    broken = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    broken += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<<>>>>endobj\n"
    broken += b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(packed) + packed + b"\nendstream endobj\n"
    broken += b"trailer<</Root 1 0 R>>\n"

    with pytest.raises(CancelError, match=r"Limit reached|no PDF"):
        portable.text(broken)


def test_a_pdf_of_too_many_pages_is_refused() -> None:
    with pytest.raises(CancelError, match="5001 pages"):
        portable.text(pdf(*[""] * 5001))
