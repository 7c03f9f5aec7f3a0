"""What an update of instances would do to one of them, told in the template's words: nobody's values are in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from headrace_core import Json
from headrace_core.differences import Difference, FieldChange, difference
from headrace_core.flow import Node, parse_descriptor

from headrace_flow_manager.flows.model import Stage


class Change(Enum):
    """What would become of a component."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class ComponentUpdate:
    """One component, by the template's id; `kept` are places where its owner's own value stays."""

    component_id: str
    type: str
    label: str
    change: Change
    fields: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceUpdate:
    """One instance; `error` says why the update would fail there.

    `needs_accounts` are services that its owner has to connect first: what runs goes on with its version till then.
    """

    flow_id: str
    stage: Stage
    template_version: int
    components: tuple[ComponentUpdate, ...] = ()
    links_added: int = 0
    links_removed: int = 0
    error: str = ""
    needs_accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sides:
    """The descriptors of an update, all under the instance's ids: the template's two versions, the instance's two."""

    base: Mapping[str, Json]
    new: Mapping[str, Json]
    before: Mapping[str, Json]
    after: Mapping[str, Json]


def components(sides: Sides, ids: Mapping[str, str]) -> tuple[ComponentUpdate, ...]:
    """Every component that would change, or would but for what its owner filled in. `ids` are by the template's."""
    names = {instance: template for template, instance in ids.items()}
    wanted, made = _between(sides.base, sides.new), _between(sides.before, sides.after)
    labels = {**parse_descriptor(dict(sides.base)).nodes, **parse_descriptor(dict(sides.new)).nodes}
    return tuple(
        ComponentUpdate(names[node.id], labels[node.id].type, labels[node.id].label, change, fields, kept)
        for node, change, fields, kept in _found(wanted, made)
        if node.id in names and node.id in labels
    )


def links(sides: Sides) -> tuple[int, int]:
    """How many links would come, and how many would go."""
    made = _between(sides.before, sides.after)
    return len(made.links_added), len(made.links_removed)


def _between(before: Mapping[str, Json], after: Mapping[str, Json]) -> Difference:
    return difference(parse_descriptor(dict(before)), parse_descriptor(dict(after)))


def _found(wanted: Difference, made: Difference) -> Iterator[tuple[Node, Change, tuple[str, ...], tuple[str, ...]]]:
    yield from ((node, Change.ADDED, (), ()) for node in made.added)
    yield from ((node, Change.REMOVED, (), ()) for node in made.removed)
    changed = {each.node.id: _paths(each.fields) for each in made.changed}
    asked = {each.node.id: _paths(each.fields) for each in wanted.changed}
    nodes = {each.node.id: each.node for each in (*wanted.changed, *made.changed)}
    gone = {node.id for node in (*made.added, *made.removed)}
    for node_id, node in nodes.items():
        fields = changed.get(node_id, ())
        kept = tuple(path for path in asked.get(node_id, ()) if path not in fields)
        if node_id not in gone:
            yield node, Change.CHANGED, fields, kept


def _paths(fields: Sequence[FieldChange]) -> tuple[str, ...]:
    return tuple("/".join(each.path) for each in fields)
