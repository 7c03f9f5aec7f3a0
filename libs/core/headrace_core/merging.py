"""Two people changed one flow: the changes of both in one, as far as they fit together."""

import copy

from headrace_core import Json
from headrace_core.differences import ABSENT, Difference, FieldChange, difference
from headrace_core.flow import Flow
from headrace_core.graph import Link, links_of


def merged(base: Flow, ours: Flow, theirs: Flow) -> dict[str, Json]:
    """The descriptor of `theirs` with all done to it that turned `base` into `ours`.

    Where both changed one field, ours holds; a change of something that theirs has no more is dropped, and so is a
    link that would come from a node or lead to one that is gone. What only one side changed is as that side has it.
    """
    mine = difference(base, ours)
    nodes = {node_id: copy.deepcopy(dict(node.raw)) for node_id, node in theirs.nodes.items()}
    for node in mine.removed:
        nodes.pop(node.id, None)
    nodes |= {node.id: copy.deepcopy(dict(node.raw)) for node in mine.added}
    for change in mine.changed:
        for field in change.fields:
            if change.node.id in nodes:
                _set(nodes[change.node.id], field)
    for move in mine.moved:
        if move.node.id in nodes:
            nodes[move.node.id] |= {"x": move.after[0], "y": move.after[1]}
    _link(nodes, _links(base, theirs, mine))
    return dict(nodes)


def _set(place: dict[str, Json], field: FieldChange) -> None:
    *path, last = field.path
    for key in path:
        inner = place.get(key)
        if not isinstance(inner, dict):
            return  # theirs has no such place any more
        place = inner
    if field.after is ABSENT:
        place.pop(last, None)
    else:
        place[last] = copy.deepcopy(field.after)


def _links(base: Flow, theirs: Flow, mine: Difference) -> list[Link]:
    """Theirs without those that ours took away, and those that ours added, as far as both ends are there."""
    gone = {node.id for node in mine.removed}
    known, taken = {*links_of(base), *mine.links_added}, set(mine.links_removed)
    kept = [link for link in links_of(theirs) if link not in taken and (link in known or link.source not in gone)]
    lost = base.nodes.keys() - theirs.nodes.keys() - gone
    new = [link for link in mine.links_added if link not in kept and link.source not in lost]
    return kept + new


def _link(nodes: dict[str, dict[str, Json]], links: list[Link]) -> None:
    for node in nodes.values():
        node["source"] = {}
    for link in links:
        if link.target in nodes:
            _ports(nodes[link.target], link).append(link.out_port)


def _ports(node: dict[str, Json], link: Link) -> list[Json]:
    """The list of out-ports that the link belongs into."""
    place = node["source"]
    for key, nothing in ((link.in_port, dict[str, Json]()), (link.source, list[Json]())):
        assert isinstance(place, dict)
        place = place.setdefault(key, nothing)
    assert isinstance(place, list)
    return place
