"""Published bundles in MongoDB, and the archives on their way there.

What is published now is one document, so that a change of it is one conditional write and everybody reads it whole.
A content is its description in a document, which comes last, and its archive in pieces under a `holder` of its own:
whoever keeps the same content a second time leaves the first one's pieces alone.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from headrace_core import Json
from headrace_core.errors import NotFound, RevisionConflict
from headrace_core.ids import new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import json_text, times
from headrace_flow_manager.catalog.publication import Publication, PublicationState
from headrace_flow_manager.catalog.store import Content, Mark, Published
from headrace_flow_manager.stores.mongo_values import packed, unpacked
from headrace_flow_manager.stores.mongo_writing import delete_all, settled
from headrace_flow_manager.stores.publications import findings_of, findings_to_json, pieces_of, together
from headrace_flow_manager.stores.values import instant, micros, parsed

if TYPE_CHECKING:
    from headrace_flow_manager.stores.mongo_writing import Collection as Pieces

NOW: Final = "bundle_published"
CONTENTS: Final = "bundle_contents"
PIECES: Final = "bundle_pieces"
PUBLICATIONS: Final = "publications"

_CURRENT: Final = "current"

INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    PIECES: [IndexModel([("holder", ASCENDING), ("number", ASCENDING)], unique=True)],
    PUBLICATIONS: [
        IndexModel([("state", ASCENDING), ("changed_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("tenant_id", ASCENDING)]),
    ],
}


class MongoBundleStore:
    """The BundleStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def generation(self) -> int:
        async with self._mongo.asking() as database:
            found = await settled(database, NOW).find_one({"_id": _CURRENT}, {"generation": 1})
        return 0 if found is None else int(found["generation"])

    async def published(self) -> Published:
        async with self._mongo.asking() as database:
            found = await settled(database, NOW).find_one({"_id": _CURRENT})
        if found is None:
            return Published(0, {})
        contents = {each["service"]: each["content_id"] for each in found["contents"]}
        return Published(int(found["generation"]), contents)

    async def publish(self, before: Published, service: str, content_id: str) -> None:
        after = {name: kept for name, kept in before.contents.items() if name != service}
        if content_id:
            after[service] = content_id
        write_id = new_id()
        change = {
            "generation": before.generation + 1,
            "contents": [{"service": name, "content_id": after[name]} for name in sorted(after)],
            "write_id": write_id,
        }
        async with self._mongo.asking() as database:
            if before.generation == 0:
                try:
                    await database[NOW].insert_one({"_id": _CURRENT, **change})
                    return
                except DuplicateKeyError:
                    pass
            else:
                here = {"_id": _CURRENT, "generation": before.generation}
                if (await database[NOW].update_one(here, {"$set": change})).matched_count:
                    return
            kept = await database[NOW].find_one({"_id": _CURRENT}, {"write_id": 1})
        if kept is None or kept["write_id"] != write_id:  # else the first answer was lost on the way
            raise RevisionConflict("Something was published in between. Look again and publish over that.")

    async def add(self, content: Content, archive: bytes, now: datetime) -> None:
        used = {"$set": {"unused_since": None}}
        async with self._mongo.asking() as database:
            if (await database[CONTENTS].update_one({"_id": content.content_id}, used)).matched_count:
                return
        holder = new_id()
        for number, data in pieces_of(archive):
            async with self._mongo.asking() as database:
                await _put_piece(database[PIECES], holder, number, data)
        made = {
            "_id": content.content_id,
            "service": content.service,
            "description": packed(content.description),
            "holder": holder,
            "created_at": times.to_micros(now),
            "unused_since": None,
        }
        try:
            async with self._mongo.asking() as database:
                await database[CONTENTS].insert_one(made)
        except DuplicateKeyError:
            async with self._mongo.asking() as database:
                kept = await database[CONTENTS].find_one({"_id": content.content_id}, {"holder": 1})
            if kept is None or kept["holder"] != holder:  # else the first answer was lost on the way
                await delete_all(self._mongo, PIECES, {"holder": holder})

    async def contents(self, content_ids: Collection[str]) -> Sequence[Content]:
        async with self._mongo.asking() as database:
            found = settled(database, CONTENTS).find({"_id": {"$in": list(content_ids)}})
            return [Content(each["_id"], each["service"], unpacked(each["description"])) async for each in found]

    async def piece(self, content_id: str, number: int) -> bytes:
        async with self._mongo.asking() as database:
            content = await settled(database, CONTENTS).find_one({"_id": content_id}, {"holder": 1})
            if content is None:
                raise NotFound("bundle", content_id[:100])
            found = await settled(database, PIECES).find_one({"holder": content["holder"], "number": number})
        return b"" if found is None else bytes(found["data"])

    async def marks(self) -> Sequence[Mark]:
        async with self._mongo.asking() as database:
            found = database[CONTENTS].find({}, {"unused_since": 1}).sort("_id", ASCENDING)
            return [Mark(each["_id"], instant(each["unused_since"])) async for each in found]

    async def mark(self, content_id: str, unused_since: datetime | None) -> None:
        async with self._mongo.asking() as database:
            await database[CONTENTS].update_one({"_id": content_id}, {"$set": {"unused_since": micros(unused_since)}})

    async def drop(self, content_id: str, before: datetime) -> None:
        here = {"_id": content_id, "unused_since": {"$lt": micros(before)}}
        async with self._mongo.asking() as database:
            found = await database[CONTENTS].find_one(here, {"holder": 1})
            if found is None or not (await database[CONTENTS].delete_one(here)).deleted_count:
                return
        await delete_all(self._mongo, PIECES, {"holder": found["holder"]})


