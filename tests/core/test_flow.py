"""Descriptors: what is accepted comes back unchanged, what is refused is named with node, port, field and fix."""

import copy
from typing import cast

import pytest
from headrace_core import Json
from headrace_core.errors import Problem, TooLarge, ValidationFailed
from headrace_core.flow import Limits, NodeConfig, normalize_type, parse_descriptor, spellings
from hypothesis import given
from hypothesis import strategies as st

START = "0b5d0f0e-6a1a-4d5c-9a54-0f5f2f7d1a01"
NEXT = "0b5d0f0e-6a1a-4d5c-9a54-0f5f2f7d1a02"
TRANSFORM: Json = {"type": "json2new", "modifiers": {}, "lambda": {"text": "hello"}}
EXAMPLE: dict[str, Json] = {
    START: {
        "type": "appmixer.utils.controls.OnStart",
        "label": "Go",
        "x": 64,
        "y": 16.5,
        "source": {},
        "version": "1.0.0",
        "config": {},
    },
    NEXT: {
        "type": "vendor.service.module.Component",
        "x": -256,
        "y": 16,
        "source": {"in": {START: ["out", "out"], "on start": "other"}, "count": {}},
        "manifest": {"label": "Mine"},
        "config": {
            "properties": {"a": [1, None, {"b": True}]},
            "auth": {"accountId": "x"},
            "transform": {"in": {START: {"out": TRANSFORM}}},
            "notes": {"kept": "as they are"},
        },
        "errorHandling": {"autoRetry": False, "maxRetries": 3, "onError": "errorPort"},
    },
    "on start": {"type": "a.b.c.D", "config": None},
}


def problems_of(value: Json) -> list[Problem]:
    with pytest.raises(ValidationFailed) as refused:
        parse_descriptor(value)
    return list(refused.value.problems)


def test_a_descriptor_comes_back_to_the_last_key() -> None:
    assert parse_descriptor(copy.deepcopy(EXAMPLE)).to_json() == EXAMPLE
    assert list(parse_descriptor(EXAMPLE).nodes) == list(EXAMPLE)


def test_a_node_is_read_into_its_parts() -> None:
    flow = parse_descriptor(EXAMPLE)
    node = flow.nodes[NEXT]

    assert flow.nodes[START].type == "headrace.utils.controls.OnStart"
    assert node.source == {"in": {START: ("out",), "on start": ("other",)}, "count": {}}
    assert (node.x, node.y, node.manifest) == (-256, 16, {"label": "Mine"})
    assert node.config.properties == {"a": [1, None, {"b": True}]}
    assert node.config.other == {"notes": {"kept": "as they are"}}
    assert (node.error_handling.auto_retry, node.error_handling.max_retries) == (False, 3)
    assert node.has_error_port
    assert flow.nodes["on start"].config == NodeConfig()
    assert flow.nodes["on start"].error_handling.max_retries is None


def test_the_transform_of_a_link_is_found_or_is_none() -> None:
    config = parse_descriptor(EXAMPLE).nodes[NEXT].config

    assert config.transform_of("in", START, "out") == TRANSFORM
    assert config.transform_of("in", START, "other") is config.transform_of("no", START, "out") is None
    assert NodeConfig(transform={"in": "odd"}).transform_of("in", START, "out") is None


def test_an_empty_flow_is_a_flow() -> None:
    assert parse_descriptor({}).to_json() == {}


def node(**changes: Json) -> dict[str, Json]:
    return {"n 1": {"type": "a.b.c.D", **changes}}


