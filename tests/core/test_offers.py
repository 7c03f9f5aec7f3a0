"""The designer offers what a component declares and what it was seen to send, each under the name that finds it."""

from datetime import UTC, datetime
from typing import Any

from headrace_core import Json
from headrace_core.differences import ABSENT
from headrace_core.expressions import compile_transform
from headrace_core.expressions.environment import MISSING, Environment, FlowValues, Limits
from headrace_core.flow import Node, parse_descriptor
from headrace_core.manifest import Manifest, parse_manifest
from headrace_core.offers import Offer, offers_of
from hypothesis import given, settings
from hypothesis import strategies as st


def node(**fields: Json) -> Node:
    return parse_descriptor({"n": {"type": "a.b.c.D", **fields}}).nodes["n"]


def manifest(*ports: Json) -> Manifest:
    return parse_manifest({"name": "a.b.c.D", "outPorts": list(ports)})


def test_options_are_offered_under_their_labels_with_what_they_held_last() -> None:
    declared = manifest(
        {"name": "out", "options": [{"label": "Mail", "value": "from.mail", "schema": {"type": "string"}}]}
    )

    (offer,) = offers_of(node(), declared, {"out": {"from": {"mail": "ann@example.com"}}})[:1]

    assert offer == Offer("n", "out", "from.mail", "Mail", {"type": "string"}, "ann@example.com")
    assert offer.variable == "{{{$.n.out.from.mail}}}"


def test_without_options_the_schema_says_what_is_there() -> None:
    inner: Json = {"type": "object", "properties": {"id": {"type": "number"}, "a.b": {}}}
    declared = manifest({"name": "out", "schema": {"properties": {"user": {"title": "User", **inner}}}})

    found = offers_of(node(), declared, {})

    assert [(each.path, each.label, each.sample) for each in found] == [
        ("user", "User", ABSENT),
        ("user.id", "user.id", ABSENT),
    ]


def test_what_no_manifest_declares_is_offered_as_it_was_seen() -> None:
    source: Json = {"url": "/component/a/b/c/D?outPort=out", "data": {}}

    found = offers_of(node(), manifest({"name": "out", "source": source}), {"out": {"a": {"b": 1}}, "other": [1]})

    assert [(each.port, each.path, each.sample, each.is_declared) for each in found] == [
        ("out", "a", {"b": 1}, False),
        ("out", "a.b", 1, False),
        ("other", "", [1], True),
    ]


def test_a_port_that_nothing_is_known_of_offers_its_content_as_a_whole() -> None:
    assert [each.variable for each in offers_of(node(), manifest("yes", "no"), {})] == ["{{{$.n.yes}}}", "{{{$.n.no}}}"]


def test_a_node_with_an_error_port_offers_its_error() -> None:
    found = offers_of(node(errorHandling={"onError": "errorPort"}), manifest(), {})

    assert [each.path for each in found] == ["error.message", "error.code", "error.name", "input"]


def test_samples_are_short() -> None:
    found = offers_of(node(), manifest("out"), {"out": {"text": "x" * 1000, "list": ["x" * 1000], "none": None}})

    assert [each.sample for each in found] == ["x" * 500 + "…", ABSENT, None]


FIELDS = st.text("ab c-_é", min_size=1, max_size=4).filter(lambda name: name == name.strip())
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("xy", max_size=3),
    lambda inner: st.dictionaries(FIELDS, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(FIELDS, CONTENT, min_size=1, max_size=3))
def test_every_variable_resolves_to_its_sample(content: Any) -> None:
    for offer in offers_of(node(), manifest("out"), {"out": content}):
        assert resolved(offer.variable, content) == offer.sample


class Outputs:
    """One content, at n.out."""

    def __init__(self, content: Any) -> None:
        self._content = content

    def lookup(self, node_id: str, port: str) -> Any:
        return self._content if (node_id, port) == ("n", "out") else MISSING


def resolved(variable: str, content: Any) -> Any:
    """What the engine puts into a field that holds just this variable, inserted as the designer does."""
    entry: Json = {
        "type": "json2new",
        "modifiers": {"field": {"v": {"variable": variable.strip("{}"), "functions": []}}},
        "lambda": {"field": "{{{v}}}"},
    }
    flow = FlowValues("f", "f", "t", "http://localhost", {})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    environment = Environment(Outputs(content), None, flow, now, b"seed", Limits(wall_seconds=5))
    rendered: Any = compile_transform(entry).apply(environment)
    return rendered["field"]
