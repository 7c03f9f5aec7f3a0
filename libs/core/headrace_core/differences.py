"""What lies between two descriptors: nodes, what is filled in, links, and apart from these the places on the canvas.

Two spellings of one flow (a link as a text or as a list, keys in another order, an empty `source` left out) have no
difference. A node whose type changed is one that changed, and keeps its id.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from headrace_core import Json
from headrace_core.flow import Flow, Node
from headrace_core.graph import Link, links_of

_ELSEWHERE = frozenset({"source", "x", "y"})
"""Keys of a node that are compared as links and as places."""


class Absent(Enum):
    """What a field holds that is not there: null is a value of its own."""

    ABSENT = "absent"


ABSENT: Literal[Absent.ABSENT] = Absent.ABSENT

Held = Json | Literal[Absent.ABSENT]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a node, named by the keys that lead to it. Lists are compared whole."""

    path: tuple[str, ...]
    before: Held
    after: Held


@dataclass(frozen=True, slots=True)
class NodeChange:
    """What changed in one node that both flows have; never empty."""

    node: Node
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A node that has another place on the canvas."""

    node: Node
    before: tuple[float, float]
    after: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """All that must happen to one flow for it to become another. Nodes are those of the flow that has them last."""

    added: tuple[Node, ...] = ()
    removed: tuple[Node, ...] = ()
    changed: tuple[NodeChange, ...] = ()
    links_added: tuple[Link, ...] = ()
    links_removed: tuple[Link, ...] = ()
    moved: tuple[Move, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether both are the same flow, to the place of every node."""
        return self == Difference()

    @property
    def only_moves(self) -> bool:
        """Whether both do the same: nothing but places differs, if anything."""
        return self == Difference(moved=self.moved)


def difference(before: Flow, after: Flow) -> Difference:
    """What must happen to `before` for it to become `after`, in the order of the flows."""
    both = [(node, after.nodes[node.id]) for node in before.nodes.values() if node.id in after.nodes]
    old_links, new_links = dict.fromkeys(links_of(before)), dict.fromkeys(links_of(after))
    changes = (NodeChange(new, tuple(_changes((), _content(old), _content(new)))) for old, new in both)
    return Difference(
        added=tuple(node for node in after.nodes.values() if node.id not in before.nodes),
        removed=tuple(node for node in before.nodes.values() if node.id not in after.nodes),
        changed=tuple(change for change in changes if change.fields),
        links_added=tuple(link for link in new_links if link not in old_links),
        links_removed=tuple(link for link in old_links if link not in new_links),
        moved=tuple(Move(new, (old.x, old.y), (new.x, new.y)) for old, new in both if (old.x, old.y) != (new.x, new.y)),
    )


def _content(node: Node) -> dict[str, Json]:
    return {key: value for key, value in node.raw.items() if key not in _ELSEWHERE}


def _changes(path: tuple[str, ...], before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[FieldChange]:
    for key in dict.fromkeys((*before, *after)):
        here, old, new = (*path, key), before.get(key, ABSENT), after.get(key, ABSENT)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(here, old, new)
        elif not _is_same(old, new):
            yield FieldChange(here, old, new)


def _is_same(one: Held, other: Held) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values."""
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
