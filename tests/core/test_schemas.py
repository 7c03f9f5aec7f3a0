"""Schemas of components are checked as they are written, quickly, and without ever fetching or backtracking."""

import time

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.schemas import ACCEPTS_ALL, compile_schema
from hypothesis import given
from hypothesis import strategies as st

PERSON: Json = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("schema", "value", "where", "says"),
    [
        (PERSON, {}, "value.name", "A value is required."),
        (PERSON, {"name": 5}, "value.name", "It must be text, and is a number."),
        (PERSON, {"name": ""}, "value.name", "at least 1 characters"),
        (PERSON, {"name": "a", "tags": ["x", None]}, "value.tags[1]", "It must be text, and is null."),
        (PERSON, [], "value", "It must be an object, and is a list."),
        ({"oneOf": [{"type": "array"}, {"type": "string"}]}, 4, "value", "a list or text, and is a number"),
        ({"anyOf": [{"type": "object", "required": ["a"]}, {"type": "string"}]}, {}, "value", "fits none of the 2"),
        ({"oneOf": [{"type": "number"}, {"minimum": 1}]}, 4, "value", "several of the allowed forms"),
        ({"enum": ["a", 1]}, "b", "value", "one of: a, 1."),
        ({"const": {"a": 1}}, "b", "value", 'It must be {"a": 1}.'),
        ({"minimum": 3}, 1, "value", "at least 3"),
        ({"maximum": 3}, 4, "value", "at most 3"),
        ({"multipleOf": 3}, 4, "value", "a multiple of 3"),
        ({"maxItems": 1}, [1, 2], "value", "at most 1 items"),
        ({"uniqueItems": True}, [1, 1], "value", "same item twice"),
        ({"not": {"type": "string"}}, "a", "value", "ruled out"),
        ({"pattern": "^a+$"}, "b", "value", "does not fit the pattern ^a+$"),
        ({"format": "email"}, "nobody", "value", "not a valid email"),
        ({"format": "uri"}, "here", "value", "not a valid uri"),
        ({"format": "date-time"}, "today", "value", "not a valid date-time"),
        ({"format": "date"}, "2026-13-01", "value", "not a valid date"),
        ({"properties": {"a": True}, "additionalProperties": False}, {"b": 1}, "value", "not known here"),
        (False, 1, "value", "not known here"),
        ({"propertyNames": {"maxLength": 1}}, {"long": 1}, "value", "breaks the rule propertyNames"),
        # as drafts 3, 4 and OpenAPI say it
        ({"properties": {"a": {"type": "string", "required": True}}}, {}, "value.a", "A value is required."),
        ({"minimum": 1, "exclusiveMinimum": True}, 1, "value", "more than 1"),
        ({"maximum": 1, "exclusiveMaximum": True}, 1, "value", "less than 1"),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, "value.b", "A value is required."),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"type": "null"}}}, 1, "value", "It must be null"),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}, "value.b", "A value is required."),
    ],
)  # fmt: skip
def test_a_problem_says_where_and_what(schema: Json, value: Json, where: str, says: str) -> None:
    problem, *_ = compile_schema(schema).check(value)

    assert problem.where == where
    assert says in problem.message


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (PERSON, {"name": "a", "more": 1}),
        ({"type": "string", "nullable": True}, None),
        ({"minimum": 1, "exclusiveMinimum": False}, 1),
        ({"type": "any"}, 1),
        ({"type": ["string", "file"]}, 1),
        ({"type": "string", "required": True}, "a"),
        ({"required": False}, {}),
        ({"format": "appmixer-file-id"}, "x"),
        ({"format": "data-url"}, "x"),
        ({"enum": "a"}, 1),
        ({"enum": []}, 1),
        ({"properties": []}, {}),
        ({"properties": {"a": "text"}}, {"a": 1}),
        ({"items": "text"}, [1]),
        ({"minLength": "1"}, ""),
        ({"pattern": "(a)\\1"}, "b"),
        ({"pattern": "^(?!https)"}, "https"),
        ({"pattern": "("}, "b"),
        ({"$ref": "#/definitions/nothing"}, 1),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}}, 1),
        ({"$ref": "#"}, 1),
        ({"$ref": 5}, 1),
        ({"allOf": [{"$ref": "#"}]}, 1),
        ({"$id": "http://example.com/s", "id": "x", "$schema": "http://json-schema.org/draft-03/schema#"}, 1),
        ({"oneOf": {"type": "string"}}, 1),
    ],
)
def test_habits_of_public_connectors_do_not_explode(schema: Json, value: Json) -> None:
    assert compile_schema(schema).check(value) == []


