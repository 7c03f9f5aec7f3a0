"""JSON goes in and out without loss; what is no JSON is named."""

import pytest
from headrace_core import Json
from headrace_core.errors import BadRequest, TooLarge
from headrace_flow_manager import json_text
from hypothesis import given, settings
from hypothesis import strategies as st

json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_what_goes_in_comes_out(value: Json) -> None:
    again = json_text.decode(json_text.encode(value).encode(), "value")

    assert json_text.encode(again) == json_text.encode(value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"NaN", b"[Infinity]", b"1e999", b'"\\ud800"', b"\xff", b"\xfe\xff\x00{", b"[" * 200 + b"]" * 200,
     b"[" * 100_000, b"{} {}", b"'x'", b"9" * 5000],
)  # fmt: skip
def test_what_is_no_json_or_too_deep_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BadRequest, match="The body"):
        json_text.decode(data, "body")


def test_an_object_is_asked_for_by_name() -> None:
    assert json_text.decode_object(b"", "body") == {}
    with pytest.raises(BadRequest, match="no JSON object"):
        json_text.decode_object(b"[]", "body")


def test_a_limit_counts_bytes() -> None:
    assert json_text.limited("é" * 5, 10, "text")
    with pytest.raises(TooLarge):
        json_text.limited("é" * 6, 10, "text")
