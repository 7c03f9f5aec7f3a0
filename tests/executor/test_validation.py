"""What fits an in-port, what is made to fit, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from headrace_executor.validation import fit

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "either": {"oneOf": [{"type": "string"}, {"type": "array"}]},
    },
}


@pytest.mark.parametrize(
    ("given", "fitted"),
    [
        ({"text": [1, {"a": "b"}]}, {"text": '[1,{"a":"b"}]'}),
        ({"text": 5}, {"text": "5"}),
        ({"text": True}, {"text": "true"}),
        ({"number": "5"}, {"number": 5}),
        ({"number": "-2.5"}, {"number": -2.5}),
        ({"flag": "true"}, {"flag": True}),
    ],
)
def test_a_value_of_another_type_is_written_as_its_field_wants_it(given: Any, fitted: Any) -> None:
    before = dict(given)

    assert fit(SCHEMA, given) == fitted
    assert given == before


@pytest.mark.parametrize(
    "given",
    [
        {"text": None},
        {"number": "five"},
        {"number": ""},
        {"number": "inf"},
        {"number": True},
        {"flag": "yes"},
        {"flag": 1},
        {"either": 5},
        {"other": 5},
        [],
        "text",
        None,
    ],
)
def test_what_has_no_plain_form_of_the_wanted_type_stays(given: Any) -> None:
    assert fit(SCHEMA, given) == given
