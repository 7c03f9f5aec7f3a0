"""What others leave for a run, in the run's own document: so a commit that ends or parks the run cannot overlook it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from headrace_runtime.mongo import Document, Mongo
from pymongo import UpdateOne

from headrace_executor.model import Inbound, RunState
from headrace_executor.stores.mongo_documents import OPEN

Left = tuple[str, str | None, Inbound]
"""Run, tenant where it counts, and what is left for the run."""


async def leave(mongo: Mongo, left: Sequence[Left], now: float) -> int:
    """Leave these and make their runs due; each at most once while it waits. 0 when none of the runs is there."""
    if not left:
        return 0
    async with mongo.asking() as database:
        operations = [each for one in left for each in _operations(one, now)]
        return (await database["runs"].bulk_write(operations, ordered=True)).matched_count


def _operations(left: Left, now: float) -> Iterator[UpdateOne]:
    """Only a retry brings a run back that is over, so it needs a case for either; the first is asked twice, as the
    run may have come back between the cases. What is there already only makes the run due."""
    run_id, tenant_id, inbound = left
    known: Document = {"$elemMatch": {"kind": inbound.kind, "delivery_id": inbound.delivery_id}}
    run: Document = {"_id": run_id} if tenant_id is None else {"_id": run_id, "tenant_id": tenant_id}
    missing = {**run, "inbox": {"$not": known}}
    due = {"due": now, "suspended": False}
    push = {"inbox": _entry(inbound)}
    if inbound.kind == "retry":
        goes_on = UpdateOne({**missing, "state": {"$lt": OPEN}}, {"$set": due, "$push": push})
        comes_back = {**due, "state": int(RunState.WAITING)}
        yield goes_on
        yield UpdateOne({**missing, "state": {"$gte": OPEN}}, {"$set": comes_back, "$push": push})
        yield goes_on
    else:
        yield UpdateOne(missing, {"$set": due, "$push": push})
    yield UpdateOne({**run, "inbox": known}, {"$set": due})


def _entry(inbound: Inbound) -> Document:
    return {
        "number": secrets.randbits(62),
        "kind": inbound.kind,
        "delivery_id": inbound.delivery_id,
        "content": inbound.content,
    }
