"""The audit trail in MongoDB: a document for each act, written once and once more when it ends."""

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from headrace_core import Json
from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from headrace_flow_manager import json_text, times
from headrace_flow_manager.audit import model
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.stores.audit_asking import SEARCHED, Asked, asked_of, folded, words_of
from headrace_flow_manager.stores.mongo_plain import equals
from headrace_flow_manager.stores.mongo_selection import page_of
from headrace_flow_manager.stores.values import instant, parsed

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorDatabase

AUDIT: Final = "audit"
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    AUDIT: [
        IndexModel([("begun_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("actor_id", ASCENDING), ("begun_at", DESCENDING)]),
        IndexModel([("tenant_id", ASCENDING), ("begun_at", DESCENDING)]),
    ],
}
LOOKED_THROUGH: Mapping[str, Sequence[IndexModel]] = {
    AUDIT: [
        IndexModel([("target", ASCENDING), ("begun_at", DESCENDING)]),
        IndexModel([("status", ASCENDING), ("begun_at", DESCENDING)]),
        IndexModel([("begun_at", DESCENDING), ("_id", DESCENDING), ("words", ASCENDING)]),
    ],
}
_NEWEST: Final = [("begun_at", DESCENDING), ("_id", DESCENDING)]
_HOUR: Final = 3_600_000_000
_WIDER: Final = 8
_WIDEST: Final = 20_000 * 24 * _HOUR
_SETTLED: Final = 600_000_000
"""How many microseconds ago an act was begun at the latest that no gateway writes any more: its call has ended."""
_AT_ONCE: Final = 500
_MOST_COUNTED: Final = 200
_PATIENCE: Final = timedelta(seconds=10)
"""Who searches a long trail for words waits for them."""
_TEXTS: Final = ("actor_id", "actor_name", "address", "request_id", "action", "summary", "target", "tenant_id")


class MongoAuditStore:
    """The AuditStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._counted: OrderedDict[Asked, tuple[int, int]] = OrderedDict()

    async def begin(self, act: Act) -> None:
        document = document_of(act)
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

    async def walk(self, query: ListQuery) -> AsyncIterator[Sequence[Act]]:
        query = replace(query, sort=())
        selection, exact = Selection(query, SEARCHED), asked_of(query)
        asked, seen = exact or Asked(), set[str]()
        while True:
            async with self._mongo.asking(_PATIENCE) as database:
                # Of the microsecond that the last part ended in, some may have been left over.
                found = await _newest(database, asked, 0, _AT_ONCE + len(seen))
            acts = [_act(each) for each in found if each["_id"] not in seen]
            if not acts:
                return
            last = times.to_micros(acts[-1].begun_at)
            seen = {each["_id"] for each in found if each["begun_at"] == last}
            asked = replace(asked, until=last + 1)
            yield acts if exact else [act for act in acts if selection.holds(model.public(act))]

    async def page(self, query: ListQuery) -> Page[Act]:
        selection, asked = Selection(query, SEARCHED), asked_of(query)
        if asked is None:
            found = self._mongo.database[AUDIT].find({}).sort(_NEWEST)
            return await page_of(self._mongo, found, selection, _shown)
        async with self._mongo.asking(_PATIENCE) as database:
            total = await self._count(database, asked)
            newest = await _newest(database, asked, query.offset, query.page_size)
        return Page(tuple(map(_act, newest)), total)

    async def _count(self, database: "AsyncIOMotorDatabase[Document]", asked: Asked) -> int:
        """How many there are. What was settled when they were counted last stays as many: nothing is taken away."""
        settled, known = self._counted.pop(asked, (0, 0))
        until = times.to_micros(datetime.now(UTC)) - _SETTLED
        if until > settled:
            known += await database[AUDIT].count_documents(_of(_between(asked, settled, until)))
            settled = until
        self._counted[asked] = settled, known
        if len(self._counted) > _MOST_COUNTED:
            self._counted.popitem(last=False)
        return known + await database[AUDIT].count_documents(_of(_between(asked, settled, None)))


def document_of(act: Act) -> Document:
    """The document of an act that is begun."""
    document: Document = {"_id": act.act_id, **{name: getattr(act, name) for name in _TEXTS}}
    document |= {"begun_at": times.to_micros(act.begun_at), "status": act.status, "ended_at": None}
    # Texts, so that whole numbers of any size and names of fields with dots come back as they were.
    document |= {name: json_text.encode(getattr(act, name)) for name in ("before", "given", "after")}
    return document | {"words": words_of(act)}


async def fill_in(database: "AsyncIOMotorDatabase[Document]") -> None:
    """Give acts that an earlier release kept the words they are found by. Doing it again changes nothing."""
    fields = dict.fromkeys(("actor_name", "action", "summary", "target"), 1)
    missing = {"words": {"$exists": False}}
    while batch := await database[AUDIT].find(missing, fields).limit(_AT_ONCE).to_list(_AT_ONCE):
        writes = [UpdateOne({"_id": each["_id"]}, {"$set": {"words": folded(each)}}) for each in batch]
        await database[AUDIT].bulk_write(writes, ordered=False)


async def _newest(
    database: "AsyncIOMotorDatabase[Document]", asked: Asked, offset: int, size: int
) -> Sequence[Document]:
    """The newest that are asked for, looked for further and further back: most lie in the last hours."""
    end = asked.until or times.to_micros(datetime.now(UTC)) + _HOUR
    span = _HOUR
    while True:
        is_last = span >= _WIDEST or (asked.since or 0) >= end - span
        window = asked if is_last else replace(asked, since=end - span)
        found = await database[AUDIT].find(_of(window)).sort(_NEWEST).limit(offset + size).to_list(offset + size)
        if is_last or len(found) == offset + size:
            return found[offset:]
        span *= _WIDER


def _between(asked: Asked, since: int, until: int | None) -> Asked:
    """Of what is asked for, what was begun between these."""
    ends = [each for each in (asked.until, until) if each is not None]
    return replace(asked, since=max(asked.since or 0, since) or None, until=min(ends, default=None))


def _of(asked: Asked) -> Document:
    """What finds what is asked for. Words are looked for as they are written, never as a pattern."""
    bounds: Mapping[str, Mapping[str, int | str | None]] = {
        "begun_at": {"$gte": asked.since, "$lt": asked.until},
        "status": {"$gte": asked.least_status, "$lte": asked.most_status},
        "words": {"$regex": re.escape(asked.words) if asked.words else None},
    }
    known = {
        field: {operator: value for operator, value in each.items() if value is not None}
        for field, each in bounds.items()
    }
    return {**equals(asked.equal), **{field: each for field, each in known.items() if each}}


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
