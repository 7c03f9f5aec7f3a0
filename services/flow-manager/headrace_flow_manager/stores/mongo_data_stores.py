"""Data stores in MongoDB. `mongo_records` says what a record's document holds, `mongo_changes` how it changes."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from headrace_core.errors import AlreadyExists, NotFound, Unavailable
from headrace_core.ids import derive_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import query, tags, times
from headrace_flow_manager.data_stores.model import Listener, Put, Record, Store, Written
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores import mongo_records
from headrace_flow_manager.stores import mongo_store_reading as reading
from headrace_flow_manager.stores.mongo_changes import RecordChanges
from headrace_flow_manager.stores.mongo_selection import count_of, of_tenants, page_of
from headrace_flow_manager.stores.mongo_writing import ATTEMPTS, delete_all, update_all
from headrace_flow_manager.stores.values import shown

if TYPE_CHECKING:
    from headrace_flow_manager.stores.mongo_selection import Cursor
    from headrace_flow_manager.stores.mongo_writing import Database

_GONE: Final = timedelta(minutes=5)
"""How long a deleted record's document stays: longer than any write that read it can be under way."""

INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    "stores": [
        # A store that is being removed has no name any more.
        IndexModel([("tenant_id", 1), ("name", 1)], unique=True, partialFilterExpression={"name": {"$exists": True}}),
        IndexModel([("gone", 1)], sparse=True),
    ],
    "store_records": [
        IndexModel([("tenant_id", 1), ("store_id", 1), ("live", 1), ("key", 1)]),
        IndexModel([("untold_at", 1)], sparse=True),
        IndexModel([("requested_at", 1)], sparse=True),
        IndexModel([("gone_at", 1)], expireAfterSeconds=int(_GONE.total_seconds())),
    ],
    "store_requests": [IndexModel([("tenant_id", 1), ("store_id", 1)]), IndexModel([("updated_at", 1)])],
    "store_listeners": [
        IndexModel([("tenant_id", 1), ("store_id", 1)]),
        IndexModel([("tenant_id", 1), ("flow_id", 1), ("node_id", 1)]),
    ],
    "store_outbox": [IndexModel([("due_at", 1), ("order", 1), ("_id", 1)])],
}

_ORDERED: Final = {"key": "key", "createdAt": "created_at", "updatedAt": "updated_at"}
"""Fields by which MongoDB itself can put records in order: texts by code point, times to the microsecond."""

_PARTS: Final = ("store_records", "store_requests", "store_listeners")
_SWEEPS: Final = 2
"""How often what is left of a removed store is looked for: a write under way may come after the first time."""

_REMOVED_AT_ONCE: Final = 100


