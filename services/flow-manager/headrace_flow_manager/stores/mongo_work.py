"""Work at templates and their instances in MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel

from headrace_flow_manager import times
from headrace_flow_manager.flows.work import Order, Work, WorkState
from headrace_flow_manager.stores.mongo_writing import delete_all
from headrace_flow_manager.stores.values import micros

WORK: Final = "flow_work"

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    WORK: [IndexModel([("state", ASCENDING), ("updated_at", ASCENDING), ("_id", ASCENDING)])],
}


class MongoWorkStore:
    """The WorkStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def add(self, work: Work) -> None:
        await self.save(work)

    async def get(self, tenant: str, ticket: str) -> Work:
        async with self._mongo.asking() as database:
            kept = await database[WORK].find_one({"_id": ticket, "tenant_id": tenant})
        if kept is None:
            raise NotFound("ticket", ticket)
        return _work(kept)

    async def save(self, work: Work) -> None:
        async with self._mongo.asking() as database:
            await database[WORK].replace_one({"_id": work.ticket}, _document(work), upsert=True)

    async def unfinished(self, limit: int) -> Sequence[Work]:
        async with self._mongo.asking() as database:
            order = [("state", ASCENDING), ("updated_at", ASCENDING), ("_id", ASCENDING)]
            cursor = database[WORK].find({"state": str(WorkState.IN_PROGRESS)}).sort(order).limit(limit)
            return [_work(kept) async for kept in cursor]

    async def prune(self, before: datetime) -> None:
        ended = [str(state) for state in WorkState if state is not WorkState.IN_PROGRESS]
        await delete_all(self._mongo, WORK, {"state": {"$in": ended}, "updated_at": {"$lt": micros(before)}})


def _document(work: Work) -> Document:
    return {
        "_id": work.ticket,
        "tenant_id": work.tenant_id,
        "order": str(work.order),
        "flow_id": work.flow_id,
        "version": work.version,
        "cancels_runs": work.cancels_runs,
        "total": work.total,
        "created_at": micros(work.created_at),
        "updated_at": micros(work.updated_at),
        "state": str(work.state),
        "after": work.after,
        "done": work.done,
        "failed": work.failed,
        "waiting": work.waiting,
        "error": work.error,
    }


def _work(kept: Document) -> Work:
    return Work(
        ticket=kept["_id"],
        tenant_id=kept["tenant_id"],
        order=Order(kept["order"]),
        flow_id=kept["flow_id"],
        version=kept["version"],
        cancels_runs=kept["cancels_runs"],
        total=kept["total"],
        created_at=times.from_micros(kept["created_at"]),
        updated_at=times.from_micros(kept["updated_at"]),
        state=WorkState(kept["state"]),
        after=kept["after"],
        done=kept["done"],
        failed=kept["failed"],
        waiting=kept.get("waiting", 0),  # work of an earlier release counted none
        error=kept["error"],
    )
