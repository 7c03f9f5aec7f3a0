"""What a person leaves as it was shown stays as it is kept; everything else is as the person wrote it."""

from __future__ import annotations

import pytest
from headrace_core import Json
from headrace_core.errors import BadRequest
from headrace_executor.editing import edits, restored
from hypothesis import given
from hypothesis import strategies as some

JSON = some.recursive(
    some.none() | some.integers(0, 3) | some.sampled_from(["a", "***", "key-1"]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def hidden(value: Json) -> Json:
    """The value as it is shown: without its secret."""
    if isinstance(value, dict):
        return {name: hidden(each) for name, each in value.items()}
    if isinstance(value, list):
        return [*map(hidden, value)]
    return "***" if value == "key-1" else value


def message(content: Json) -> dict[str, Json]:
    return {"in": [{"content": content, "scope": {}}]}


@given(JSON)
def test_what_was_left_as_it_was_shown_is_no_edit(kept: Json) -> None:
    assert edits(message(hidden(kept)), message(hidden(kept)), message(kept)) == []
    assert restored(hidden(kept), hidden(kept), kept) == kept


@given(JSON, JSON)
def test_what_is_shown_of_an_edit_is_what_was_written(kept: Json, written: Json) -> None:
    assert hidden(restored(written, hidden(kept), kept)) == hidden(written)


def test_a_secret_beside_what_was_changed_is_kept() -> None:
    kept: Json = {"url": "a", "headers": {"x-api-key": "key-1"}, "rows": [1, "key-1"]}
    written: Json = {"url": "b", "headers": {"x-api-key": "***"}, "rows": [2, "***", "***"]}

    assert edits(message(written), message(hidden(kept)), message(kept)) == [
        ("in", 0, {"url": "b", "headers": {"x-api-key": "key-1"}, "rows": [2, "key-1", "***"]})
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"out": [{"content": 1}]}, "only at: in"),
        ({"in": {"content": 1}}, "a list of 1 messages"),
        ({"in": [{}, {}]}, "a list of 1 messages"),
        ({"in": [5]}, "is no object"),
    ],
)
def test_contents_of_what_is_not_there_are_refused(given: dict[str, Json], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        edits(given, message(1), message(1))


def test_a_message_without_content_is_left_alone() -> None:
    assert edits({"in": [{}]}, message(1), message(1)) == []