class MongoDataStores:
    """The DataStores in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._changes = RecordChanges(mongo)

    async def add(self, tenant: str, store: Store) -> None:
        made_at = times.to_micros(store.created_at)
        document = {"_id": store.store_id, "tenant_id": tenant, "name": store.name, "created_at": made_at}
        async with self._mongo.asking() as database:
            try:
                await database["stores"].insert_one(document)
            except DuplicateKeyError:
                raise _taken(store.name) from None

    async def get(self, tenants: Tenants, store_id: str) -> Store:
        async with self._mongo.asking() as database:
            return await reading.store(database, tenants, store_id)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Store]:
        selection = Selection(query)
        named = {**of_tenants(tenants), "name": {"$exists": True}}
        found = self._mongo.database["stores"].find(named).sort([("name", ASCENDING), ("_id", ASCENDING)])
        return await page_of(self._mongo, found, selection, _public_store)

    async def rename(self, tenant: str, store_id: str, name: str, expected: str = "") -> tuple[Store, str]:
        async with self._mongo.asking() as database:
            for _ in range(ATTEMPTS):
                before = await reading.store(database, tenant, store_id)
                tags.expect(before.tag, expected, "The store")
                same = {"_id": store_id, "tenant_id": tenant, "name": before.name}
                try:
                    renamed = await database["stores"].update_one(same, {"$set": {"name": name}})
                except DuplicateKeyError:
                    raise _taken(name) from None
                if renamed.matched_count:
                    return Store(store_id, tenant, name, before.created_at), before.name
        raise Unavailable("Too many rename this store at once.", retry_after=timedelta(seconds=1))

    async def remove(self, tenant: str, store_id: str) -> None:
        async with self._mongo.asking() as database:
            named = {"_id": store_id, "tenant_id": tenant, "name": {"$exists": True}}
            removed = await database["stores"].update_one(named, {"$unset": {"name": ""}, "$set": {"gone": 0}})
            if not removed.matched_count:
                raise NotFound("store", store_id[:256])
        with contextlib.suppress(Unavailable):  # the store is gone; what is left of it goes with the next pruning
            await self._clear(tenant, store_id)

    async def record(self, tenants: Tenants, store_id: str, key: str) -> Record:
        async with self._mongo.asking() as database:
            await reading.store(database, tenants, store_id)
            found = await reading.document(database, store_id, key)
            return mongo_records.record_of(reading.needed(found, key))

    async def put(self, tenant: str, put: Put) -> Written:
        return await self._changes.put(tenant, put)

    async def move(self, tenant: str, place: tuple[str, str], to: tuple[str, str], now: datetime) -> Record:
        return await self._changes.move(tenant, place, to, now)

    async def delete(self, tenant: str, store_id: str, keys: Sequence[str] | None, now: datetime) -> int:
        return await self._changes.delete(tenant, store_id, keys, now)

    async def records(self, tenants: Tenants, store_id: str, query: ListQuery) -> Page[Record]:
        selection = Selection(query, names=("key", "value"))
        async with self._mongo.asking() as database:
            store = await reading.store(database, tenants, store_id)
            if not query.conditions and not query.pattern and all(each.field in _ORDERED for each in query.sort):
                return await _plain_page(database, store, query)
        page = await page_of(self._mongo, _candidates(database, store, query), selection, mongo_records.public)
        async with self._mongo.asking():
            return Page(await _in_order(database, store, page.items), page.total)

    async def count(self, tenants: Tenants, store_id: str, query: ListQuery) -> int:
        selection = Selection(query, names=("key", "value"))
        async with self._mongo.asking() as database:
            store = await reading.store(database, tenants, store_id)
            if not query.conditions and not query.pattern:
                return await database["store_records"].count_documents(_all_of(store))
        return await count_of(self._mongo, _candidates(database, store, query), selection, mongo_records.public)

    async def listen(self, tenant: str, store_id: str, listener: Listener) -> None:
        who = {"tenant_id": tenant, "store_id": store_id, "flow_id": listener.flow_id, "node_id": listener.node_id}
        one = derive_id("listener", store_id, listener.flow_id, listener.node_id)
        wanted = {"$set": {**who, "events": list(listener.events)}}
        async with self._mongo.asking() as database:
            await reading.store(database, tenant, store_id)
            listeners = database["store_listeners"]
            try:
                await listeners.update_one({"_id": one}, wanted, upsert=True)
            except DuplicateKeyError:  # somebody inserted the same at once: it is there now
                await listeners.update_one({"_id": one}, wanted)

    async def unlisten(self, tenant: str, store_id: str, flow_id: str, node_id: str) -> None:
        who = {"tenant_id": tenant, "flow_id": flow_id, "node_id": node_id}
        async with self._mongo.asking() as database:
            await database["store_listeners"].delete_many({**who, "store_id": store_id} if store_id else who)

    async def prune(self, before: datetime) -> None:
        old = {"$lt": times.to_micros(before)}
        await delete_all(self._mongo, "store_requests", {"updated_at": old})
        told = {"requested_at": old, "untold_at": {"$exists": False}}
        forgotten = {"$unset": {"requested_at": ""}, "$set": {"change_id": "", "old_value": None}}
        await update_all(self._mongo, "store_records", told, forgotten)
        async with self._mongo.asking() as database:
            removed = await database["stores"].find({"gone": {"$gte": 0}}).to_list(_REMOVED_AT_ONCE)
        for store in removed:
            await self._clear(store["tenant_id"], store["_id"])
            async with self._mongo.asking() as database:
                await database["stores"].delete_one({"_id": store["_id"], "gone": {"$gte": _SWEEPS}})
                await database["stores"].update_one({"_id": store["_id"]}, {"$inc": {"gone": 1}})

    async def _clear(self, tenant: str, store_id: str) -> None:
        """Delete what belongs to a removed store, but for changes that are not in the outbox yet."""
        left = {"tenant_id": tenant, "store_id": store_id, "untold_at": {"$exists": False}}
        for part in _PARTS:
            await delete_all(self._mongo, part, left)


async def _plain_page(database: "Database", store: Store, wanted: ListQuery) -> Page[Record]:
    """A page without a condition: MongoDB puts it in order and cuts it out."""
    order: dict[str, int] = {}
    for each in wanted.sort:
        order.setdefault(_ORDERED[each.field], DESCENDING if each.descending else ASCENDING)
    order.setdefault("key", ASCENDING)
    found = database["store_records"].find(_all_of(store)).sort(list(order.items())).allow_disk_use(True)
    items = [mongo_records.record_of(each) async for each in found.skip(wanted.offset).limit(wanted.page_size)]
    return Page(tuple(items), await database["store_records"].count_documents(_all_of(store)))


def _candidates(database: "Database", store: Store, wanted: ListQuery) -> "Cursor":
    condition = _all_of(store)
    for text in wanted.equalities("key")[:1]:
        condition["key"] = {"$eq": text}
    return database["store_records"].find(condition).sort("key", ASCENDING)


async def _in_order(database: "Database", store: Store, keys: Sequence[str]) -> tuple[Record, ...]:
    """The records of these keys that are still there."""
    wanted = {**_all_of(store), "key": {"$in": list(keys)}}
    found = {each["key"]: mongo_records.record_of(each) async for each in database["store_records"].find(wanted)}
    return tuple(found[key] for key in keys if key in found)


def _all_of(store: Store) -> Document:
    return reading.all_records(store.tenant_id, store.store_id)


def _public_store(document: Document) -> tuple[Store, query.Record]:
    store = reading.store_of(document)
    return (
        store,
        {
            "storeId": store.store_id,
            "userId": store.tenant_id,
            "name": store.name,
            "registered": shown(document["created_at"]),
        },
    )


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a store {name!r} already. Choose another name.")
