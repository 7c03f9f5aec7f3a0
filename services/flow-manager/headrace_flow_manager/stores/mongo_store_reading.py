"""What every use of a data store in MongoDB reads first: the store, its listeners, a record's document."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document
from pymongo import ASCENDING

from headrace_flow_manager import times
from headrace_flow_manager.data_stores.model import Listener, Store
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores import mongo_records
from headrace_flow_manager.stores.mongo_selection import of_tenants
from headrace_flow_manager.stores.mongo_writing import settled

if TYPE_CHECKING:
    from headrace_flow_manager.stores.mongo_writing import Database

GROUP: Final = 40
"""How many records are handled at once: few enough that a busy server has them done within a call's deadline."""

_GROUP_CHARACTERS: Final = 8 * 1024 * 1024


async def store(database: "Database", tenants: Tenants, store_id: str) -> Store:
    """The store. Raises NotFound."""
    found = await settled(database, "stores").find_one({"_id": store_id, **of_tenants(tenants)})
    if found is None or "name" not in found:
        raise NotFound("store", store_id[:256])
    return store_of(found)


def store_of(document: Document) -> Store:
    """The store in a document."""
    return Store(document["_id"], document["tenant_id"], document["name"], times.from_micros(document["created_at"]))


async def listeners(database: "Database", tenant: str, store_id: str) -> list[Listener]:
    """Who hears of changes of this store now."""
    found = settled(database, "store_listeners").find({"tenant_id": tenant, "store_id": store_id})
    return [Listener(each["flow_id"], each["node_id"], tuple(each["events"])) async for each in found]


async def document(database: "Database", store_id: str, key: str) -> Document | None:
    """The document at this place, also of a record that was taken away."""
    return await settled(database, "store_records").find_one({"_id": mongo_records.id_of(store_id, key)})


def needed(document: Document | None, key: str) -> Document:
    """The document of a record that is there. Raises NotFound."""
    if document is None or not document["live"]:
        raise NotFound("record", key[:256])
    return document


def all_records(tenant: str, store_id: str) -> Document:
    """A condition for the records of this store that are there."""
    return {"tenant_id": tenant, "store_id": store_id, "live": True}


async def keys_after(database: "Database", tenant: str, store_id: str, last: str) -> list[str]:
    """The next keys behind this one, in their order."""
    wanted = {**all_records(tenant, store_id), "key": {"$gt": last}}
    found = settled(database, "store_records").find(wanted, {"key": True}).sort("key", ASCENDING)
    return [each["key"] async for each in found.limit(GROUP)]


async def some(database: "Database", tenant: str, store_id: str, keys: Sequence[str]) -> list[Document]:
    """Documents of records with these keys, as many as are handled at once."""
    wanted = {**all_records(tenant, store_id), "key": {"$in": list(keys)}}
    group: list[Document] = []
    characters = 0
    async for each in settled(database, "store_records").find(wanted).limit(GROUP):
        group.append(each)
        characters += len(each["value"])
        if characters > _GROUP_CHARACTERS:
            break
    return group
