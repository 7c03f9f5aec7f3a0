"""A difference says all that lies between two flows, and nothing else."""

import copy
import json
from typing import Any

from headrace_core import Json
from headrace_core.differences import ABSENT, Difference, FieldChange, difference
from headrace_core.flow import Flow, parse_descriptor
from headrace_core.graph import Link, links_of
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c c", "d-1"])
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.sampled_from([None, True, 1, 1.0, 0, False, "", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["k", "l.m", ""]), inner, max_size=2),
    max_leaves=5,
)
NODES = st.fixed_dictionaries(
    {"type": st.sampled_from(["a.b.c.D", "a.b.c.E"])},
    optional={
        "label": st.sampled_from(["", "one", "two"]),
        "x": st.sampled_from([0, 1, 1.0, 2.5]),
        "y": st.integers(0, 1),
        "source": st.dictionaries(
            st.sampled_from(["in", "other"]),
            st.dictionaries(NAMES, st.sampled_from(["out", ["out"], ["out", "no"], []]), max_size=2),
            max_size=2,
        ),
        "config": st.fixed_dictionaries(
            {}, optional={"properties": st.dictionaries(st.sampled_from(["p", "q"]), VALUES, max_size=2)}
        ),
        "manifest": VALUES,
    },
)
FLOWS = st.dictionaries(NAMES, NODES, max_size=4).map(parse_descriptor)


def applied(flow: Flow, found: Difference) -> Flow:
    """The flow with everything done that the difference says."""
    nodes: dict[str, Any] = copy.deepcopy(flow.to_json())
    for node in found.removed:
        del nodes[node.id]
    for node in found.added:
        nodes[node.id] = {**node.raw, "source": {}}
    for change in found.changed:
        for field in change.fields:
            apply(nodes[change.node.id], field)
    for move in found.moved:
        nodes[move.node.id] |= {"x": move.after[0], "y": move.after[1]}
    kept = [link for link in links_of(flow) if link not in found.links_removed and link.target in nodes]
    for node in nodes.values():
        node["source"] = {}
    for link in (*kept, *found.links_added):
        nodes[link.target]["source"].setdefault(link.in_port, {}).setdefault(link.source, []).append(link.out_port)
    return parse_descriptor(nodes)


def apply(place: dict[str, Any], field: FieldChange) -> None:
    *path, last = field.path
    for key in path:
        place = place[key]
    if field.after is ABSENT:
        del place[last]
    else:
        place[last] = field.after


def meaning(flow: Flow) -> Any:
    """What a flow says, however it is spelt."""
    content = {
        node.id: {key: value for key, value in node.raw.items() if key not in ("source", "x", "y")}
        for node in flow.nodes.values()
    }
    places = {node.id: (float(node.x), float(node.y)) for node in flow.nodes.values()}
    return json.dumps(content, sort_keys=True), places, set(links_of(flow))


@settings(max_examples=300, deadline=None)
@given(FLOWS, FLOWS)
def test_a_difference_turns_the_one_flow_into_the_other(before: Flow, after: Flow) -> None:
    assert meaning(applied(before, difference(before, after))) == meaning(after)


@settings(max_examples=200, deadline=None)
@given(FLOWS, FLOWS)
def test_there_is_no_difference_exactly_between_flows_that_say_the_same(before: Flow, after: Flow) -> None:
    assert difference(before, before).is_empty
    assert difference(before, after).is_empty == (meaning(before) == meaning(after))


@settings(max_examples=200, deadline=None)
@given(FLOWS, FLOWS)
def test_the_way_back_is_the_same_difference_read_backwards(before: Flow, after: Flow) -> None:
    there, back = difference(before, after), difference(after, before)

    assert {node.id for node in there.added} == {node.id for node in back.removed}
    assert (set(there.links_added), set(there.links_removed)) == (set(back.links_removed), set(back.links_added))
    assert {(move.node.id, move.before, move.after) for move in there.moved} == {
        (move.node.id, move.after, move.before) for move in back.moved
    }
    fields = [
        {(change.node.id, field.path) for change in each.changed for field in change.fields} for each in (there, back)
    ]
    assert fields[0] == fields[1]


def test_a_card_that_was_only_moved_is_told_apart_from_one_that_changed() -> None:
    before = parse_descriptor({"n": {"type": "a.b.c.D", "x": 1, "label": "old", "config": {"properties": {"p": 1}}}})
    moved = parse_descriptor({"n": {**before.nodes["n"].raw, "x": 5}})
    changed = parse_descriptor({"n": {"type": "a.b.c.D", "x": 1, "config": {"properties": {"p": 2, "q": None}}}})

    assert difference(before, moved).only_moves and not difference(before, moved).is_empty
    assert [(each.before, each.after) for each in difference(before, moved).moved] == [((1, 0), (5, 0))]
    assert difference(before, changed).changed[0].fields == (
        FieldChange(("label",), "old", ABSENT),
        FieldChange(("config", "properties", "p"), 1, 2),
        FieldChange(("config", "properties", "q"), ABSENT, None),
    )


def test_links_are_compared_one_by_one_whatever_their_spelling() -> None:
    def linked(ports: Json) -> Flow:
        return parse_descriptor({"a": {"type": "a.b.c.D"}, "b": {"type": "a.b.c.D", "source": {"in": {"a": ports}}}})

    found = difference(linked("out"), linked(["out", "error"]))

    assert difference(linked("out"), linked(["out"])).is_empty
    assert (found.links_added, found.links_removed) == ((Link("a", "error", "b", "in"),), ())
