"""The outbox of data stores in MongoDB.

A change names those who must hear of it in the record's own document. From there it is copied here, by whoever comes
first: the relay, or the next one who changes the record. Copies have ids that follow from the change, so two who copy
at once make one; one who copies late brings a delivery back that its receiver knows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, DeleteOne, UpdateOne

from headrace_flow_manager import times
from headrace_flow_manager.data_stores.model import Delivery
from headrace_flow_manager.stores import mongo_records
from headrace_flow_manager.stores.mongo_writing import insert_new, settled

if TYPE_CHECKING:
    from headrace_flow_manager.stores.mongo_writing import Database

_GROUP: Final = 40
"""How many changes are copied at once: few enough that a busy server has them done within a call's deadline."""


class MongoOutbox:
    """The Outbox in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def due(self, now: datetime, limit: int) -> Sequence[Delivery]:
        await self._collect(limit)
        async with self._mongo.asking() as database:
            found = settled(database, "store_outbox").find({"due_at": {"$lte": times.to_micros(now)}})
            ordered = found.sort([("due_at", ASCENDING), ("order", ASCENDING), ("_id", ASCENDING)])
            return [mongo_records.delivery_of(each) async for each in ordered.limit(limit)]

    async def settle(self, done: Sequence[Delivery], later: Sequence[tuple[Delivery, datetime]]) -> None:
        writes: list[DeleteOne | UpdateOne] = [DeleteOne({"_id": _id(each)}) for each in done]
        # The attempts that were read, so that settling again counts no other.
        writes += [
            UpdateOne(
                {"_id": _id(each), "attempts": each.attempts},
                {"$set": {"attempts": each.attempts + 1, "due_at": times.to_micros(until)}},
            )
            for each, until in later
        ]
        if writes:
            async with self._mongo.asking() as database:
                await database["store_outbox"].bulk_write(writes, ordered=False)

    async def _collect(self, limit: int) -> None:
        """Bring changes that nobody told yet into the outbox, oldest first."""
        for _ in range(0, limit, _GROUP):
            async with self._mongo.asking() as database:
                untold = settled(database, "store_records").find({"untold_at": {"$gte": 0}})
                changed = await untold.sort("untold_at", ASCENDING).limit(_GROUP).to_list(_GROUP)
                await _tell(database, changed)
            if len(changed) < _GROUP:
                return


async def keep_owed(database: "Database", documents: Sequence[Document]) -> None:
    """Copy out what the last changes of these records owe. Doing it again changes nothing."""
    answers = [each for document in documents for each in mongo_records.answers_owed(document)]
    deliveries = [each for document in documents for each in mongo_records.deliveries_owed(document)]
    await insert_new(database["store_requests"], answers)
    await insert_new(database["store_outbox"], deliveries)


async def _tell(database: "Database", changed: Sequence[Document]) -> None:
    if not changed:
        return
    deliveries = [each for document in changed for each in mongo_records.deliveries_owed(document)]
    await insert_new(database["store_outbox"], deliveries)
    writes = [
        UpdateOne({"_id": each["_id"], "revision": each["revision"]}, mongo_records.told(each)) for each in changed
    ]
    await database["store_records"].bulk_write(writes, ordered=False)


def _id(delivery: Delivery) -> str:
    return mongo_records.delivery_id(delivery.change_id, delivery.flow_id, delivery.node_id)
