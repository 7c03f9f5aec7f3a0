"""Flows in MongoDB."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace_core.errors import AlreadyExists, NotFound, RevisionConflict
from headrace_core.ids import new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager.flows.model import Flow, FlowVersion
from headrace_flow_manager.flows.sharing import PERMISSIONS, Guest, Permission, permits, visible
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.scope import Tenants
from headrace_flow_manager.stores import mongo_flow_documents as documents
from headrace_flow_manager.stores.mongo_flow_documents import FLOWS, PAST_VERSIONS
from headrace_flow_manager.stores.mongo_plain import Plain, plain, within
from headrace_flow_manager.stores.mongo_selection import count_of, of_tenants, page_of
from headrace_flow_manager.stores.mongo_values import packed, unpacked

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorCursor, AsyncIOMotorDatabase

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    FLOWS: [
        IndexModel([("tenant_id", ASCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("tenant_id", ASCENDING), ("name", ASCENDING)]),
        # Across tenants: lists of administrators, then the reconciler and executors that start.
        IndexModel([("created_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("settled", ASCENDING), ("_id", ASCENDING)], partialFilterExpression={"settled": False}),
        IndexModel([("active", ASCENDING), ("_id", ASCENDING)], partialFilterExpression={"active": True}),
    ],
    PAST_VERSIONS: [
        IndexModel([("tenant_id", ASCENDING), ("incarnation", ASCENDING), ("version", DESCENDING)]),
    ],
}

TEMPLATE_INDEXES: Mapping[str, Sequence[IndexModel]] = {
    FLOWS: [IndexModel([("template_id", ASCENDING), ("_id", ASCENDING)])],
}

SHARES_INDEXES: Mapping[str, Sequence[IndexModel]] = {
    FLOWS: [IndexModel([("shares", ASCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)])],
}

ORDER_INDEXES: Mapping[str, Sequence[IndexModel]] = {
    FLOWS: [
        IndexModel([("modified_at", DESCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("stage", ASCENDING), ("modified_at", DESCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)]),
    ],
}

BUNDLE_INDEXES: Mapping[str, Sequence[IndexModel]] = {
    FLOWS: [IndexModel([("types", ASCENDING)]), IndexModel([("pins", ASCENDING)])],
    PAST_VERSIONS: [IndexModel([("pins", ASCENDING)])],
}

_AT_ONCE: Final = 100


async def fill_in(database: "AsyncIOMotorDatabase[Document]") -> None:
    """Give flows that an earlier release kept what is looked up now: their template, and whom they are shared with.

    Each is written only as it was read; one that is changed meanwhile comes again. Doing it again changes nothing.
    """
    missing = {"shares": {"$exists": False}}
    while batch := await database[FLOWS].find(missing, {"record": 1, "revision": 1}).limit(_AT_ONCE).to_list(_AT_ONCE):
        for kept in batch:
            here = {"_id": kept["_id"], "revision": kept["revision"], **missing}
            await database[FLOWS].update_one(here, {"$set": documents.looked_up_of(unpacked(kept["record"]))})


LISTENERS: Final = "store_listeners"
"""Where data stores keep who listens; a trigger of a flow that is erased listens no more."""

_INDEXED: Final = {"stage": "stage", "name": "name", "flowId": "_id", "userId": "tenant_id"}
"""Public fields whose equality the database looks up."""

_ORDERED: Final = {"name": "name", "stage": "stage", "btime": "created_at", "mtime": "modified_at"}
"""Public fields whose order is that of a field of the documents."""

_NATURAL: Final = [("created_at", ASCENDING), ("_id", ASCENDING)]

_SMALL: Final = frozenset(
    {
        "flowId", "userId", "name", "stage", "version", "runningVersion", "revision", "btime", "mtime", "started",
        "stopped", "stageError",
    }
)  # fmt: skip
"""Public fields that need no look into the record."""


class MongoFlowsStore:
    """The FlowStore in MongoDB. A change of a flow is one conditional write of one document."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def add(self, tenant: str, flow: Flow) -> None:
        incarnation = new_id()
        async with self._mongo.asking() as database:
            try:
                await database[FLOWS].insert_one(documents.of(tenant, flow, incarnation))
            except DuplicateKeyError:
                taken = await database[FLOWS].find_one({"_id": flow.flow_id}, {"removed": 1, "incarnation": 1})
            else:
                return
        if taken is not None and taken["incarnation"] == incarnation:
            return  # the first answer was lost on the way
        is_leaving = taken is None or taken["removed"]
        hint = "It is being removed; try again in a moment." if is_leaving else "Choose another one."
        raise AlreadyExists(f"There is a flow {flow.flow_id!r} already. {hint}")

    async def get(self, tenants: Tenants, flow_id: str) -> Flow:
        async with self._mongo.asking() as database:
            return documents.flow(await _kept(database, tenants, flow_id))

    async def shared(self, guest: Guest, flow_id: str) -> Flow:
        async with self._mongo.asking() as database:
            kept = await database[FLOWS].find_one({"_id": flow_id, "removed": False})
        flow = None if kept is None else documents.flow(kept)
        if flow is None or not any(permits(flow.record, guest, each) for each in PERMISSIONS):
            raise NotFound("flow", flow_id)
        return flow

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Flow]:
        selection = Selection(query)
        if asked := plain(query, _INDEXED, _ORDERED, _NATURAL):
            return await self._page(tenants, asked, query)
        candidates = _candidates(self._mongo.database, tenants, query)
        page = await page_of(self._mongo, candidates, selection, documents.shown)
        async with self._mongo.asking() as database:
            here = {"_id": {"$in": list(page.items)}, "removed": False, **of_tenants(tenants)}
            kept = await database[FLOWS].find(here).to_list(len(page.items)) if page.items else []
        # Records may be large: their JSON is read beside the event loop.
        found = {each.flow_id: each for each in await asyncio.to_thread(lambda: [*map(documents.flow, kept)])}
        return Page(tuple(found[flow_id] for flow_id in page.items if flow_id in found), page.total)

    async def _page(self, tenants: Tenants, asked: Plain, query: ListQuery) -> Page[Flow]:
        here = within(asked.where, {"removed": False, **of_tenants(tenants)})
        async with self._mongo.asking() as database:
            total = await database[FLOWS].count_documents(here)
            found = database[FLOWS].find(here).sort(asked.order).skip(query.offset).limit(query.page_size)
            kept = await found.to_list(query.page_size)
        return Page(tuple(await asyncio.to_thread(lambda: [*map(documents.flow, kept)])), total)

    async def count(self, tenants: Tenants, query: ListQuery) -> int:
        selection = Selection(query)
        if asked := plain(query, _INDEXED, _ORDERED, _NATURAL):
            async with self._mongo.asking() as database:
                here = within(asked.where, {"removed": False, **of_tenants(tenants)})
                return await database[FLOWS].count_documents(here)
        candidates = _candidates(self._mongo.database, tenants, query)
        return await count_of(self._mongo, candidates, selection, documents.shown)

    async def page_shared(
        self, tenant: str, guest: Guest, permissions: Sequence[Permission], query: ListQuery
    ) -> Page[Flow]:
        selection, show = Selection(query), _Shown(guest, permissions)
        page = await page_of(self._mongo, _shared(self._mongo.database, tenant, guest), selection, show)
        async with self._mongo.asking() as database:
            here = {"_id": {"$in": list(page.items)}, "removed": False}
            kept = await database[FLOWS].find(here).to_list(len(page.items)) if page.items else []
        flows = await asyncio.to_thread(lambda: [*map(documents.flow, kept)])
        # Read once more, so asked once more: a share may have ended in between.
        found = {each.flow_id: each for each in flows if show.grants(each.record)}
        return Page(tuple(found[flow_id] for flow_id in page.items if flow_id in found), page.total)

    async def count_shared(self, tenant: str, guest: Guest, permissions: Sequence[Permission], query: ListQuery) -> int:
        shared = _shared(self._mongo.database, tenant, guest)
        return await count_of(self._mongo, shared, Selection(query), _Shown(guest, permissions))

    async def save(self, tenant: str, before: Flow, after: Flow) -> Flow:
        """As the port says. The version that is replaced is put away first: a death in between leaves it there twice,
        which nobody sees, since a flow's document says which versions are past."""
        saved = _Change(before, after)
        async with self._mongo.asking() as database:
            if saved.has_new_version:
                await _put_away(database, saved.place(tenant))
            written = await database[FLOWS].update_one(saved.place(tenant), {"$set": saved.fields})
            if written.matched_count:
                return saved.flow
            kept = await database[FLOWS].find_one({"_id": before.flow_id, "tenant_id": tenant}, {"write_id": 1})
        if kept is None:
            raise NotFound("flow", before.flow_id)
        if kept.get("write_id") == saved.write_id:
            return saved.flow  # the first answer was lost on the way
        raise RevisionConflict(f"Flow {before.flow_id!r} was saved in between. Read it again and save that.")

    async def versions(self, tenants: Tenants, flow_id: str, offset: int, limit: int) -> Page[FlowVersion]:
        async with self._mongo.asking() as database:
            kept = await _kept(database, tenants, flow_id, documents.WITHOUT_RECORD)
            past = {
                "tenant_id": kept["tenant_id"],
                "incarnation": kept["incarnation"],
                "version": {"$lt": kept["version"]},
            }
            total = 1 + await database[PAST_VERSIONS].count_documents(past)
            newest = [kept] if offset == 0 else []
            older = database[PAST_VERSIONS].find(past).sort("version", DESCENDING)
            wanted = limit - len(newest)
            rest = await older.skip(max(0, offset - 1)).limit(wanted).to_list(wanted) if wanted else []
        return Page(tuple(documents.version(kept, each) for each in [*newest, *rest]), total)

    async def version(self, tenants: Tenants, flow_id: str, version: int) -> FlowVersion:
        async with self._mongo.asking() as database:
            kept = await _kept(database, tenants, flow_id, documents.WITHOUT_RECORD)
            return documents.version(kept, await _content(database, kept, version))

    async def label(self, tenant: str, flow_id: str, version: int, label: str) -> FlowVersion:
        here = {"_id": flow_id, "tenant_id": tenant, "removed": False, "version": {"$gte": version}}
        named = {"$set": {f"labels.{version}": label}} if label else {"$unset": {f"labels.{version}": ""}}
        async with self._mongo.asking() as database:
            if version > 0:
                await database[FLOWS].update_one(here, named)
        return await self.version(tenant, flow_id, version)

    async def erase(self, tenant: str, flow_id: str) -> None:
        """As the port says. The flow itself goes last: what a death in between leaves is erased by the next call."""
        async with self._mongo.asking() as database:
            here = {"_id": flow_id, "tenant_id": tenant, "removed": True}
            kept = await database[FLOWS].find_one(here, {"incarnation": 1})
            if kept is None:
                return
            await database[LISTENERS].delete_many({"tenant_id": tenant, "flow_id": flow_id})
            its = {"tenant_id": tenant, "incarnation": kept["incarnation"]}
            await database[PAST_VERSIONS].delete_many(its)
            await database[FLOWS].delete_one({"_id": flow_id, **its})


