"""How records of data stores change in MongoDB.

Every change reads the document, makes the next one and puts it in its place if nobody else did in between; what the
former change owes is copied out first. A change that others overtook is tried again on what they left.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from headrace_core.errors import AlreadyExists, Unavailable
from headrace_core.ids import derive_id, new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ReplaceOne
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import times
from headrace_flow_manager.data_stores.model import Put, Record, Written
from headrace_flow_manager.locks import KeyedLocks
from headrace_flow_manager.stores import mongo_records
from headrace_flow_manager.stores import mongo_store_reading as reading
from headrace_flow_manager.stores.mongo_outbox import keep_owed
from headrace_flow_manager.stores.mongo_records import Revisions
from headrace_flow_manager.stores.mongo_writing import ATTEMPTS, settled, together

if TYPE_CHECKING:
    from headrace_flow_manager.stores.mongo_writing import Database, Session


class RecordChanges:
    """Puts, moves and deletes records."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._revisions = Revisions()
        self._locks = KeyedLocks()

    async def put(self, tenant: str, put: Put) -> Written:
        """Write one record, once per request."""
        request = derive_id(tenant, put.store_id, put.key, put.request_id) if put.request_id else ""
        change_id = request or new_id()
        async with self._mongo.asking() as database, self._locks.hold(mongo_records.id_of(put.store_id, put.key)):
            for _ in range(ATTEMPTS):
                await reading.store(database, tenant, put.store_id)
                # Before the requests: an answer that goes there between the two reads comes with a new revision.
                before = await reading.document(database, put.store_id, put.key)
                written = await _written(database, before, change_id, request)
                if written is None:
                    written = await self._try_put(database, tenant, put, before, change_id)
                if written is not None:
                    return written
        raise _busy(put.key)

    async def move(self, tenant: str, place: tuple[str, str], to: tuple[str, str], now: datetime) -> Record:
        """Give a record another place, in one transaction."""
        async with self._mongo.asking() as database:
            for _ in range(ATTEMPTS):
                for store_id in dict.fromkeys((place[0], to[0])):  # in this order: one mistake has one answer
                    await reading.store(database, tenant, store_id)
                before = reading.needed(await reading.document(database, *place), place[1])
                there = await reading.document(database, *to)
                if there is not None and there["live"]:
                    raise AlreadyExists(f"There is a record {to[1]!r} already.")
                after = Record(*to, before["value"], times.from_micros(before["created_at"]), now)
                (gone,) = await self._deleted(database, [before], now)
                come = await self._written_document(database, tenant, Written(after, None), there, new_id())
                if await _swap_both(database, (before, gone), (there, come)):
                    return after
        raise _busy(place[1])

    async def delete(self, tenant: str, store_id: str, keys: Sequence[str] | None, now: datetime) -> int:
        """Take away the records of these keys, or of all, each with its news; how many there were."""
        async with self._mongo.asking() as database:
            await reading.store(database, tenant, store_id)
        deleted = 0
        async for group in _groups(keys) if keys is not None else self._all_keys(tenant, store_id):
            deleted += await self._delete(tenant, store_id, group, now)
        return deleted

    async def _try_put(
        self, database: "Database", tenant: str, put: Put, before: Document | None, change_id: str
    ) -> Written | None:
        """The answer, or None when somebody else changed the record at the same time."""
        live = mongo_records.record_of(before) if before is not None and before["live"] else None
        if live is not None and put.only_if_absent:
            raise AlreadyExists(f"There is a record {put.key!r} already.")
        after = Record(put.store_id, put.key, put.value, live.created_at if live else put.now, put.now)
        written = Written(after, live.value if live else None)
        document = await self._written_document(database, tenant, written, before, change_id)
        if put.request_id:
            document["requested_at"] = document["updated_at"]
        if before is not None:
            await keep_owed(database, [before])
        return written if await _swap(database, before, document) else None

    async def _written_document(
        self, database: "Database", tenant: str, written: Written, before: Document | None, change_id: str
    ) -> Document:
        revision = self._revisions.next(written.record.updated_at, before)
        hearing = await reading.listeners(database, tenant, written.record.store_id)
        return mongo_records.written_document(tenant, written, change_id, revision, hearing)

    async def _deleted(self, database: "Database", before: Sequence[Document], now: datetime) -> list[Document]:
        """The documents in place of these of one store."""
        hearing = await reading.listeners(database, before[0]["tenant_id"], before[0]["store_id"])
        return [
            mongo_records.deleted_document(each, new_id(), self._revisions.next(now, each), hearing, now)
            for each in before
        ]

    async def _all_keys(self, tenant: str, store_id: str) -> AsyncIterator[list[str]]:
        """The keys of all records, a group at a time. What is put behind the reader's back stays out."""
        last = ""
        while True:
            async with self._mongo.asking() as database:
                group = await reading.keys_after(database, tenant, store_id, last)
            if not group:
                return
            yield group
            last = group[-1]

    async def _delete(self, tenant: str, store_id: str, keys: Sequence[str], now: datetime) -> int:
        """Take away the records of a group of keys, each once, whatever others do with them."""
        left = set(keys)
        deleted = 0
        for _ in range(ATTEMPTS):
            async with self._mongo.asking() as database:
                before = await reading.some(database, tenant, store_id, sorted(left))
                if not before:
                    return deleted
                await keep_owed(database, before)
                done = await _swap_each(database, before, await self._deleted(database, before, now))
            left -= done
            deleted += len(done)
        raise _busy(min(left))


