"""The bytes of files in MongoDB.

A content is a log: every chunk that is written is its next entry, with the bytes in a document of their own. Of two
entries at one offset the later one counts. The upload's document says up to which entry writers were answered, so that
whoever adds up the entries to there finds the same whatever is written meanwhile. An entry's id follows from its
number: of two writers one gets it, and the other first makes that one count and then takes the next.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from headrace_core.errors import NotFound, TooLarge, Unavailable
from headrace_core.ids import derive_id, new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager.files.model import MAX_CHUNKS
from headrace_flow_manager.locks import KeyedLocks
from headrace_flow_manager.stores.mongo_writing import ATTEMPTS, delete_all, settled

if TYPE_CHECKING:
    from headrace_flow_manager.stores.mongo_writing import Database

CONTENT_INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    "file_chunks": [IndexModel([("tenant_id", 1), ("content_id", 1), ("offset", 1), ("number", 1)])],
    "file_bytes": [IndexModel([("tenant_id", 1), ("content_id", 1)])],
}

_GROUP_CHUNKS: Final = 200
_GROUP_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """The entries of a log from behind the number `after` to `up_to`."""

    tenant_id: str
    content_id: str
    after: int
    up_to: int

    @property
    def entries(self) -> Document:
        """A condition for them, as far as one tenant's."""
        numbers = {"$gt": self.after, "$lte": self.up_to}
        return {"tenant_id": self.tenant_id, "content_id": self.content_id, "number": numbers}


def content_of(upload: Document) -> Content:
    """What an upload has to this moment. It has nothing when it was opened again and not written to since."""
    writes = upload["writes"]
    return Content(upload["tenant_id"], upload["_id"], writes if upload["fresh"] else upload["begins_after"], writes)


async def upload_document(database: "Database", tenant: str, upload_id: str) -> Document:
    """The upload under way. Raises NotFound."""
    found = await settled(database, "file_uploads").find_one({"_id": upload_id, "tenant_id": tenant})
    if found is None:
        raise NotFound("upload", upload_id[:256])
    return found


