"""Tables from one format to another, and what is refused on the way."""

from __future__ import annotations

import json
import time

import pytest
from headrace_connectors.utils.converters import pages
from headrace_connectors.utils.converters.CSV2HTML.component import CSV2HTML
from headrace_connectors.utils.converters.CSV2JSON.component import CSV2JSON
from headrace_connectors.utils.converters.HTML2CSV.component import HTML2CSV
from headrace_connectors.utils.converters.HTML2JSON.component import HTML2JSON
from headrace_connectors.utils.converters.JSON2CSV.component import JSON2CSV
from headrace_connectors.utils.converters.JSON2HTML.component import JSON2HTML
from headrace_core import Json
from headrace_sdk import CancelError, Component
from headrace_sdk.testing import World, run_component
from hypothesis import given
from hypothesis import strategies as st

ALL = [CSV2HTML, CSV2JSON, HTML2CSV, HTML2JSON, JSON2CSV, JSON2HTML]


async def converted(
    component: type[Component], content: str | bytes, name: str = "pets.old.txt"
) -> tuple[str, str, str]:
    """The name, the content type and the text of the file that was made."""
    world = World()
    written = content.encode() if isinstance(content, str) else content
    source = await world.files.save(name, written)
    [answer] = (await run_component(component, content={"fileId": source.file_id}, world=world)).on("out")
    assert isinstance(answer, dict) and set(answer) == {"fileId", "fileName"}
    assert world.files.contents[source.file_id] == written
    info = await world.files.info(str(answer["fileId"]))
    assert info.filename == answer["fileName"]
    return info.filename, info.content_type, (await world.files.load(info.file_id)).decode()


async def text(component: type[Component], content: str | bytes) -> str:
    return (await converted(component, content))[2]


async def objects(component: type[Component], content: str | bytes) -> Json:
    found: Json = json.loads(await text(component, content))
    return found


def page(table: Json) -> str:
    """The page that is made of these rows, the first being the header."""
    assert isinstance(table, list)
    rows = [
        "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in row) + "</tr>\n"
        for tag, row in zip(["th", *["td"] * len(table)], table, strict=False)
        if isinstance(row, list)
    ]
    head = '<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>Table</title></head><body><table>\n'
    return head + "".join(rows) + "</table></body></html>\n"


NAMED = [
    (CSV2HTML, b"a\n1\n", "pets.old.html", "text/html"),
    (CSV2JSON, b"a\n1\n", "pets.old.json", "application/json"),
    (HTML2CSV, b"<table><tr><td>1</table>", "pets.old.csv", "text/csv"),
    (HTML2JSON, b"<table><tr><td>1</table>", "pets.old.json", "application/json"),
    (JSON2CSV, b'[{"a": 1}]', "pets.old.csv", "text/csv"),
    (JSON2HTML, b'[{"a": 1}]', "pets.old.html", "text/html"),
]


@pytest.mark.parametrize(("component", "content", "name", "content_type"), NAMED)
async def test_the_new_file_has_the_name_of_the_old_one_with_its_own_ending(
    component: type[Component], content: bytes, name: str, content_type: str
) -> None:
    assert (await converted(component, content))[:2] == (name, content_type)


CSV_AS_JSON: list[tuple[str | bytes, Json]] = [
    (
        'name,age,tame\nRex,3,TRUE\n"Tom, T.",,no\n',
        [
            {"name": "Rex", "age": 3, "tame": True},
            {"name": "Tom, T.", "age": "", "tame": "no"},
        ],
    ),
    ("a,b\n1\n1,2,3\n", [{"a": 1}, {"a": 1, "b": 2}]),
    ("a,b,a\n1,2,3\n", [{"a": 1, "b": 2}]),
    ("a\n", []),
    ("", []),
    ("name\nžluť\n".encode("utf-16"), [{"name": "žluť"}]),
    ("\ufeffname\n=1+1\n", [{"name": "=1+1"}]),
]


@pytest.mark.parametrize(("csv", "expected"), CSV_AS_JSON)
async def test_csv_becomes_objects(csv: str | bytes, expected: Json) -> None:
    assert await objects(CSV2JSON, csv) == expected


async def test_csv_becomes_a_page_that_cannot_be_broken_out_of() -> None:
    assert await text(CSV2HTML, 'a,b\n1,"<script>x</script>"\n') == page(
        [["a", "b"], [1, "&lt;script&gt;x&lt;/script&gt;"]]
    )
    assert await text(CSV2HTML, "") == page([])


JSON_AS_CSV: list[tuple[Json, str]] = [
    ([{"a": 1, "b": "x,y"}, {"b": None, "c": True}], 'a,b,c\n1,"x,y",\n,,true\n'),
    ({"first": {"a": 1}, "second": {"a": 2}}, "a\n1\n2\n"),
    ([{"a": {"b": [1, "ž"]}}], 'a\n"{""b"":[1,""ž""]}"\n'),
    ([{"a": "two\nlines"}], 'a\n"two\nlines"\n'),
    ([], ""),
    ([{}], "\n"),
]


@pytest.mark.parametrize(("value", "expected"), JSON_AS_CSV)
async def test_objects_become_csv(value: Json, expected: str) -> None:
    assert await text(JSON2CSV, json.dumps(value)) == expected