class _Shown:
    """What queries of a guest see of a flow; nothing of one that grants none of the permissions."""

    def __init__(self, guest: Guest, permissions: Sequence[Permission]) -> None:
        self._guest = guest
        self._permissions = permissions

    def __call__(self, kept: Document) -> tuple[str, Record] | None:
        flow_id, record = documents.shown(kept)
        return (flow_id, visible(record, self._guest)) if self.grants(record) else None

    def grants(self, record: Record) -> bool:
        """Whether the flow of this record grants the guest one of the permissions."""
        return any(permits(record, self._guest, each) for each in self._permissions)


class _Change:
    """What a save writes, and under which condition."""

    def __init__(self, before: Flow, after: Flow) -> None:
        self.flow = replace(after, revision=before.revision + 1)
        self.write_id = new_id()
        self.has_new_version = after.version > before.version
        self.fields: Document = {"write_id": self.write_id, **documents.state_of(self.flow)}
        if after.record != before.record:
            self.fields |= documents.record_of(self.flow)
        if self.has_new_version:
            self.fields |= documents.version_of(self.flow)
        else:
            if after.descriptor != before.descriptor:
                self.fields["descriptor"] = packed(after.descriptor)
            if after.pins != before.pins:
                self.fields["pins"] = list(after.pins)
        self._before = before

    def place(self, tenant: str) -> Document:
        """The flow as long as it is at the revision that the change was made from.

        A version is pinned without a new revision: who pins it, or puts it away, must have seen its pins.
        """
        place = {"_id": self._before.flow_id, "tenant_id": tenant, "revision": self._before.revision}
        if self.has_new_version or "pins" in self.fields:
            place |= documents.pinned_as(self._before.pins)
        return place