class Contents:
    """Writes, reads and drops contents."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._locks = KeyedLocks()

    async def write(self, tenant: str, upload_id: str, offset: int, data: bytes, max_bytes: int) -> None:
        """Add a chunk to the log of an upload, and what it replaces is forgotten."""
        mine: Document = {"tenant_id": tenant, "content_id": upload_id, "offset": offset, "size": len(data)}
        mine["bytes_id"] = new_id()
        number, is_kept = None, False
        async with self._mongo.asking() as database, self._locks.hold(upload_id):
            for _ in range(ATTEMPTS):
                upload = await upload_document(database, tenant, upload_id)
                if number is not None and upload["writes"] >= number:  # somebody else made it count
                    return
                mine["opens"] = upload["opens"]
                replaced = await _replaced(database, upload, mine, max_bytes)
                if not is_kept:
                    whose = {"_id": mine["bytes_id"], "tenant_id": tenant, "content_id": upload_id}
                    await database["file_bytes"].insert_one({**whose, "data": data})
                    is_kept = True
                entry = await _take_number(database, upload, mine)
                if entry is None:
                    continue
                is_mine = entry["bytes_id"] == mine["bytes_id"]
                number = entry["number"] if is_mine else None
                if await _make_count(database, upload, entry) and is_mine:
                    if entry["opens"] == mine["opens"]:
                        await _forget(database, replaced)
                    return
        raise Unavailable("Too many write to this upload at once.", retry_after=timedelta(seconds=1))

    async def entries(self, content: Content) -> list[Document]:
        """The entries that count, by offset."""
        async with self._mongo.asking() as database:
            return _counting(await _log(database, content.entries))

    async def digest(self, entries: Sequence[Document]) -> str | None:
        """The SHA-256 of the chunks in this order, or None when one is not there any more."""
        sha = hashlib.sha256()
        for group in _groups(entries):
            async with self._mongo.asking() as database:
                data = await _data(database, group)
            if data is None:
                return None
            await asyncio.to_thread(sha.update, data)
        return sha.hexdigest()

    async def read(self, database: "Database", content: Content, offset: int, end: int) -> bytes | None:
        """The bytes from the offset to the end, or None when they are not there any more."""
        chunks = settled(database, "file_chunks")
        begins = {**content.entries, "offset": {"$lte": offset}}
        first = await chunks.find_one(begins, sort=[("offset", DESCENDING), ("number", DESCENDING)])
        if first is None:
            return None
        within = {**content.entries, "offset": {"$gte": first["offset"], "$lt": end}}
        data = await _data(database, _counting(await _log(database, within)))
        start = offset - first["offset"]
        found = b"" if data is None else data[start : start + end - offset]
        return found if len(found) == end - offset else None

    async def drop(self, tenant: str, content_id: str) -> None:
        """Delete the content, whole. Doing it again changes nothing."""
        whose = {"tenant_id": tenant, "content_id": content_id}
        for part in ("file_chunks", "file_bytes"):
            await delete_all(self._mongo, part, whose)


async def _log(database: "Database", entries: Document) -> list[Document]:
    found = settled(database, "file_chunks").find(entries)
    return [each async for each in found.sort([("offset", ASCENDING), ("number", ASCENDING)])]


def _counting(log: Sequence[Document]) -> list[Document]:
    """Of entries in their order the last at each offset."""
    return list({each["offset"]: each for each in log}.values())


async def _replaced(database: "Database", upload: Document, mine: Document, max_bytes: int) -> list[Document]:
    """The entries that stop to count with this one. Raises TooLarge when it would be too much with the others."""
    everything = {"tenant_id": upload["tenant_id"], "content_id": upload["_id"], "number": {"$lte": upload["writes"]}}
    log = await _log(database, everything)
    begins_after = _begins_after(upload, mine)
    stay = [
        each
        for each in _counting([each for each in log if each["number"] > begins_after])
        if each["offset"] != mine["offset"]
    ]
    if sum(each["size"] for each in stay) + mine["size"] > max_bytes:
        raise TooLarge(f"A file has at most {max_bytes} bytes.")
    if len(stay) >= MAX_CHUNKS:
        raise TooLarge(f"A file has at most {MAX_CHUNKS} chunks. Send larger ones.")
    numbers = {each["number"] for each in stay}
    return [each for each in log if each["number"] not in numbers]


def _begins_after(upload: Document, entry: Document) -> int:
    """Where the content begins once the entry counts: anew when it is the first at offset 0 since the opening."""
    begins_after: int = upload["begins_after"]
    is_anew = upload["fresh"] and entry["opens"] == upload["opens"] and entry["offset"] == 0
    return upload["writes"] if is_anew else begins_after


async def _take_number(database: "Database", upload: Document, mine: Document) -> Document | None:
    """The next entry: this one, or the one of somebody who was faster. None when that one is gone already."""
    number = upload["writes"] + 1
    entry = {"_id": derive_id("chunk", upload["tenant_id"], upload["_id"], number), "number": number, **mine}
    try:
        await database["file_chunks"].insert_one(entry)
    except DuplicateKeyError:
        return await settled(database, "file_chunks").find_one({"_id": entry["_id"]})
    return entry


async def _make_count(database: "Database", upload: Document, entry: Document) -> bool:
    """Whether the entry counts because of this call. One from before the last opening is no first chunk after it."""
    same = {name: upload[name] for name in ("_id", "tenant_id", "writes", "opens")}
    is_late = entry["opens"] != upload["opens"]
    begins_after = _begins_after(upload, entry)
    counted = {"writes": entry["number"], "fresh": upload["fresh"] and is_late, "begins_after": begins_after}
    return (await database["file_uploads"].update_one(same, {"$set": counted})).matched_count == 1


async def _forget(database: "Database", entries: Sequence[Document]) -> None:
    for start in range(0, len(entries), _GROUP_CHUNKS):
        group = entries[start : start + _GROUP_CHUNKS]
        # The bytes first: an entry that stays finds them again for the next one who forgets.
        await database["file_bytes"].delete_many({"_id": {"$in": [each["bytes_id"] for each in group]}})
        await database["file_chunks"].delete_many({"_id": {"$in": [each["_id"] for each in group]}})


async def _data(database: "Database", entries: Sequence[Document]) -> bytes | None:
    """The bytes of the entries in their order, or None when some are missing."""
    wanted = [each["bytes_id"] for each in entries]
    found = settled(database, "file_bytes").find({"_id": {"$in": wanted}}, {"data": True})
    data = {each["_id"]: each["data"] async for each in found}
    return b"".join(data[each] for each in wanted) if len(data) == len(wanted) else None


def _groups(entries: Sequence[Document]) -> Iterator[list[Document]]:
    """As many entries at a time as are read at once."""
    group: list[Document] = []
    for each in entries:
        full = sum(one["size"] for one in group) + each["size"] > _GROUP_BYTES or len(group) == _GROUP_CHUNKS
        if group and full:
            yield group
            group = []
        group.append(each)
    if group:
        yield group
