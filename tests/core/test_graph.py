"""The graph obeys the laws of graphs, checked against plain and slow answers."""

from itertools import permutations

import pytest
from headrace_core import Json
from headrace_core.flow import Flow, parse_descriptor
from headrace_core.graph import Graph, Link
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = "abcdefg"


def flow_of(*links: str) -> Flow:
    """A flow of links like "a>b" and "a.yes>b.count"; a bare name is a node without links."""
    sources: dict[str, dict[str, dict[str, list[Json]]]] = {}
    for link in links:
        source, arrow, target = link.partition(">")
        name, _, out_port = source.partition(".")
        sources.setdefault(name, {})
        if arrow:
            target_name, _, in_port = target.partition(".")
            ports = sources.setdefault(target_name, {}).setdefault(in_port or "in", {})
            ports.setdefault(name, []).append(out_port or "out")
    descriptor: dict[str, Json] = {
        node: {"type": "a.b.c.D", "source": {port: dict(each) for port, each in source.items()}}
        for node, source in sources.items()
    }
    return parse_descriptor(descriptor)


PAIRS = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))
FLOWS = st.lists(PAIRS, max_size=14, unique=True).map(lambda pairs: flow_of("a", *(f"{a}>{b}" for a, b in pairs)))


def simple_paths(graph: Graph, source: str, target: str, avoid: frozenset[str]) -> bool:
    """Whether target is reached from source without the avoided nodes."""
    seen, stack = set(avoid), [source]
    while stack:
        node = stack.pop()
        if node == target and node not in avoid:
            return True
        if node not in seen:
            seen.add(node)
            stack.extend(link.target for link in graph.out_links(node))
    return False


def reaches(graph: Graph, source: str, target: str) -> bool:
    return any(simple_paths(graph, link.target, target, frozenset()) for link in graph.out_links(source))


@given(FLOWS)
def test_paths_are_those_a_walk_finds(flow: Flow) -> None:
    graph = Graph(flow)
    expected = {(a, b) for a in graph.nodes for b in graph.nodes if reaches(graph, a, b)}

    assert graph.reachable_pairs() == expected
    assert {(a, b) for b in graph.nodes for a in graph.ancestors(b)} == expected
    assert all(graph.path_exists(a, b) == ((a, b) in expected) for a in graph.nodes for b in graph.nodes)


@given(FLOWS)
def test_feeders_come_first_unless_they_are_fed_back(flow: Flow) -> None:
    graph = Graph(flow)
    place = {node: index for index, node in enumerate(graph.order())}

    assert sorted(graph.order()) == sorted(graph.nodes)
    for link in graph.links:
        assert place[link.source] < place[link.target] or graph.path_exists(link.target, link.source)


@given(FLOWS)
def test_each_group_of_a_cycle_shows_one_real_cycle(flow: Flow) -> None:
    graph = Graph(flow)
    in_cycles = {node for node in graph.nodes if graph.path_exists(node, node)}

    assert {node for group in graph.cyclic_groups() for node in group} == in_cycles
    assert len(graph.cycles()) == len(graph.cyclic_groups())
    for cycle, group in zip(graph.cycles(), graph.cyclic_groups(), strict=True):
        assert set(cycle) <= set(group)
        assert len(set(cycle)) == len(cycle)
        for source, target in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert target in {link.target for link in graph.out_links(source)}


def _first_of_cycle(graph: Graph, node: str) -> str:
    return next(
        each
        for each in graph.nodes
        if each == node or (graph.path_exists(node, each) and graph.path_exists(each, node))
    )


@settings(max_examples=100)
@given(FLOWS)
def test_a_join_is_where_two_links_bring_what_one_origin_sent(flow: Flow) -> None:
    graph = Graph(flow)
    fed = {b for a, b in graph.reachable_pairs() if not graph.path_exists(b, a)}
    origins = [node for node in graph.nodes if node not in fed and node == _first_of_cycle(graph, node)]

    def is_join(node: str) -> bool:
        return any(
            simple_paths(graph, origin, one.source, frozenset({node}))
            and simple_paths(graph, origin, other.source, frozenset({node}))
            for one, other in permutations(graph.in_links(node), 2)
            for origin in origins
            if origin != node
        )

    assert set(graph.joins()) == {node for node in graph.nodes if is_join(node)}


@given(FLOWS)
def test_every_link_is_found_from_both_ends(flow: Flow) -> None:
    graph = Graph(flow)

    assert {link for node in graph.nodes for link in graph.in_links(node)} == set(graph.links)
    assert {link for node in graph.nodes for link in graph.out_links(node)} == set(graph.links)
    by_port = [
        link for node in graph.nodes for port in graph.out_ports_used(node) for link in graph.links_from(node, port)
    ]
    assert sorted(by_port, key=repr) == sorted(graph.links, key=repr)
    assert set(graph.roots) == {node for node in graph.nodes if not graph.in_links(node)}


def test_ports_are_told_apart() -> None:
    graph = Graph(flow_of("a.yes>b", "a.no>c", "a.no>b.count"))

    assert graph.links_from("a", "no") == (Link("a", "no", "b", "count"), Link("a", "no", "c", "in"))
    assert graph.links_from("a", "maybe") == graph.links_from("nobody", "out") == ()
    assert set(graph.out_ports_used("a")) == {"yes", "no"}


@pytest.mark.parametrize(
    ("links", "joins"),
    [
        (["t>a", "t>b", "a>j", "b>j"], ["j"]),
        (["t>j", "t.other>j"], ["j"]),
        (["t>j", "u>j"], []),
        (["t>h", "h>b", "b>h"], []),
        (["t>h", "h>a", "h>b", "a>j", "b>j", "j>h"], ["j"]),
        (["t>a", "a>a"], []),
    ],
)
def test_paths_meet_in_joins_and_not_in_loops(links: list[str], joins: list[str]) -> None:
    assert list(Graph(flow_of(*links)).joins()) == joins


def test_links_from_nowhere_are_kept_apart() -> None:
    graph = Graph(parse_descriptor({"a": {"type": "a.b.c.D", "source": {"in": {"gone": ["out"]}}}}))

    assert graph.dangling == (Link("gone", "out", "a", "in"),)
    assert graph.links == ()
    assert graph.roots == ("a",)


def test_two_thousand_nodes_in_a_row_need_no_deep_stack() -> None:
    graph = Graph(flow_of(*(f"n{i}>n{i + 1}" for i in range(1_900)), "n1900>n0"))

    assert len(graph.ancestors("n0")) == 1_901
    assert [len(cycle) for cycle in graph.cycles()] == [1_901]
    assert graph.joins() == ()