async def _written(database: "Database", before: Document | None, change_id: str, request: str) -> Written | None:
    """The answer to a change that was made already: by a twin of this call, or by its own lost attempt."""
    if before is not None and before["live"] and before["change_id"] == change_id:
        return mongo_records.written_of(before)
    known = await settled(database, "store_requests").find_one({"_id": request}) if request else None
    return None if known is None else mongo_records.written_of(known)


async def _swap(
    database: "Database", before: Document | None, after: Document, session: "Session | None" = None
) -> bool:
    """Put one document in place of the other, if nobody else did. What the other owes has been kept before."""
    records = database["store_records"]
    if before is not None:
        same = {"_id": before["_id"], "revision": before["revision"]}
        return (await records.replace_one(same, after, session=session)).matched_count == 1
    try:
        await records.insert_one(after, session=session)
    except DuplicateKeyError:
        return False
    return True


async def _swap_both(database: "Database", *pairs: tuple[Document | None, Document]) -> bool:
    await keep_owed(database, [before for before, _ in pairs if before is not None])

    async def work(session: "Session") -> bool:
        for before, after in pairs:
            if not await _swap(database, before, after, session):
                return False
        return True

    return await together(database, work)


async def _swap_each(database: "Database", before: Sequence[Document], after: Sequence[Document]) -> set[str]:
    """The keys whose documents could be put in place of the others."""
    records = database["store_records"]
    writes = [
        ReplaceOne({"_id": old["_id"], "revision": old["revision"]}, new)
        for old, new in zip(before, after, strict=True)
    ]
    if (await records.bulk_write(writes, ordered=False)).matched_count == len(after):
        return {each["key"] for each in after}
    ours = {each["_id"]: each["change_id"] for each in after}
    found = settled(database, "store_records").find({"_id": {"$in": list(ours)}}, {"key": True, "change_id": True})
    return {each["key"] async for each in found if each["change_id"] == ours[each["_id"]]}


async def _groups(keys: Sequence[str]) -> AsyncIterator[list[str]]:
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), reading.GROUP):
        yield wanted[start : start + reading.GROUP]


def _busy(key: str) -> Unavailable:
    return Unavailable(f"Too many write to the record {key[:256]!r} at once.", retry_after=timedelta(seconds=1))