class MongoPublicationStore:
    """The PublicationStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def open(self, publication: Publication) -> None:
        await self.save(publication)

    async def write(self, tenant: str, ticket: str, number: int, data: bytes) -> None:
        here = {"_id": ticket, "tenant_id": tenant, "state": str(PublicationState.UPLOADING)}
        async with self._mongo.asking() as database:
            if await database[PUBLICATIONS].find_one(here, {"_id": 1}) is None:
                raise NotFound("upload", ticket[:100])
            await _put_piece(database[PIECES], ticket, number, data)

    async def archive(self, ticket: str) -> bytes:
        async with self._mongo.asking() as database:
            found = settled(database, PIECES).find({"holder": ticket}).sort("number", ASCENDING)
            return together(iter([(each["number"], each["data"]) async for each in found]))

    async def get(self, tenant: str, ticket: str) -> Publication:
        async with self._mongo.asking() as database:
            found = await settled(database, PUBLICATIONS).find_one({"_id": ticket, "tenant_id": tenant})
        if found is None:
            raise NotFound("ticket", ticket[:100])
        return _publication(found)

    async def save(self, publication: Publication) -> None:
        async with self._mongo.asking() as database:
            await database[PUBLICATIONS].replace_one({"_id": publication.ticket}, _document(publication), upsert=True)
        if publication.state is PublicationState.FINISHED:
            await delete_all(self._mongo, PIECES, {"holder": publication.ticket})

    async def waiting(self, tenant: str) -> int:
        open_states = [str(PublicationState.UPLOADING), str(PublicationState.SUBMITTED)]
        async with self._mongo.asking() as database:
            return await database[PUBLICATIONS].count_documents({"tenant_id": tenant, "state": {"$in": open_states}})

    async def submitted(self, limit: int) -> Sequence[Publication]:
        async with self._mongo.asking() as database:
            order = [("state", ASCENDING), ("changed_at", ASCENDING), ("_id", ASCENDING)]
            found = database[PUBLICATIONS].find({"state": str(PublicationState.SUBMITTED)}).sort(order).limit(limit)
            return [_publication(each) async for each in found]

    async def prune(self, before: datetime) -> None:
        over = [str(PublicationState.UPLOADING), str(PublicationState.FINISHED)]
        await self._delete({"state": {"$in": over}, "changed_at": {"$lt": micros(before)}})

    async def delete_owned(self, tenant: str) -> None:
        await self._delete({"tenant_id": tenant})

    async def _delete(self, of: Document) -> None:
        """The pieces first: as long as there is a publication, somebody finds what is left of it."""
        async with self._mongo.asking() as database:
            tickets = [each["_id"] async for each in database[PUBLICATIONS].find(of, {"_id": 1})]
        for ticket in tickets:
            await delete_all(self._mongo, PIECES, {"holder": ticket})
        await delete_all(self._mongo, PUBLICATIONS, {"$and": [of, {"_id": {"$in": tickets}}]})


async def _put_piece(pieces: "Pieces", holder: str, number: int, data: bytes) -> None:
    """Keep a piece in place of the former one."""
    await pieces.replace_one(
        {"holder": holder, "number": number}, {"holder": holder, "number": number, "data": data}, upsert=True
    )


def _document(publication: Publication) -> Document:
    return {
        "_id": publication.ticket,
        "tenant_id": publication.tenant_id,
        "state": str(publication.state),
        "created_at": micros(publication.created_at),
        "changed_at": micros(publication.changed_at),
        "error": publication.error,
        "findings": json_text.encode(findings_to_json(publication.findings)),
        "types": list(publication.types),
    }


def _publication(found: Document) -> Publication:
    findings: Json = parsed(found["findings"])
    return Publication(
        ticket=found["_id"],
        tenant_id=found["tenant_id"],
        created_at=times.from_micros(found["created_at"]),
        changed_at=times.from_micros(found["changed_at"]),
        state=PublicationState(found["state"]),
        error=found["error"],
        findings=findings_of(findings),
        types=tuple(found["types"]),
    )
