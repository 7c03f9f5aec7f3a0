"""Which fields of a record are shown follows from names alone, in any order and in little time."""

import re
import time

import pytest
from headrace_core import Json
from headrace_core.errors import BadRequest
from headrace_logging.showing import projected
from hypothesis import example, given, settings
from hypothesis import strategies as st

RECORD: dict[str, Json] = {
    "_id": "r",
    "_index": "i",
    "msg": "m",
    "deep": {"a": {"b": 1}, "ab": 2, "": 3},
    "deep.a": 4,
    "empty": {},
    "list": [{"a": 1}],
}

names = st.text(alphabet="abdep.*", max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.lists(names, max_size=3), st.lists(names, max_size=3))
@example(["deep"], ["deep.a*"])
@example(["d*"], ["**"])
def test_a_field_is_shown_by_its_name_or_that_of_an_object_around_it(includes: list[str], excludes: list[str]) -> None:
    shown = projected(dict(RECORD), includes, excludes)

    expected = {
        path
        for path in leaves(RECORD)
        if path in ("_id", "_index")
        or ((not includes or any(by_hand(path, name) for name in includes))
            and not any(by_hand(path, name) for name in excludes))
    }  # fmt: skip
    assert leaves(shown) == expected


def by_hand(path: str, name: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in name.split("*"))
    return re.fullmatch(rf"(?:{pattern})(?:\..*)?", path) is not None


def leaves(value: dict[str, Json], before: str = "") -> set[str]:
    found: set[str] = set()
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            found |= leaves(inner, f"{before}{name}.")
        else:
            found.add(before + name)
    return found


def test_many_gaps_and_a_long_name_take_no_time() -> None:
    record: dict[str, Json] = {"a" * 1_000: 1}
    began = time.process_time()

    assert projected(record, ["*a" * 40 + "b"], []) == {}
    assert time.process_time() - began < 1


def test_too_many_names_are_refused() -> None:
    with pytest.raises(BadRequest):
        projected({}, ["a"] * 60, ["b"] * 60)
