"""A parsed JSONPath, and what its steps find in data."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from headrace_core import Json
from headrace_core.expressions.environment import Evaluation, Missing, Value
from headrace_core.expressions.values import member_at

Pick: TypeAlias = Callable[[Json, Json, Evaluation], Iterable[Json]]
"""What one pick finds in a node; the second value is the root."""
Term: TypeAlias = Callable[[Json, Json, Evaluation], Value]
"""What a part of a condition is for a node and the root."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path. A deep one looks in the node and everything below it."""

    picks: tuple[Pick, ...]
    is_deep: bool
    is_single: bool


@dataclass(frozen=True, slots=True)
class CompiledPath:
    """A path ready to be walked."""

    steps: tuple[Step, ...]

    @property
    def is_single(self) -> bool:
        return all(step.is_single for step in self.steps)

    def nodes(self, start: Json, root: Json, ev: Evaluation) -> list[Json]:
        """All places that the path finds, in the order of the document."""
        found = [start]
        for step in self.steps:
            found = _taken(step, found, root, ev)
        return found


def _taken(step: Step, nodes: Sequence[Json], root: Json, ev: Evaluation) -> list[Json]:
    made: list[Json] = []
    for node in nodes:
        for each in _descendants(node, ev) if step.is_deep else (node,):
            for pick in step.picks:
                for member in pick(each, root, ev):
                    ev.spend()
                    made.append(member)
            ev.claim_list(len(made))
    return made


def _descendants(node: Json, ev: Evaluation) -> Iterator[Json]:
    """The node and everything below it, each before what is in it."""
    waiting: list[Json] = [node]
    while waiting:
        ev.spend()
        current = waiting.pop()
        yield current
        if isinstance(current, (dict, list)):
            waiting.extend(reversed(_members(current)))


def _members(node: Json) -> list[Json]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def named(name: str) -> Pick:
    def pick(node: Json, root: Json, ev: Evaluation) -> Iterable[Json]:
        found = member_at(node, name)
        return () if isinstance(found, Missing) else (found,)

    return pick


def anything(node: Json, root: Json, ev: Evaluation) -> Iterable[Json]:
    return _members(node)


def indexed(index: int) -> Pick:
    def pick(node: Json, root: Json, ev: Evaluation) -> Iterable[Json]:
        if isinstance(node, list) and -len(node) <= index < len(node):
            return (node[index],)
        if isinstance(node, dict) and str(index) in node:
            return (node[str(index)],)
        return ()

    return pick


def sliced(start: int | None, end: int | None, by: int | None) -> Pick:
    window = slice(start, end, by)
    return lambda node, root, ev: node[window] if isinstance(node, list) and by != 0 else ()


def filtered(condition: Term) -> Pick:
    def pick(node: Json, root: Json, ev: Evaluation) -> Iterable[Json]:
        for member in _members(node):
            ev.spend()
            if holds(condition(member, root, ev)):
                yield member

    return pick


def holds(value: Value) -> bool:
    """A condition that is only a path holds when there is something, whatever it is."""
    return not isinstance(value, Missing) and value is not False
