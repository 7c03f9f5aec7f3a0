"""What is told to system webhooks, in MongoDB: a document each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document, Mongo, duplicates
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from headrace_flow_manager import times
from headrace_flow_manager.hooks.model import Delivery, DeliveryFilter
from headrace_flow_manager.stores.hook_documents import changing_of, delivery_of, whole_of

DELIVERIES: Final = "hook_deliveries"
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    DELIVERIES: [
        IndexModel([("state", ASCENDING), ("due", ASCENDING)]),
        IndexModel([("created_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("hook_id", ASCENDING), ("created_at", DESCENDING)]),
        IndexModel([("tenant_id", ASCENDING), ("created_at", DESCENDING)]),
        IndexModel([("ended_at", ASCENDING)]),
    ],
}
_NEWEST: Final = [("created_at", DESCENDING), ("_id", DESCENDING)]


class MongoDeliveryStore:
    """The DeliveryStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        operations = [
            UpdateOne({"_id": each.delivery_id}, {"$setOnInsert": whole_of(each)}, upsert=True) for each in deliveries
        ]
        async with self._mongo.asking() as database:
            try:
                await database[DELIVERIES].bulk_write(operations, ordered=False)
            except BulkWriteError as error:
                duplicates(error)  # somebody else kept it meanwhile

    async def claim(self, now: datetime, until: datetime, limit: int, away: Sequence[str]) -> Sequence[Delivery]:
        here: Document = {"state": "pending", "due": {"$lte": times.to_micros(now)}}
        if away:
            here["hook_id"] = {"$nin": [*away]}
        claimed = []
        async with self._mongo.asking() as database:
            found = database[DELIVERIES].find(here).sort([("due", ASCENDING), ("_id", ASCENDING)]).limit(limit)
            for each in [each async for each in found]:
                mine = {"_id": each["_id"], "state": "pending", "due": each["due"]}
                change = {"$set": {"due": times.to_micros(until)}}
                if (await database[DELIVERIES].update_one(mine, change)).matched_count:
                    claimed.append(_delivery({**each, "due": times.to_micros(until)}))
        return claimed

    async def settle(self, claimed: Delivery, after: Delivery) -> bool:
        here = {"_id": claimed.delivery_id, "state": "pending", "due": times.to_micros(claimed.due)}
        async with self._mongo.asking() as database:
            return bool((await database[DELIVERIES].update_one(here, {"$set": changing_of(after)})).matched_count)

    async def drop(self, claimed: Delivery) -> None:
        here = {"_id": claimed.delivery_id, "state": "pending", "due": times.to_micros(claimed.due)}
        async with self._mongo.asking() as database:
            await database[DELIVERIES].delete_one(here)

    async def again(self, delivery_id: str, now: datetime) -> Delivery:
        anew = {"state": "pending", "due": times.to_micros(now), "attempts": 0, "ended_at": None, "fact": ""}
        async with self._mongo.asking() as database:
            here = {"_id": delivery_id, "state": {"$ne": "pending"}}
            found = await database[DELIVERIES].find_one_and_update(
                here, {"$set": anew}, return_document=ReturnDocument.AFTER
            )
        return await self.get(delivery_id) if found is None else _delivery(found)

    async def get(self, delivery_id: str) -> Delivery:
        async with self._mongo.asking() as database:
            found = await database[DELIVERIES].find_one({"_id": delivery_id})
        if found is None:
            raise NotFound("delivery", delivery_id[:100])
        return _delivery(found)

    async def page(self, which: DeliveryFilter, offset: int, limit: int) -> tuple[Sequence[Delivery], int]:
        here = _where(which)
        async with self._mongo.asking() as database:
            total = await database[DELIVERIES].count_documents(here)
            found = database[DELIVERIES].find(here).sort(_NEWEST).skip(offset).limit(limit)
            return [_delivery(each) async for each in found], total

    async def waiting(self, hook_id: str, most: int) -> int:
        async with self._mongo.asking() as database:
            here = {"hook_id": {"$eq": hook_id}, "state": "pending"}
            return int(await database[DELIVERIES].count_documents(here, limit=most))

    async def forget_hook(self, hook_id: str) -> None:
        async with self._mongo.asking() as database:
            await database[DELIVERIES].delete_many({"hook_id": {"$eq": hook_id}})

    async def forget_tenant(self, tenant: str) -> None:
        async with self._mongo.asking() as database:
            await database[DELIVERIES].delete_many({"tenant_id": {"$eq": tenant}})

    async def prune(self, before: datetime, limit: int) -> int:
        here = {"ended_at": {"$ne": None, "$lt": times.to_micros(before)}}
        async with self._mongo.asking() as database:
            found = database[DELIVERIES].find(here, {"_id": 1}).sort([("ended_at", ASCENDING)]).limit(limit)
            ids = [each["_id"] async for each in found]
            await database[DELIVERIES].delete_many({"_id": {"$in": ids}})
        return len(ids)


def _where(which: DeliveryFilter) -> Document:
    named = {"hook_id": which.hook_id, "event": which.event, "state": which.state, "tenant_id": which.tenant_id}
    found: Document = {name: {"$eq": value} for name, value in named.items() if value}
    span: Document = {}
    if which.before is not None:
        span["$lt"] = times.to_micros(which.before)
    if which.after is not None:
        span["$gte"] = times.to_micros(which.after)
    return {**found, "created_at": span} if span else found


def _delivery(kept: Document) -> Delivery:
    return delivery_of({**kept, "delivery_id": kept["_id"]})
