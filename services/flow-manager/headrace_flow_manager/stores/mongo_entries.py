"""Entries in MongoDB."""

from collections.abc import Mapping, Sequence
from typing import Final

from headrace_core.errors import AlreadyExists, NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import times
from headrace_flow_manager.entries import Entry, Kind
from headrace_flow_manager.scope import EveryTenant, Tenants
from headrace_flow_manager.stores.mongo_values import packed, unpacked

ENTRIES: Final = "entries"

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    ENTRIES: [
        IndexModel([("kind", ASCENDING), ("key", ASCENDING)], unique=True),
        IndexModel([("owner", ASCENDING)]),
    ]
}


class MongoEntryStore:
    """The EntryStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def add(self, entry: Entry) -> None:
        document = _document(entry)
        async with self._mongo.asking() as database:
            try:
                await database[ENTRIES].insert_one(document)
            except DuplicateKeyError:
                kept = await database[ENTRIES].find_one({"_id": document["_id"]})
                if kept != document:  # else the first answer was lost on the way
                    raise _taken(entry) from None

    async def put(self, entry: Entry) -> None:
        document = _document(entry)
        place = {"_id": document["_id"], "owner": entry.owner}
        async with self._mongo.asking() as database:
            try:
                await database[ENTRIES].replace_one(place, document, upsert=True)
            except DuplicateKeyError:
                kept = await database[ENTRIES].find_one({"_id": document["_id"]}, {"owner": 1})
                if kept is not None and kept["owner"] != entry.owner:
                    raise NotFound(entry.kind, entry.entry_id) from None
                raise _taken(entry) from None

    async def replace(self, before: Entry | None, after: Entry) -> bool:
        document = _document(after)
        async with self._mongo.asking() as database:
            if before is not None:
                try:
                    kept = await database[ENTRIES].replace_one(_document(before), document)
                except DuplicateKeyError:
                    raise _taken(after) from None
                if kept.matched_count:
                    return True
                found = await database[ENTRIES].find_one({"_id": document["_id"]})
                return bool(found == document)  # else the first answer was lost on the way
            try:
                await database[ENTRIES].insert_one(document)
                return True
            except DuplicateKeyError:
                found = await database[ENTRIES].find_one({"_id": document["_id"]})
                return bool(found == document)  # else the first answer was lost on the way

    async def remove(self, before: Entry) -> bool:
        async with self._mongo.asking() as database:
            removed = await database[ENTRIES].delete_one(_document(before))
        return removed.deleted_count > 0

    async def get(self, kind: Kind, tenants: Tenants, entry_id: str) -> Entry:
        async with self._mongo.asking() as database:
            kept = await database[ENTRIES].find_one({"_id": _id(kind, entry_id), **_of(tenants)})
        if kept is None:
            raise NotFound(kind, entry_id)
        return _entry(kept)

    async def find(self, kind: Kind, key: str) -> Entry | None:
        async with self._mongo.asking() as database:
            kept = await database[ENTRIES].find_one({"kind": kind, "key": key})
        return None if kept is None else _entry(kept)

    async def all(self, kind: Kind, tenants: Tenants) -> Sequence[Entry]:
        async with self._mongo.asking() as database:
            cursor = database[ENTRIES].find({"kind": kind, **_of(tenants)}).sort("key", ASCENDING)
            return [_entry(kept) async for kept in cursor]

    async def delete(self, kind: Kind, tenants: Tenants, entry_id: str) -> bool:
        async with self._mongo.asking() as database:
            removed = await database[ENTRIES].delete_one({"_id": _id(kind, entry_id), **_of(tenants)})
        return removed.deleted_count > 0

    async def delete_owned(self, owner: str) -> None:
        if owner:
            async with self._mongo.asking() as database:
                await database[ENTRIES].delete_many({"owner": owner})


def _id(kind: Kind, entry_id: str) -> str:
    return f"{kind}/{entry_id}"


def _of(tenants: Tenants) -> Document:
    return {} if isinstance(tenants, EveryTenant) else {"owner": tenants}


def _taken(entry: Entry) -> AlreadyExists:
    return AlreadyExists(f"{entry.key!r} is taken. Choose another name.")


def _document(entry: Entry) -> Document:
    return {
        "_id": _id(entry.kind, entry.entry_id),
        "kind": entry.kind,
        "entry_id": entry.entry_id,
        "key": entry.key,
        "owner": entry.owner,
        "value": packed(entry.value),
        "changed_by": entry.changed_by,
        "changed_at": times.to_micros(entry.changed_at),
    }


def _entry(kept: Document) -> Entry:
    return Entry(
        kind=kept["kind"],
        entry_id=kept["entry_id"],
        key=kept["key"],
        owner=kept["owner"],
        value=unpacked(kept["value"]),
        changed_by=kept["changed_by"],
        changed_at=times.from_micros(kept["changed_at"]),
    )
