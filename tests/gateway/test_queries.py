"""How lists are asked for by URL."""

import orjson
import pytest
from headrace_core import Json, errors
from headrace_gateway import queries
from headrace_gateway.clients import wire
from headrace_gateway.queries import Condition, ListQuery, Projection, SortKey
from headrace_gateway.routes.files import attachment, byte_range
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stage:running", Condition("stage", "equal", "running")),
        ("customFields.category:a:b", Condition("customFields.category", "equal", "a:b")),
        ("name:!draft", Condition("name", "not_equal", "draft")),
        ("templateId:!", Condition("templateId", "empty")),
        ("name:~^a.*z$", Condition("name", "match", "^a.*z$")),
        ("count:>5", Condition("count", "greater", 5)),
        ("count:<-1.5", Condition("count", "less", -1.5)),
        ("on:true", Condition("on", "equal", True)),
        ("gone:null", Condition("gone", "equal", None)),
        ("code:007", Condition("code", "equal", "007")),
        ("empty:", Condition("empty", "equal", "")),
        ("$where:1", Condition("$where", "equal", 1)),
    ],
)
def test_a_filter_is_a_name_an_operator_and_a_value(text: str, expected: object) -> None:
    assert queries.condition(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("-0", 0),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("1e309", "1e309"),
        ("9" * 400, "9" * 400),
        ("true", True),
        ("0x10", "0x10"),
        ("٣", "٣"),
    ],
)
def test_a_word_of_a_url_is_a_value_and_goes_on_as_it_was_written(text: str, value: Json) -> None:
    sent = wire.query_to_proto(ListQuery(filter=(queries.condition(f"a:{text}"),))).filter[0]

    assert (orjson.loads(sent.value), sent.written) == (value, "" if value == text else text)


@pytest.mark.parametrize("text", ["nocolon", ":x", "a\n:x"])
def test_what_is_no_filter_is_refused_by_name(text: str) -> None:
    with pytest.raises(errors.ValidationFailed) as refused:
        queries.condition(text)

    assert refused.value.problems[0].field == "filter"


def test_a_page_has_filters_order_and_bounds() -> None:
    found = queries.list_query(
        {
            "filter": ["a:1"],
            "filter[]": ["b:2"],
            "sort": ["mtime:-1", "name"],
            "offset": ["20"],
            "limit": ["10"],
            "pattern": ["x"],
        }
    )

    assert found == ListQuery(
        filter=(Condition("a", "equal", 1), Condition("b", "equal", 2)),
        pattern="x",
        sort=(SortKey("mtime", True), SortKey("name")),
        offset=20,
        limit=10,
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("limit", "0"), ("limit", "1001"), ("limit", "ten"), ("offset", "-1"), ("sort", "a:2"), ("limit", "٣")],
)
def test_wrong_parameters_are_named(name: str, text: str) -> None:
    with pytest.raises(errors.ValidationFailed) as refused:
        queries.list_query({name: [text]})

    assert refused.value.problems[0].field == name


def test_a_projection_shows_or_hides_fields() -> None:
    record: dict[str, Json] = {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}

    assert queries.projection({"projection": ["-a,-b.c"]}).apply(record) == {"b": {"d": 3}, "e": 4}
    assert queries.projection({"projection": ["a,b.c"]}).apply(record) == {"a": 1, "b": {"c": 2}}
    assert queries.projection({}).apply(record) == record
    assert queries.projection({"projection": ["zz"]}).apply(record) == {}
    with pytest.raises(errors.ValidationFailed):
        queries.projection({"projection": ["a,-b"]})
    with pytest.raises(errors.ValidationFailed):
        queries.projection({"projection": [",".join(["a"] * 51), ",".join(["b"] * 50)]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    record=st.dictionaries(st.sampled_from("abc"), JSON),
    names=st.lists(st.sampled_from(["a", "b", "a.b", "a.b.c", "c.a"]), max_size=4),
    without=st.booleans(),
)
def test_projecting_never_changes_what_was_projected_and_never_invents(
    record: dict[str, Json], names: list[str], without: bool
) -> None:
    before = repr(record)

    shown = Projection(tuple(names), without).apply(record)

    assert repr(record) == before
    assert set(shown) <= set(record)


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("", 10, None),
        ("bytes=0-3", 10, (0, 4)),
        ("bytes=5-", 10, (5, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-30", 10, (0, 10)),
        ("bytes=8-100", 10, (8, 10)),
        ("bytes=0-1,3-4", 10, None),
        ("bytes=4-2", 10, None),
        ("bytes=-", 10, None),
        ("lines=1-2", 10, None),
        ("bytes=" + "9" * 40 + "-", 10, None),
    ],
)
def test_one_range_is_understood_and_others_are_passed_over(header: str, size: int, expected: object) -> None:
    assert byte_range(header, size) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_a_range_outside_of_the_content_is_refused(header: str, size: int) -> None:
    with pytest.raises(errors.BadRequest):
        byte_range(header, size)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_filename_makes_a_safe_header(name: str) -> None:
    value = attachment(name.encode("utf-8", "replace").decode())

    assert value.isascii()
    assert "\n" not in value
    assert "\r" not in value
    assert value.count('"') == 2
