"""What two people did to one flow comes together, and nothing that one of them did alone is lost."""

from typing import Any

from headrace_core.flow import Flow, parse_descriptor
from headrace_core.graph import Link, links_of
from headrace_core.merging import merged
from hypothesis import given, settings

from .test_differences import FLOWS, meaning


def merge(base: Flow, ours: Flow, theirs: Flow) -> Flow:
    return parse_descriptor(merged(base, ours, theirs))


@settings(max_examples=300, deadline=None)
@given(FLOWS, FLOWS)
def test_who_changed_something_alone_gets_exactly_that(base: Flow, changed: Flow) -> None:
    assert meaning(merge(base, changed, base)) == meaning(changed)
    assert meaning(merge(base, base, changed)) == meaning(changed)
    assert meaning(merge(base, changed, changed)) == meaning(changed)


@settings(max_examples=200, deadline=None)
@given(FLOWS, FLOWS, FLOWS)
def test_merging_again_changes_nothing(base: Flow, ours: Flow, theirs: Flow) -> None:
    once = merge(base, ours, theirs)

    assert meaning(merge(theirs, once, theirs)) == meaning(once)


@settings(max_examples=200, deadline=None)
@given(FLOWS, FLOWS, FLOWS)
def test_what_is_merged_is_a_flow_of_nodes_that_one_of_the_two_has(base: Flow, ours: Flow, theirs: Flow) -> None:
    once = merge(base, ours, theirs)

    assert once.nodes.keys() <= ours.nodes.keys() | theirs.nodes.keys()
    assert set(links_of(once)) <= set(links_of(ours)) | set(links_of(theirs))


def flow(**nodes: dict[str, Any]) -> Flow:
    return parse_descriptor({name: {"type": "a.b.c.D", **node} for name, node in nodes.items()})


def test_what_people_filled_in_stays_when_the_template_grows() -> None:
    base = flow(a={"config": {"properties": {"to": "", "limit": 1}}})
    ours = flow(a={"config": {"properties": {"to": "ann@example.com", "limit": 1}}, "label": "mine"})
    theirs = flow(a={"config": {"properties": {"to": "nobody", "limit": 5}}}, b={"source": {"in": {"a": ["out"]}}})

    found = merge(base, ours, theirs)

    assert found.nodes["a"].config.properties == {"to": "ann@example.com", "limit": 5}
    assert found.nodes["a"].label == "mine"
    assert list(links_of(found)) == [Link("a", "out", "b", "in")]


def test_a_change_of_what_is_gone_is_dropped_with_its_links() -> None:
    base = flow(a={}, b={"source": {"in": {"a": ["out"]}}}, c={})
    ours = flow(a={"label": "mine"}, b={"source": {"in": {"a": ["out"]}}}, c={"source": {"in": {"a": ["out"]}}})
    theirs = flow(b={}, c={})

    found = merge(base, ours, theirs)

    assert list(found.nodes) == ["b", "c"] and list(links_of(found)) == []
