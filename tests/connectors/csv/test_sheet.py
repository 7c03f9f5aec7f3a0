"""CSV files as they are found in the world, read and written."""

from __future__ import annotations

import codecs
import tracemalloc

import pytest
from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Dialect, Sheet
from headrace_core import Json
from headrace_sdk import CancelError
from hypothesis import given
from hypothesis import strategies as st

PLAIN = Dialect(has_header=False)
CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def rows(content: bytes, dialect: Dialect = PLAIN) -> list[list[str]]:
    return list(sheet.read(content, dialect).rows)


@given(table=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=6), separator=st.sampled_from(",;\t|"))
def test_what_is_written_is_read_again(table: list[list[str]], separator: str) -> None:
    dialect = Dialect(separator, has_header=False)

    written = sheet.write(Sheet([], iter(table), has_mark=True), dialect)

    assert rows(written, dialect) == table


FOUND: list[tuple[bytes, list[list[str]]]] = [
    (b"a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
    (b'"a,1","say ""hi""","two\nlines"\n', [["a,1", 'say "hi"', "two\nlines"]]),
    (b"a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]),
    (b"a\r1\r", [["a"], ["1"]]),
    (b"no,end", [["no", "end"]]),
    (b"\n\na\n\n", [["a"]]),
    (b"one\nthree,more,cells\n", [["one"], ["three", "more", "cells"]]),
    (codecs.BOM_UTF8 + "ž,é\n".encode(), [["ž", "é"]]),
    ("ž,é\n".encode("utf-16"), [["ž", "é"]]),
    (codecs.BOM_UTF16_BE + "ž,é\n".encode("utf-16-be"), [["ž", "é"]]),
    ("caf\u00e9,\u20ac\n".encode("cp1252"), [["café", "€"]]),
    (b"", []),
    ("a\u2028b,c\x0bd\n".encode(), [["a\u2028b", "c\x0bd"]]),
]


@pytest.mark.parametrize(("content", "expected"), FOUND)
def test_quotes_line_ends_marks_and_encodings_are_understood(content: bytes, expected: list[list[str]]) -> None:
    assert rows(content) == expected


BROKEN = [
    (b'a,b\n"open,2\n3,4\n', "Line 3 is no CSV: unexpected end of data"),
    (b'a\n"one"two\n', "Line 2 is no CSV: ',' expected after '\"'"),
    (b"a\n" + b"x" * 140_000, "Line 2 is no CSV: field larger than field limit"),
    (b"a\n" + b"," * 10_000, "Line 2 has 10001 columns; at most 10000 are read"),
    (b"x\n" * 2_000_001, "more than 2000000 rows"),
    (b"x" * (sheet.MAX_FILE_BYTES + 1), "CSV files may have at most"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_what_is_no_csv_is_refused_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(CancelError, match=message):
        rows(content)


TYPED: list[tuple[str, Json]] = [
    ("5", 5),
    (" 007 ", 7),
    ("-1.50", -1.5),
    ("1e3", 1000.0),
    (".5", 0.5),
    ("true", True),
    ("True", "True"),
    ("", ""),
    ("1,5", "1,5"),
    ("0x1f", "0x1f"),
    ("nan", "nan"),
    ("Infinity", "Infinity"),
    ("1e999", "1e999"),
    ("٣", "٣"),
    ("12345678901234567890", "12345678901234567890"),
    ("9" * 5000, "9" * 5000),
    ("2024-01-31", "2024-01-31"),
]


@pytest.mark.parametrize(("cell", "value"), TYPED)
def test_numbers_and_booleans_are_read_out_of_cells(cell: str, value: Json) -> None:
    found = sheet.typed(cell, Dialect())

    assert (type(found), found) == (type(value), value)


def test_cells_stay_text_where_that_is_asked_for() -> None:
    kept = Dialect(parses_numbers=False, parses_booleans=False)

    assert sheet.typed_row(["5", "true"], kept) == ["5", "true"]


def test_a_record_has_null_for_missing_cells_and_leaves_out_what_has_no_name() -> None:
    assert list(sheet.record(["b", "a", "b"], ["1", "2", "3"], Dialect()).items()) == [("b", 1), ("a", 2)]
    assert sheet.record(["a", "b"], ["1"], Dialect()) == {"a": 1, "b": None}
    assert sheet.record(["a"], ["1", "2"], Dialect()) == {"a": 1}


@pytest.mark.parametrize("given_as", [";;", '"', "\n", 5, [","]])
def test_a_delimiter_is_one_character(given_as: Json) -> None:
    with pytest.raises(CancelError, match="delimiter must be one character"):
        sheet.delimiter(given_as)


@pytest.mark.parametrize(("given_as", "found"), [(None, ","), ("", ","), ("\\t", "\t"), ("tab", "\t"), (";", ";")])
def test_a_delimiter_may_be_named(given_as: Json, found: str) -> None:
    assert sheet.delimiter(given_as) == found


def test_a_large_file_is_gone_through_without_holding_its_rows() -> None:
    content = b"a,b,c\n" * 1_000_000

    tracemalloc.start()
    found = sheet.read(content, PLAIN)
    count = sum(1 for row in found.rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 1_000_000
    assert peak < len(content)
