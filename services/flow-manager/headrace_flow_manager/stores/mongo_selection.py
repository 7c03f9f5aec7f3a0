"""Lists out of MongoDB: it narrows by tenant and place, and the plain evaluator decides, as it does over any store.

What a user asks for never becomes a query of MongoDB's. Documents come in small batches, are judged in a thread, and
only what the order needs of them is kept until the page is cut.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from headrace_runtime.mongo import Document, Mongo

from headrace_flow_manager.query import Page, Record, Selection, at
from headrace_flow_manager.scope import EveryTenant, Tenants

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorCursor

    Cursor = AsyncIOMotorCursor[Document]

Key = TypeVar("Key")
Show = Callable[[Document], tuple[Key, Record] | None]
"""What a document is kept as, and its public form, which queries see; None for one that is not to be seen."""

_BATCH: Final = 64


def of_tenants(tenants: Tenants) -> Document:
    """A condition that keeps a read inside its tenants."""
    return {} if isinstance(tenants, EveryTenant) else {"tenant_id": {"$eq": tenants}}


async def page_of(mongo: Mongo, documents: "Cursor", selection: Selection, show: Show[Key]) -> Page[Key]:
    """The page that the selection cuts out of documents in their natural order."""
    kept: list[tuple[Key, Record]] = []
    async for batch in _batches(mongo, documents):
        kept += await asyncio.to_thread(_found, batch, selection, show)
    rest = Selection(replace(selection.query, conditions=(), pattern=""))
    return await asyncio.to_thread(rest.page, kept)


async def count_of(mongo: Mongo, documents: "Cursor", selection: Selection, show: Show[Key]) -> int:
    """How many of the documents the selection finds."""
    total = 0
    async for batch in _batches(mongo, documents):
        total += len(await asyncio.to_thread(_found, batch, selection, show))
    return total


async def _batches(mongo: Mongo, documents: "Cursor") -> AsyncIterator[Sequence[Document]]:
    """Each batch has its own deadline: how long a list takes in all is up to the caller's."""
    while True:
        async with mongo.asking():
            batch = await documents.to_list(_BATCH)
        if not batch:
            return
        yield batch


def _found(batch: Iterable[Document], selection: Selection, show: Show[Key]) -> list[tuple[Key, Record]]:
    shown = map(show, batch)
    seen = (each for each in shown if each is not None)
    return [(key, _needed(record, selection)) for key, record in seen if selection.holds(record)]


def _needed(record: Record, selection: Selection) -> Record:
    """What the order looks at: for each field the first value, since the others never count."""
    fields = (each.field for each in selection.query.sort)
    return {field: value for field in fields for value in islice(at(record, field), 1)}
