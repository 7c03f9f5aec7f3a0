"""Which deliveries a joining node waits for, and when it fires. Pure rules over a flow's graph.

A joining node collects the deliveries of one lineage group: those that descend from the same step of its *fork*, the
last node that every path from the trigger to the join passes. A group fires when its pattern is met, or when nothing
that descends from that step can reach the join any more. So a join cannot hang.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headrace_core.graph import Graph

from headrace_executor.model import Delivery, Message

Pattern = Mapping[str, str]  # in-port → 1 (one message), A (one of every link), 0 (none), * (any)


@dataclass(frozen=True, slots=True)
class Join:
    """One joining node as seen from one trigger."""

    node: str
    fork: str
    links: frozenset[tuple[str, str, str]]  # (source, out-port, in-port)
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class JoinRules:
    """All joins of a flow as seen from one trigger."""

    joins: Mapping[str, Join] = field(default_factory=dict)
    downstream: Mapping[str, tuple[Join, ...]] = field(default_factory=dict)  # node → joins it can reach

    def group_of(self, join: Join, message: Message) -> str | None:
        """The lineage group of a message at a join: the step of the fork it descends from. None before the fork."""
        for ancestor in message.ancestors():
            if ancestor.node == join.fork:
                return ancestor.step
        return None


def rules_for(graph: Graph, trigger: str, joins: Mapping[str, Sequence[Pattern]]) -> JoinRules:
    """Work out forks and reach for every joining node that `trigger` can reach. `joins` gives each its patterns."""
    if not joins:
        return JoinRules()
    reachable = graph.descendants(trigger) | {trigger}
    dominators = _dominators(graph, trigger, reachable)
    found = {
        node: Join(
            node,
            fork=_last_dominator(graph, trigger, node, dominators),
            links=frozenset((link.source, link.out_port, link.in_port) for link in graph.in_links(node)),
            patterns=tuple(patterns),
        )
        for node, patterns in joins.items()
        if node in reachable and node != trigger
    }
    downstream = {
        node: tuple(join for join in found.values() if join.node != node and graph.path_exists(node, join.node))
        for node in reachable
    }
    return JoinRules(found, {node: below for node, below in downstream.items() if below})


def is_met(join: Join, held: Sequence[Delivery]) -> bool:
    """Whether what is held fits one of the join's patterns."""
    arrived = {(delivery.source, delivery.message.port, delivery.port) for delivery in held}
    ports = {port for _, _, port in arrived}
    return any(
        all(_port_fits(join, port, symbol, arrived, ports) for port, symbol in pattern.items())
        for pattern in join.patterns
    )


def _port_fits(join: Join, port: str, symbol: str, arrived: set[tuple[str, str, str]], ports: set[str]) -> bool:
    if symbol == "1":
        return port in ports
    if symbol == "0":
        return port not in ports
    if symbol == "A":
        return all(link in arrived for link in join.links if link[2] == port)
    return True


def _dominators(graph: Graph, trigger: str, reachable: frozenset[str]) -> dict[str, frozenset[str]]:
    """For each node the nodes that every path from the trigger passes, itself included."""
    order = [node for node in graph.order() if node in reachable]
    everything = frozenset(order)
    dominators = dict.fromkeys(order, everything)
    dominators[trigger] = frozenset({trigger})
    changed = True
    while changed:
        changed = False
        for node in order:
            if node == trigger:
                continue
            above = [dominators[link.source] for link in graph.in_links(node) if link.source in reachable]
            passed = frozenset.intersection(*above) | {node} if above else frozenset({node})
            if passed != dominators[node]:
                dominators[node] = passed
                changed = True
    return dominators


def _last_dominator(graph: Graph, trigger: str, node: str, dominators: Mapping[str, frozenset[str]]) -> str:
    """The dominator of the join that all its other dominators dominate."""
    strict = dominators[node] - {node}
    return max(strict, key=lambda candidate: len(dominators[candidate]), default=trigger)
