"""Groups in MongoDB: a document each, with its members; every change is one conditional write of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from headrace_core.errors import AlreadyExists, Conflict, NotFound, RevisionConflict
from headrace_core.ids import new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import times
from headrace_flow_manager.groups import model
from headrace_flow_manager.groups.model import Group
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.stores.mongo_selection import page_of

GROUPS: Final = "user_groups"
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    GROUPS: [IndexModel([("name_key", ASCENDING)], unique=True), IndexModel([("members", ASCENDING)])],
}


class MongoGroupStore:
    """The GroupStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def add(self, group: Group, limit: int) -> None:
        made = {"_id": group.group_id, "created_at": times.to_micros(group.created_at), **_changing(group)}
        async with self._mongo.asking() as database:
            if await database[GROUPS].count_documents({}) >= limit:
                raise Conflict(f"There are {limit} groups already: delete one first.")
            try:
                await database[GROUPS].insert_one(made)
            except DuplicateKeyError:
                kept = await database[GROUPS].find_one({"_id": group.group_id})
                if kept is None:
                    raise _taken(group) from None
                raise AlreadyExists(f"There is a group {group.group_id!r} already. Choose another id.") from None

    async def get(self, group_id: str) -> Group:
        async with self._mongo.asking() as database:
            kept = await database[GROUPS].find_one({"_id": group_id})
        if kept is None:
            raise NotFound("group", group_id[:100])
        return _group(kept)

    async def page(self, query: ListQuery) -> Page[Group]:
        found = self._mongo.database[GROUPS].find({}).sort("name_key", ASCENDING)
        return await page_of(self._mongo, found, Selection(query), _shown)

    async def replace(self, group: Group, before: int) -> None:
        async with self._mongo.asking() as database:
            here, write_id = {"_id": group.group_id, "revision": before}, new_id()
            try:
                change = {"$set": {**_changing(group), "write_id": write_id}}
                written = await database[GROUPS].update_one(here, change)
            except DuplicateKeyError:
                raise _taken(group) from None
            if written.matched_count:
                return
            kept = await database[GROUPS].find_one({"_id": group.group_id})
        if kept is None:
            raise NotFound("group", group.group_id[:100])
        if kept.get("write_id") != write_id:  # else the first answer was lost on the way
            raise RevisionConflict(f"Group {group.group_id!r} was saved in between. Read it again and save that.")

    async def delete(self, group_id: str) -> None:
        async with self._mongo.asking() as database:
            gone = await database[GROUPS].delete_one({"_id": group_id})
        if not gone.deleted_count:
            raise NotFound("group", group_id[:100])

    async def of_user(self, user_id: str) -> frozenset[str]:
        async with self._mongo.asking() as database:
            return frozenset([each["_id"] async for each in database[GROUPS].find({"members": user_id}, {"_id": 1})])

    async def forget_user(self, user_id: str, now: datetime) -> None:
        change = {"$pull": {"members": user_id}, "$inc": {"revision": 1}, "$set": {"updated_at": times.to_micros(now)}}
        async with self._mongo.asking() as database:
            await database[GROUPS].update_many({"members": user_id}, change)


def _taken(group: Group) -> AlreadyExists:
    return AlreadyExists(f"There is a group called {group.name!r} already. Choose another name.")


def _changing(group: Group) -> Document:
    return {
        "name": group.name,
        "name_key": group.name_key,
        "description": group.description,
        "members": list(group.members),
        "revision": group.revision,
        "updated_at": times.to_micros(group.updated_at),
    }


def _group(kept: Document) -> Group:
    return Group(
        kept["_id"],
        kept["name"],
        kept["description"],
        tuple(kept["members"]),
        times.from_micros(kept["created_at"]),
        times.from_micros(kept["updated_at"]),
        kept["revision"],
    )


def _shown(kept: Document) -> tuple[Group, Record]:
    group = _group(kept)
    return group, model.public(group)