async def _kept(
    database: "AsyncIOMotorDatabase[Document]", tenants: Tenants, flow_id: str, fields: Mapping[str, int] | None = None
) -> Document:
    kept = await database[FLOWS].find_one({"_id": flow_id, "removed": False, **of_tenants(tenants)}, fields)
    if kept is None:
        raise NotFound("flow", flow_id)
    return kept


async def _content(database: "AsyncIOMotorDatabase[Document]", kept: Document, version: int) -> Document:
    """The document with the content of a version: the flow's own, or the one that was put away."""
    if version == kept["version"]:
        return kept
    if version < kept["version"]:
        past = await database[PAST_VERSIONS].find_one({"_id": documents.past_id(kept, version)})
        if past is not None:
            return past
    raise NotFound("flow version", f"{kept['_id']}:{version}")


async def _put_away(database: "AsyncIOMotorDatabase[Document]", place: Document) -> None:
    """Keep the newest version of the flow apart, if the flow is still there. Doing it again changes nothing."""
    kept = await database[FLOWS].find_one(place, documents.WITHOUT_RECORD)
    if kept is not None:
        with suppress(DuplicateKeyError):
            await database[PAST_VERSIONS].insert_one(documents.past_version_of(kept))


def _shared(database: "AsyncIOMotorDatabase[Document]", tenant: str, guest: Guest) -> "AsyncIOMotorCursor[Document]":
    """The flows of others that name a mark of the guest's, oldest first."""
    here = {"shares": {"$in": sorted(guest.marks)}, "removed": False, "tenant_id": {"$ne": tenant}}
    return database[FLOWS].find(here, {"custom_fields": 0}).sort([("created_at", ASCENDING), ("_id", ASCENDING)])


def _candidates(
    database: "AsyncIOMotorDatabase[Document]", tenants: Tenants, query: ListQuery
) -> "AsyncIOMotorCursor[Document]":
    """The flows that the indexes leave over, oldest first, each with as much of its record as the query looks at.

    Of the query only texts that a field must equal get here: they stay texts, whatever is in them.
    """
    equal = [{own: text} for field, own in _INDEXED.items() for text in query.equalities(field)]
    here = {"$and": [{"removed": False, **of_tenants(tenants)}, *equal]}
    fields = documents.WITHOUT_CONTENT if _SMALL.issuperset(query.fields) else {"custom_fields": 0}
    return database[FLOWS].find(here, fields).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
