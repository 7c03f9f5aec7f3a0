"""Filters, patterns and orders mean exactly what they say, over any data."""

from collections.abc import Iterable, Mapping

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_flow_manager import json_text
from headrace_flow_manager.query import Condition, ListQuery, Operator, Selection, SortKey, is_same
from hypothesis import given, settings
from hypothesis import strategies as st

FIELDS = ("a", "b", "a.b", "a.b.c", "list", "list.x")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, 1.5, -2.5]),
    st.sampled_from(["", "1", "true", "null", "x", "X y", "é", "\x00", "a.b", "%", "_", "' OR 1=1 --"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "c", "x", "b.c"]), inner, max_size=3)
    ),
    max_leaves=8,
)
records = st.dictionaries(st.sampled_from(["a", "b", "list", "a.b", "name"]), values, max_size=4)
operators: st.SearchStrategy[Operator] = st.sampled_from(["equal", "not_equal", "greater", "less", "empty"])


def ids(found: Iterable[Mapping[str, Json]], query: ListQuery) -> tuple[int, ...]:
    return Selection(query).page(enumerate(found)).items


@settings(max_examples=200, deadline=None)
@given(st.lists(records, max_size=6), st.sampled_from(FIELDS), operators, scalars)
def test_a_filter_finds_what_going_through_everything_by_hand_finds(
    found: list[dict[str, Json]], field: str, operator: Operator, value: Json
) -> None:
    if operator in ("greater", "less") and (value is None or isinstance(value, bool)):
        return

    expected = tuple(number for number, record in enumerate(found) if by_hand(record, field, operator, value))

    assert ids(found, ListQuery((Condition(field, operator, value),))) == expected


def by_hand(record: dict[str, Json], field: str, operator: Operator, value: Json) -> bool:
    """The law of the module's docstring, written once more in the plainest way: by paths and type names."""
    reached = walk(record, field.split("."))
    spread = [each for one in reached for each in ([one, *one] if isinstance(one, list) else [one])]
    match operator:
        case "equal":
            return any(equal(each, value) for each in spread)
        case "not_equal":
            return not any(equal(each, value) for each in spread)
        case "empty":
            return all(each is None or each == "" or each == [] or each == {} for each in reached)
        case "greater":
            return any(kind(each) == kind(value) and each > value for each in spread)  # type: ignore[operator]  # alike
        case _:
            return any(kind(each) == kind(value) and each < value for each in spread)  # type: ignore[operator]  # alike


def walk(value: Json, steps: list[str]) -> list[Json]:
    if not steps:
        return [value]
    if not isinstance(value, dict):
        return []
    whole = ".".join(steps)
    if whole in value:
        return [value[whole]]
    if steps[0] not in value:
        return []
    inner = value[steps[0]]
    return [found for each in (inner if isinstance(inner, list) else [inner]) for found in walk(each, steps[1:])]


def equal(one: Json, other: Json) -> bool:
    if json_text.encode_canonical(as_float(one)) == json_text.encode_canonical(as_float(other)):
        return True
    return not isinstance(other, str | list | dict) and one == json_text.encode(other)


def as_float(value: Json) -> Json:
    """Numbers in one writing, so that 1 and 1.0 look alike and true does not."""
    match value:
        case bool():
            return value
        case int() | float():
            return {"number": float(value) + 0.0 if value else 0.0}
        case list():
            return [as_float(each) for each in value]
        case dict():
            return {key: as_float(each) for key, each in value.items()}
        case _:
            return value


def kind(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


@settings(max_examples=100, deadline=None)
@given(st.lists(records, max_size=8), st.booleans(), st.integers(0, 4), st.integers(1, 4))
def test_pages_put_together_are_the_whole_list_in_order(
    found: list[dict[str, Json]], descending: bool, offset: int, limit: int
) -> None:
    order = (SortKey("a", descending), SortKey("b"))

    whole = ids(found, ListQuery(sort=order, limit=1000))
    page = Selection(ListQuery(sort=order, offset=offset, limit=limit)).page(enumerate(found))

    assert sorted(whole) == list(range(len(found)))
    assert page.items == whole[offset : offset + limit]
    assert page.total == len(found)


def test_kinds_of_values_have_an_order() -> None:
    found: list[dict[str, Json]] = [
        {"a": {}}, {"a": "b"}, {"a": "a"}, {"a": 2}, {"a": 1.5}, {"a": True}, {"a": False}, {"a": None}, {},
    ]  # fmt: skip

    assert ids(found, ListQuery(sort=(SortKey("a"),))) == (8, 7, 6, 5, 4, 3, 2, 1, 0)
    assert ids(found, ListQuery(sort=(SortKey("a", True),))) == (0, 1, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (1, True, False), (0, False, False), ([1], [True], False), ({"a": 1}, {"a": True}, False),
     ("1", 1, False), (None, None, True), (2**70, 2**70 + 1, False), ({"a": [1]}, {"a": [1.0]}, True)],
)  # fmt: skip
def test_equality_tells_kinds_apart(one: Json, other: Json, same: bool) -> None:
    assert is_same(one, other) is same


def test_what_an_url_cannot_tell_apart_is_found_either_way() -> None:
    found: list[dict[str, Json]] = [{"a": "5"}, {"a": 5}, {"a": "true"}, {"a": True}, {"a": "05"}]

    assert ids(found, ListQuery((Condition("a", "equal", 5),))) == (0, 1)
    assert ids(found, ListQuery((Condition("a", "equal", True),))) == (2, 3)
    assert ids(found, ListQuery((Condition("a", "equal", "5"),))) == (0,)


def test_a_number_finds_the_text_it_is_written_as_digit_by_digit() -> None:
    found: list[dict[str, Json]] = [{"a": "1.10"}, {"a": "1.1"}, {"a": 1.1}, {"a": ["1.10"]}, {"a": "1.100"}]

    assert ids(found, ListQuery((Condition("a", "equal", 1.1, "1.10"),))) == (0, 2, 3)
    assert ids(found, ListQuery((Condition("a", "not_equal", 1.1, "1.10"),))) == (1, 4)
    assert ids(found, ListQuery((Condition("a", "equal", 1.1),))) == (1, 2)


def test_a_pattern_is_a_part_of_the_name_without_regard_to_case() -> None:
    found: list[dict[str, Json]] = [{"name": "Straße"}, {"name": "100%"}, {"name": None}, {}]

    assert ids(found, ListQuery(pattern="STRASSE")) == (0,)
    assert ids(found, ListQuery(pattern="%")) == (1,)


def test_a_match_is_an_re2_search_in_texts() -> None:
    found: list[dict[str, Json]] = [{"a": "order-17"}, {"a": ["x", "order-3"]}, {"a": 17}, {"a": "order"}]

    assert ids(found, ListQuery((Condition("a", "match", r"order-\d+"),))) == (0, 1)


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1", "((a{100}){100}){100}", "x" * 2000])
def test_patterns_that_re2_cannot_do_or_that_are_huge_are_refused(pattern: str) -> None:
    with pytest.raises(ValidationFailed):
        Selection(ListQuery((Condition("a", "match", pattern),)))


def test_everything_wrong_with_a_query_is_said_at_once() -> None:
    query = ListQuery(
        conditions=tuple(Condition("x" * 300, "equal", 1) for _ in range(51)),
        pattern="p" * 2000,
        sort=tuple(SortKey("") for _ in range(11)),
        offset=-1,
        limit=1001,
    )

    with pytest.raises(ValidationFailed) as refused:
        Selection(query)

    assert {problem.where for problem in refused.value.problems} >= {"filter", "sort", "pattern", "offset", "limit"}
