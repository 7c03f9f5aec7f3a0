"""Lists that MongoDB answers itself: of queries that ask for equal texts and one order at most, both of plain fields.

Everything else is judged by the plain evaluator; see `mongo_selection`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace_runtime.mongo import Document
from pymongo import ASCENDING, DESCENDING

from headrace_flow_manager.query import ListQuery


@dataclass(frozen=True, slots=True)
class Plain:
    """What MongoDB is asked in place of a query."""

    where: Document
    order: list[tuple[str, int]]


def plain(
    query: ListQuery, equal: Mapping[str, str], orders: Mapping[str, str], natural: list[tuple[str, int]]
) -> Plain | None:
    """What stands for the query; None where only the evaluator can answer it.

    `equal` has the fields of documents that are always texts by their public name, `orders` those that are always
    there and of one kind. Of what is equal to a query's order the `natural` one decides, as in the evaluator.
    """
    asked = [
        (equal[each.field], each.value)
        for each in query.conditions
        if each.operator == "equal" and each.field in equal and isinstance(each.value, str)
    ]
    if query.pattern or len(query.sort) > 1 or len(asked) < len(query.conditions):
        return None
    if any(each.field not in orders for each in query.sort):
        return None
    order = [(orders[each.field], DESCENDING if each.descending else ASCENDING) for each in query.sort]
    named = {field for field, _ in order}
    return Plain(equals(asked), [*order, *(each for each in natural if each[0] not in named)])


def equals(asked: Sequence[tuple[str, str]]) -> Document:
    """Where fields have these texts. One that is asked for twice is in an `$and`: planners look at plain ones first."""
    first: dict[str, str] = {}
    for field, text in asked:
        first.setdefault(field, text)
    again = [{field: {"$eq": text}} for field, text in asked if first[field] != text]
    found: Document = {field: {"$eq": text} for field, text in first.items()}
    return {**found, "$and": again} if again else found


def within(where: Document, scope: Document) -> Document:
    """What both say. A query that names a field of the scope narrows it, and never takes its place."""
    again = {field: asked for field, asked in where.items() if field in scope}
    found: Document = {**where, **scope}
    return {**found, "$and": [*where.get("$and", ()), again]} if again else found