async def test_objects_become_a_page() -> None:
    value: Json = [{"<a>": 1, "b": {"c": '"'}}, {"b": None}]

    assert await text(JSON2HTML, json.dumps(value)) == page(
        [["&lt;a&gt;", "b"], ["1", "{&quot;c&quot;:&quot;\\&quot;&quot;}"], ["", ""]]
    )


PAGES: list[tuple[str, str]] = [
    ("<table><thead><tr><th>a<th>b<tbody><tr><td>1<td>2</table>", "a,b\n1,2\n"),
    ("<p>x<table><tr><td> one \n two <br> three</td></tr></table><table><tr><td>no</table>", '"one two\nthree"\n'),
    ("<table><tr><td colspan=2>a</td><td>b</td></tr><tr><td>1<td>2<td>3</table>", "a,,b\n1,2,3\n"),
    ("<table><tr><td rowspan=2>a<td>b<tr><td>c</table>", "a,b\n,c\n"),
    ("<table><tr><td rowspan=x colspan=-1>a</table>", "a\n"),
    ("<table><tr><td>a<table><tr><td>in</table>b<td>c</table>", "ainb,c\n"),
    ("<table><tr><td>a<script>if (1 < 2) x()</script>b<style>p{}</style></table>", "ab\n"),
    ("<table><tr><td>&lt;&amp;&euro;&#65;</table>", "<&€A\n"),
    ("<TABLE><TR><TD>open", "open\n"),
    ("<table><td>a<td>b</table>", "a,b\n"),
    ("<table></table>", ""),
]


@pytest.mark.parametrize(("html", "expected"), PAGES)
async def test_the_first_table_of_a_page_becomes_csv(html: str, expected: str) -> None:
    assert await text(HTML2CSV, html) == expected


async def test_the_first_table_of_a_page_becomes_objects() -> None:
    html = "<table><tr><th>a<th><th>a<tr><td>1<td>true<td><tr><td><td><td><tr><td>x</table>"

    assert await objects(HTML2JSON, html) == [{"a": 1, "__EMPTY": True}, {"a": "x"}]


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=8)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=5))
async def test_texts_of_any_kind_survive_the_way_through_a_page(rows: list[list[str]]) -> None:
    value = [{"a": f"~{one}", "b": f"~{two}"} for one, two in rows]

    made = await text(JSON2HTML, json.dumps(value))

    assert await objects(HTML2JSON, made) == value or not rows


BAD: list[tuple[type[Component], str | bytes, str]] = [
    (JSON2CSV, "[1", "The file is no JSON"),
    (JSON2CSV, "5", "must hold a JSON list of objects"),
    (JSON2CSV, '[{"a": 1}, 5]', "entry 1 is none"),
    (JSON2CSV, '[{"a": NaN}]', "NaN is no JSON value"),
    (JSON2HTML, "[" * 100_000, "The file is no JSON"),
    (JSON2CSV, b'[{"a": ' + b"9" * 5000 + b"}]", "The file is no JSON"),
    (JSON2HTML, json.dumps([{f"k{number}": 1} for number in range(10_001)]), "at most 10000 become columns"),
    (JSON2CSV, json.dumps([{f"k{number}": 1} for number in range(9_000)]), "may have at most"),
    (JSON2HTML, json.dumps([{f"k{number}": 1} for number in range(9_000)]), "would have more than"),
    (JSON2CSV, b" " * (17 * 1024 * 1024), "at most 16777216 are converted"),
    (CSV2JSON, b'a\n"open', "Line 2 is no CSV"),
    (CSV2HTML, b"x" * (33 * 1024 * 1024), "at most 33554432 are converted"),
    (CSV2JSON, b"a" * 1000 + b"\n" + b"1\n" * 40_000, "would have more than"),
    (HTML2CSV, "<p>no table", "The page has no table"),
    (HTML2JSON, b" " * (5 * 1024 * 1024), "at most 4194304 are converted"),
    (HTML2CSV, "<table><tr>" + "<td colspan=1000>" * 2001, "more than 2000000 cells"),
    (HTML2CSV, "<table><tr>" + "<td colspan=1000 rowspan=1000>" * 50 + "<tr></tr>" * 100, "more than 2000000 cells"),
]


@pytest.mark.parametrize(
    ("component", "content", "message"), BAD, ids=[f"{each[0].__name__} {each[2]}" for each in BAD]
)
async def test_what_cannot_be_converted_is_refused(
    component: type[Component], content: str | bytes, message: str
) -> None:
    with pytest.raises(CancelError, match=message):
        await converted(component, content)


@pytest.mark.parametrize("component", ALL)
async def test_a_file_must_be_named_and_there(component: type[Component]) -> None:
    with pytest.raises(CancelError, match="The field fileId is empty"):
        await run_component(component, content={})
    with pytest.raises(CancelError, match="no file 'lost'"):
        await run_component(component, content={"fileId": "lost"})


HOSTILE = ["<!--", "<a ", "</", "<![CDATA[", "<table>", "<tr><td>", "<script>", "&#", "<a b='", "<?"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_page_takes_for_ever(piece: str) -> None:
    began = time.process_time()

    try:
        pages.cells(("<table><tr><td>" + piece * 50_000).encode(), seconds=0.5)
    except CancelError as refused:
        assert "takes more than 0.5 seconds" in refused.message

    assert time.process_time() - began < 5