REFUSED: list[tuple[Json, str, str, str]] = [
    (node(type="a.b.D"), "flow.n 1.type", "", "four words"),
    (node(type="a.b.c.D\n"), "flow.n 1.type", "", "four words"),
    (node(type=5), "flow.n 1.type", "", "a number and not text"),
    ({"n 1": {}}, "flow.n 1.type", "", "no component type"),
    (node(extra=1), "flow.n 1.extra", "", "no such key"),
    (node(label=None), "flow.n 1.label", "", "null and not text"),
    (node(version=1), "flow.n 1.version", "", "a number and not text"),
    (node(x="1"), "flow.n 1.x", "", "text and not a number"),
    (node(y=True), "flow.n 1.y", "", "true or false and not a number"),
    (node(source=[]), "flow.n 1.source", "", "a list and not an object"),
    (node(source={"in": "a"}), "flow.n 1.source.in", "in", "where its source nodes belong"),
    (node(source={"in": {"a": 1}}), "flow.n 1.source.in.a", "in", "out-ports of 'a' are a number"),
    (node(source={"in": {"a": ["out", 1]}}), "flow.n 1.source.in.a", "in", "not a name"),
    (node(source={"": {}}), "flow.n 1.source", "", "1 to 256 characters"),
    (node(source={"in": {"a": [""]}}), "flow.n 1.source.in.a", "", "1 to 256 characters"),
    (node(config=[]), "flow.n 1.config", "", "a list and not an object"),
    (node(config={"properties": 1}), "flow.n 1.config.properties", "", "a number and not an object"),
    (node(config={"transform": []}), "flow.n 1.config.transform", "", "a list and not an object"),
    (node(errorHandling=None), "flow.n 1.errorHandling", "", "null and not an object"),
    (node(errorHandling={"a": 1}), "flow.n 1.errorHandling.a", "", "no such key"),
    (node(errorHandling={"autoRetry": 1}), "flow.n 1.errorHandling.autoRetry", "", "a number"),
    (node(errorHandling={"maxRetries": -1}), "flow.n 1.errorHandling.maxRetries", "", "-1"),
    (node(errorHandling={"maxRetries": 1.5}), "flow.n 1.errorHandling.maxRetries", "", "1.5"),
    (node(errorHandling={"maxRetries": None}), "flow.n 1.errorHandling.maxRetries", "", "null"),
    (node(errorHandling={"onError": "ignore"}), "flow.n 1.errorHandling.onError", "", "'ignore' is no way"),
    ({"n 1": []}, "flow.n 1", "", "a list"),
]


@pytest.mark.parametrize(("value", "where", "port", "says"), REFUSED)
def test_a_problem_names_node_port_field_and_fix(value: Json, where: str, port: str, says: str) -> None:
    (problem,) = problems_of(value)

    assert problem.where == where
    assert (problem.node, problem.port) == ("n 1", port)
    assert problem.field == where.removeprefix("flow.n 1").removeprefix(".")
    assert says in problem.message
    assert problem.fix


@pytest.mark.parametrize("node_id", ["", "a.b", "a/b", "a\nb", "é", "__proto__", "x" * 257])
def test_ids_are_word_characters_blanks_and_hyphens(node_id: str) -> None:
    (problem,) = problems_of({node_id: {"type": "a.b.c.D"}})

    assert "id of a node" in problem.message


def test_all_problems_are_named_at_once() -> None:
    found = problems_of({"a": {"x": "1", "type": 1}, "b": {"type": "a.b.c.D", "more": 1}, "c": None})

    assert [problem.where for problem in found] == ["flow.a.type", "flow.a.x", "flow.b.more", "flow.c"]


@pytest.mark.parametrize("value", [None, 1, "x", [], True])
def test_a_flow_is_an_object(value: Json) -> None:
    assert "A flow is an object" in problems_of(value)[0].message


def test_sizes_have_limits() -> None:
    limits = Limits(size_bytes=200, nodes=3, depth=8)
    deep: Json = 1
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(TooLarge, match="3 are allowed"):
        parse_descriptor({str(each): {"type": "a.b.c.D"} for each in range(4)}, limits)
    with pytest.raises(TooLarge, match="200 are allowed"):
        parse_descriptor(node(label="é" * 100), limits)
    with pytest.raises(ValidationFailed, match="deeper than 8 levels"):
        parse_descriptor(node(config={"properties": {"deep": deep}}), limits)
    with pytest.raises(ValidationFailed, match="JSON cannot hold"):
        parse_descriptor(node(x=float("nan")))


@pytest.mark.parametrize(
    ("given_type", "canonical"),
    [
        ("appmixer.utils.http.Get", "headrace.utils.http.Get"),
        ("headrace.utils.http.Get", "headrace.utils.http.Get"),
        ("appmixer.google.gmail.SendEmail", "appmixer.google.gmail.SendEmail"),
        ("other.utils.http.Get", "other.utils.http.Get"),
    ],
)
def test_utils_of_both_vendors_are_one(given_type: str, canonical: str) -> None:
    assert normalize_type(given_type) == canonical
    assert normalize_type(canonical) == canonical
    assert {given_type, canonical} <= set(spellings(given_type)) == set(spellings(canonical))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)
NODES = st.fixed_dictionaries(
    {"type": st.just("a.b.c.D") | JSON},
    optional=dict.fromkeys(("label", "source", "x", "version", "manifest", "config", "errorHandling"), JSON),
)


@given(JSON | st.dictionaries(st.sampled_from(["a", "b 1", "c.c"]), NODES | JSON, max_size=3))
def test_anything_is_either_refused_in_words_or_kept_whole(value: object) -> None:
    given_value = cast("Json", value)  # the strategy makes JSON only
    try:
        flow = parse_descriptor(copy.deepcopy(given_value))
    except ValidationFailed as refused:
        assert all(problem.where and problem.message for problem in refused.problems)
    else:
        assert flow.to_json() == given_value
