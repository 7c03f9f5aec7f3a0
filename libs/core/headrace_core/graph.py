"""The graph that a flow's links make. Computed once per flow, without recursion; lookups on the hot path are dicts."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from headrace_core.flow import Flow

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Link:
    """From an out-port of one node to an in-port of another, or of itself."""

    source: str
    out_port: str
    target: str
    in_port: str


class Graph:
    """Who feeds whom. Links from nodes that are not in the flow are kept apart, in `dangling`."""

    def __init__(self, flow: Flow) -> None:
        self.nodes: tuple[str, ...] = tuple(flow.nodes)
        every = tuple(links_of(flow))
        self.links: tuple[Link, ...] = tuple(link for link in every if link.source in flow.nodes)
        self.dangling: tuple[Link, ...] = tuple(link for link in every if link.source not in flow.nodes)
        self._from_port = _grouped(((link.source, link.out_port), link) for link in self.links)
        self._from_node = _grouped((link.source, link) for link in self.links)
        self._into_node = _grouped((link.target, link) for link in self.links)
        self.roots: tuple[str, ...] = tuple(node for node in self.nodes if node not in self._into_node)

    def links_from(self, node: str, out_port: str) -> tuple[Link, ...]:
        """Where a message of this out-port goes, in the order of the flow; () for ports and nodes nobody links."""
        return self._from_port.get((node, out_port), ())

    def out_links(self, node: str) -> tuple[Link, ...]:
        """Every link that leaves the node."""
        return self._from_node.get(node, ())

    def in_links(self, node: str) -> tuple[Link, ...]:
        """Every link that enters the node."""
        return self._into_node.get(node, ())

    def out_ports_used(self, node: str) -> tuple[str, ...]:
        """The out-ports of the node that somebody listens to."""
        return tuple(dict.fromkeys(link.out_port for link in self.out_links(node)))

    def ancestors(self, node: str) -> frozenset[str]:
        """Every node a message may have passed before it reaches this one. Holds the node itself in a cycle."""
        return self._named(self._before.get(node, 0))

    def descendants(self, node: str) -> frozenset[str]:
        """Every node that a message of this one may reach. Holds the node itself when it is part of a cycle."""
        return self._named(self._after.get(node, 0))

    def path_exists(self, source: str, target: str) -> bool:
        """Whether a message that leaves `source` can reach `target`. A node reaches itself by a cycle only."""
        return bool(self._after.get(source, 0) & self._bits.get(target, 0))

    def reachable_pairs(self) -> frozenset[tuple[str, str]]:
        """All (source, target) for which `path_exists`."""
        return frozenset((node, below) for node in self.nodes for below in self.descendants(node))

    def order(self) -> tuple[str, ...]:
        """All nodes, each after everything that feeds it; the members of a cycle stand side by side."""
        return tuple(node for group in self._groups for node in group)

    def cyclic_groups(self) -> tuple[tuple[str, ...], ...]:
        """The groups of nodes that feed each other, or themselves."""
        return tuple(group for group in self._groups if self.path_exists(group[0], group[0]))

    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """One cycle for each group of nodes that feed each other: a shortest one through the group's first node.

        Listing every cycle could take longer than the flow lives; breaking these and asking again finds the rest.
        """
        return tuple(self._shortest_cycle(group[0]) for group in self.cyclic_groups())

    def joins(self) -> tuple[str, ...]:
        """The nodes where several paths from one trigger meet: two links bring messages of one run from its root.

        The way back of a loop does not count: it is no second path, as it passes the node itself.
        """
        return tuple(node for node in self.nodes if len(self.in_links(node)) > 1 and self._paths_meet(node))

    @cached_property
    def _bits(self) -> Mapping[str, int]:
        return {node: 1 << position for position, node in enumerate(self.nodes)}

    def _named(self, bits: int) -> frozenset[str]:
        found: list[str] = []
        while bits:
            lowest = bits & -bits
            found.append(self.nodes[lowest.bit_length() - 1])
            bits ^= lowest
        return frozenset(found)

    @cached_property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """Strongly connected groups, feeders first, members in the order of the flow (Kosaraju's algorithm)."""
        groups: list[tuple[str, ...]] = []
        grouped: set[str] = set()
        for start in reversed(_finish_order(reversed(self.nodes), self._targets)):
            if start in grouped:
                continue
            grouped.add(start)
            group = [start]
            for member in group:
                above = [source for source in self._sources(member) if source not in grouped]
                grouped.update(above)
                group.extend(above)
            groups.append(tuple(sorted(group, key=self._bits.__getitem__)))
        return tuple(groups)

    @cached_property
    def _after(self) -> Mapping[str, int]:
        return self._closure(reversed(self._groups), {node: self._targets(node) for node in self.nodes})

    @cached_property
    def _before(self) -> Mapping[str, int]:
        return self._closure(self._groups, {node: self._sources(node) for node in self.nodes})

    def _closure(
        self, groups: Iterable[tuple[str, ...]], neighbours: Mapping[str, tuple[str, ...]]
    ) -> Mapping[str, int]:
        """For each node the bits of all it reaches; every group comes after the groups it reaches."""
        reached: dict[str, int] = {}
        for group in groups:
            bits = 0
            for node in group:
                for neighbour in neighbours[node]:
                    bits |= self._bits[neighbour] | reached.get(neighbour, 0)
            reached.update(dict.fromkeys(group, bits))
        return reached

    def _targets(self, node: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(link.target for link in self.out_links(node)))

    def _sources(self, node: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(link.source for link in self.in_links(node)))

    def _shortest_cycle(self, start: str) -> tuple[str, ...]:
        came_from: dict[str, str] = {}
        level = [start]
        while start not in came_from:
            deeper = []
            for node in level:
                for target in self._targets(node):
                    if target not in came_from:
                        came_from[target] = node
                        deeper.append(target)
            level = deeper
        path = [came_from[start]]
        while path[-1] != start:
            path.append(came_from[path[-1]])
        return tuple(reversed(path))

    @cached_property
    def _origins(self) -> int:
        """Where runs begin: the roots, and the first node of each cycle that nothing feeds."""
        bits = 0
        for group in self._groups:
            members = sum(self._bits[node] for node in group)
            if not self._before[group[0]] & ~members:
                bits |= self._bits[group[0]]
        return bits

    def _paths_meet(self, node: str) -> bool:
        seen = 0
        for link in self.in_links(node):
            feeding = self._feeding(link.source, node) & self._origins
            if feeding & seen:
                return True
            seen |= feeding
        return False

    def _feeding(self, source: str, avoided: str) -> int:
        """The nodes from which `source` is reached without passing `avoided`, itself included."""
        if source == avoided:
            return 0
        if not self.path_exists(avoided, source):
            return self._before[source] | self._bits[source]
        found, stack = self._bits[source], [source]
        while stack:
            for above in self._sources(stack.pop()):
                if above != avoided and not found & self._bits[above]:
                    found |= self._bits[above]
                    stack.append(above)
        return found


def links_of(flow: Flow) -> Iterable[Link]:
    """Every link in the order of the flow, those from nodes that are not there too."""
    for target, node in flow.nodes.items():
        for in_port, sources in node.source.items():
            for source, out_ports in sources.items():
                for out_port in out_ports:
                    yield Link(source, out_port, target, in_port)


def _grouped(pairs: Iterable[tuple[Key, Link]]) -> Mapping[Key, tuple[Link, ...]]:
    groups: dict[Key, list[Link]] = {}
    for key, link in pairs:
        groups.setdefault(key, []).append(link)
    return {key: tuple(links) for key, links in groups.items()}


def _finish_order(nodes: Iterable[str], targets: Callable[[str], tuple[str, ...]]) -> list[str]:
    """The nodes in the order in which a walk in depth is done with them."""
    finished: list[str] = []
    seen: set[str] = set()
    for start in nodes:
        if start in seen:
            continue
        seen.add(start)
        path = [(start, iter(targets(start)))]
        while path:
            node, rest = path[-1]
            target = next((each for each in rest if each not in seen), None)
            if target is None:
                finished.append(node)
                path.pop()
            else:
                seen.add(target)
                path.append((target, iter(targets(target))))
    return finished