def test_what_is_not_checked_is_told() -> None:
    validator = compile_schema({"properties": {"a": {"pattern": "(?=a)b", "type": "any", "title": "A"}}})

    assert [each.partition(": ")[0] for each in validator.skipped] == [
        "schema.properties.a.pattern",
        "schema.properties.a.pattern",
        "schema.properties.a.type",
    ]


def test_a_property_named_like_a_keyword_is_a_property() -> None:
    validator = compile_schema({"properties": {"$ref": {"type": "string"}, "required": {"type": "boolean"}}})

    assert validator.check({"$ref": "http://example.com", "required": True}) == []
    assert validator.skipped == ()


def test_nothing_and_everything_share_one_validator() -> None:
    assert compile_schema(None) is compile_schema({}) is compile_schema(True) is ACCEPTS_ALL
    assert ACCEPTS_ALL.check({"anything": object.__name__}) == []


def test_the_same_schema_is_compiled_once() -> None:
    assert compile_schema({"type": "string"}) is compile_schema({"type": "string"})


@pytest.mark.parametrize("reference", ["http://localhost:1/s.json", "other.json#/a", "file:///etc/passwd", "urn:x"])
def test_nothing_is_ever_fetched(reference: str) -> None:
    with pytest.raises(ValidationFailed, match="leaves the document"):
        compile_schema({"properties": {"a": {"$ref": reference}}})


@pytest.mark.parametrize("schema", ["string", 1, [], 0.5])
def test_what_is_no_schema_is_refused(schema: Json) -> None:
    with pytest.raises(ValidationFailed, match="A JSON Schema is an object"):
        compile_schema(schema)


def test_schemas_have_limits() -> None:
    deep: Json = {}
    for _ in range(100):
        deep = {"items": deep}
    deeper: Json = {}
    for _ in range(100_000):
        deeper = {"items": deeper}

    with pytest.raises(ValidationFailed, match="deeper than 64"):
        compile_schema(deep)
    with pytest.raises(ValidationFailed, match="deeper than 64"):
        compile_schema(deeper)
    with pytest.raises(ValidationFailed, match="more than 20000 parts"):
        compile_schema({"properties": {str(each): {"type": "string"} for each in range(20_001)}})


def test_problems_are_counted_up_to_a_limit() -> None:
    assert len(compile_schema({"items": {"type": "string"}}).check(list(range(500)))) == 51


def test_problems_carry_the_place_they_are_given_and_never_the_value() -> None:
    (problem,) = compile_schema(PERSON).check({"name": ["secret"]}, where="flow.a.in", node="a", port="in")

    assert (problem.where, problem.node, problem.port, problem.field) == ("flow.a.in.name", "a", "in", "name")
    assert "secret" not in str(problem)


def test_what_json_cannot_hold_is_a_problem_and_no_crash() -> None:
    value: dict[object, object] = {5: object()}

    (problem,) = compile_schema(PERSON).check(value)  # type: ignore[arg-type]  # that is the point

    assert "JSON cannot hold" in problem.message


def test_a_hostile_pattern_does_not_hold_anyone_up() -> None:
    validator = compile_schema({"pattern": "^(a+)+$"})
    begin = time.perf_counter()

    assert validator.check("a" * 100_000 + "b")
    assert time.perf_counter() - begin < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", "string", "#", "object"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "required", "enum", "anyOf", "not", "minimum", "exclusiveMinimum",
                 "pattern", "format", "$ref", "definitions", "a", "dependencies", "minLength", "patternProperties"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON, JSON)
def test_any_schema_is_refused_in_words_or_checks_any_value(schema: Json, value: Json) -> None:
    try:
        validator = compile_schema(schema)
    except ValidationFailed as refused:
        assert refused.problems
    else:
        assert all(problem.message for problem in validator.check(value))
