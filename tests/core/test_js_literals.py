"""Literals of JavaScript are read as JavaScript would, and nothing else is."""

import time

import pytest
from headrace_core import Json
from headrace_core.errors import BadRequest
from headrace_core.js_literals import MAX_NESTING, MAX_SOURCE, read_module


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{}", {}),
        ("{ a: 1, 'b-c': \"two\", 7: null, $d_: true, }", {"a": 1, "b-c": "two", "7": None, "$d_": True}),
        ("[1, [2], { x: [] },]", [1, [2], {"x": []}]),
        ("1000 * 60 * 60", 3_600_000),
        ("(1 + 2) * 3 - -4 / 8", 9.5),
        ("2 - 1 - 1", 0),
        ("[.5, 1., 1e3, 0x10, 0b11, 0o17, 1_000, -1]", [0.5, 1, 1000, 16, 3, 15, 1000, -1]),
        (r"""'it\'s \u0041\x42\u{43}\n'""", "it's ABC\n"),
        ("`plain\ntext`", "plain\ntext"),
        ("'{{userId}}'", "{{userId}}"),
        ("{ /* of\nall */ a: 1, // and then\n b: 2 }", {"a": 1, "b": 2}),
    ],
)
@pytest.mark.parametrize("head", ["module.exports = ", "'use strict';\n\nmodule.exports=", "// first\nexport default "])
def test_what_is_written_out_is_read(head: str, written: str, value: Json) -> None:
    assert read_module(f"{head}{written};\n") == value


@pytest.mark.parametrize(
    ("source", "place", "said"),
    [
        ("", "Line 1, column 1", "module.exports"),
        ("exports.a = 1", "Line 1, column 8", "module.exports"),
        ("module.exports = {\n  a: limit\n}", "Line 2, column 6", "'limit' is a name"),
        ("module.exports = { a: process.env.X }", "Line 1, column 23", "'process' is a name"),
        ("module.exports = {\n\n    f() { return 1; } }", "Line 3, column 5", "colon"),
        ("module.exports = { f: () => 1 }", "Line 1, column 24", "value"),
        ("module.exports = { f: function () {} }", "Line 1, column 23", "'function' is a name"),
        ("module.exports = { ...rest }", "Line 1, column 20", "key"),
        ("module.exports = { [a]: 1 }", "Line 1, column 20", "key"),
        ("module.exports = { get a() { return 1 } }", "Line 1, column 20", "colon"),
        ("module.exports = new Date()", "Line 1, column 18", "'new' is a name"),
        ("module.exports = `a${b}`", "Line 1, column 20", "calculated"),
        ("module.exports = 'a' + 'b'", "Line 1, column 18", "Only numbers"),
        ("module.exports = 1 / 0", "Line 1, column 18", "zero"),
        ("module.exports = 1e400", "Line 1, column 18", "too large"),
        ("module.exports = 010", "Line 1, column 18", "no number"),
        ("module.exports = 3px", "Line 1, column 18", "no number"),
        ("module.exports = 'a\nb'", "Line 1, column 18", "no end"),
        ("module.exports = { a: 1 /* b", "Line 1, column 25", "comment"),
        ("module.exports = { a: 1 b: 2 }", "Line 1, column 25", "'}'"),
        ("module.exports = { a: 1, a: 2 }", "Line 1, column 26", "twice"),
        ("module.exports = [1", "Line 1, column 20", "missing"),
        ("module.exports = {}; require('fs')", "Line 1, column 22", "Nothing may follow"),
        ("module.exports = 1, 2", "Line 1, column 19", "Nothing may follow"),
        ("module.exports = " + "[" * (MAX_NESTING + 1), f"Line 1, column {18 + MAX_NESTING}", "deep"),
    ],
)
def test_what_would_have_to_be_run_or_is_broken_is_refused_with_its_place(source: str, place: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_module(source)

    assert refused.value.message.startswith(f"{place}: "), refused.value.message
    assert said in refused.value.message


def test_a_source_is_read_up_to_a_size() -> None:
    read_module("module.exports = 1;".ljust(MAX_SOURCE))
    with pytest.raises(BadRequest):
        read_module("module.exports = 1;".ljust(MAX_SOURCE + 1))


@pytest.mark.parametrize("piece", ["(", "[", "-", "1+", "/*", "//\n", "{a:", "'\\", " ", "\\u", "1_", "`"])
def test_no_source_takes_long(piece: str) -> None:
    source = ("module.exports = " + piece * MAX_SOURCE)[: MAX_SOURCE - 1] + "#"
    began = time.process_time()

    with pytest.raises(BadRequest):
        read_module(source)

    assert time.process_time() - began < 2.0
