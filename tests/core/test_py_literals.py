"""Modules of Python literals are read and never run."""

import pytest
from headrace_core.errors import BadRequest
from headrace_core.py_literals import MAX_SOURCE, read_module

MODULE = '''"""Rules."""

from __future__ import annotations
from datetime import timedelta

# as often as they say
name = "crm"
rules: list = [
    {"limit": 5_000, "window": timedelta(hours=1, seconds=0.5), "resource": ("a", "b")},
    {"limit": 30, "window": 60 * 1000, "deep": [-1, 1 / 4, True, None, 2 - 3 * 4]},
]
'''


def test_names_have_the_values_that_are_written() -> None:
    assert read_module(MODULE) == {
        "name": "crm",
        "rules": [
            {"limit": 5000, "window": 3_600_500, "resource": ["a", "b"]},
            {"limit": 30, "window": 60_000, "deep": [-1, 0.25, True, None, -10]},
        ],
    }


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rules = [open('x')]", "This is no literal: line 1, column 10"),
        ("import os", "Here should stand a name and its value: line 1, column 1"),
        ("from datetime import datetime", "name and its value"),
        ("def rules(): pass", "name and its value"),
        ("\nrules = x", "This is no literal: line 2, column 9"),
        ("rules = [x for x in ()]", "This is no literal"),
        ("rules = {**{}}", "A key is a text"),
        ("rules = {1: 2}", "A key is a text"),
        ("rules = 1 / 0", "divides by zero"),
        ("rules = 9 ** 9", "no more"),
        ("rules = 'a' + 'b'", "This is no number"),
        ("rules = 10 * 1000000000 * 1000000000", "too large"),
        ("rules = timedelta(years=1)", "A timedelta takes"),
        ("rules = timedelta()", "A timedelta takes"),
        ("rules = timedelta(**{})", "is no number|A timedelta takes"),
        ("rules = timedelta(days=999999999999)", "too large"),
        ("rules = [", "It is no Python"),
        ("rules = '\0'", "It is no Python"),
        ("rules = " + "[" * 60 + "]" * 60, "nested too deeply"),
        ("rules = " + "-" * 5_000 + "1", "nested too deeply|no Python"),
        ("a.b = 1", "name and its value"),
        ("#" * (MAX_SOURCE + 1), "characters"),
    ],
)
def test_what_is_more_than_literals_is_refused_with_its_place(source: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        read_module(source)
