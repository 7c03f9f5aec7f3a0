"""The audit trail in MongoDB: a document for each act, written once and once more when it ends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from headrace_core import Json
from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, DESCENDING, IndexModel

from headrace_flow_manager import json_text, times
from headrace_flow_manager.audit import model
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.stores.mongo_selection import page_of
from headrace_flow_manager.stores.values import instant, parsed

AUDIT: Final = "audit"
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    AUDIT: [
        IndexModel([("begun_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("actor_id", ASCENDING), ("begun_at", DESCENDING)]),
        IndexModel([("tenant_id", ASCENDING), ("begun_at", DESCENDING)]),
    ],
}
_NEWEST: Final = [("begun_at", DESCENDING), ("_id", DESCENDING)]
_NARROWED: Final = {"actorId": "actor_id", "tenantId": "tenant_id"}
_TEXTS: Final = ("actor_id", "actor_name", "address", "request_id", "action", "summary", "target", "tenant_id")


class MongoAuditStore:
    """The AuditStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def begin(self, act: Act) -> None:
        document: Document = {name: getattr(act, name) for name in _TEXTS}
        document |= {"begun_at": times.to_micros(act.begun_at), "status": act.status, "ended_at": None}
        # Texts, so that whole numbers of any size and names of fields with dots come back as they were.
        document |= {name: json_text.encode(getattr(act, name)) for name in ("before", "given", "after")}
        async with self._mongo.asking() as database:
            await database[AUDIT].update_one({"_id": act.act_id}, {"$setOnInsert": document}, upsert=True)

    async def end(self, act_id: str, status: int, after: Json, now: datetime) -> None:
        change = {"status": status, "after": json_text.encode(after), "ended_at": times.to_micros(now)}
        async with self._mongo.asking() as database:
            ended = await database[AUDIT].update_one({"_id": act_id, "status": 0}, {"$set": change})
        if not ended.matched_count:
            await self.get(act_id)

    async def get(self, act_id: str) -> Act:
        async with self._mongo.asking() as database:
            kept = await database[AUDIT].find_one({"_id": act_id})
        if kept is None:
            raise NotFound("act", act_id[:100])
        return _act(kept)

    async def page(self, query: ListQuery) -> Page[Act]:
        selection = Selection(query, ("actor", "action", "summary", "target"))
        if not (query.conditions or query.pattern or query.sort):
            return await self._newest(query)
        every = [{_NARROWED[field]: {"$eq": value}} for field in _NARROWED for value in query.equalities(field)]
        found = self._mongo.database[AUDIT].find({"$and": every} if every else {}).sort(_NEWEST)
        return await page_of(self._mongo, found, selection, _shown)

    async def _newest(self, query: ListQuery) -> Page[Act]:
        async with self._mongo.asking() as database:
            total = await database[AUDIT].count_documents({})
            found = database[AUDIT].find({}).sort(_NEWEST).skip(query.offset).limit(query.page_size)
            return Page(tuple([_act(each) async for each in found]), total)


def _act(kept: Document) -> Act:
    return Act(
        act_id=kept["_id"],
        begun_at=times.from_micros(kept["begun_at"]),
        status=kept["status"],
        ended_at=instant(kept["ended_at"]),
        before=parsed(kept["before"]),
        given=parsed(kept["given"]),
        after=parsed(kept["after"]),
        **{name: kept[name] for name in _TEXTS},
    )


def _shown(kept: Document) -> tuple[Act, Record]:
    act = _act(kept)
    return act, model.public(act)
