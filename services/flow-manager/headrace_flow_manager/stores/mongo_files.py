"""Files in MongoDB: who has which content, and which is on its way. `mongo_contents` keeps the bytes.

A file and its upload change places in one transaction; everything else is one document's write. A content that is
about to lose its file or upload is noted in `file_remains` before, so that a crash leaves nothing behind for good.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from headrace_core import Json
from headrace_core.errors import Conflict, Internal, NotFound, RevisionConflict, Unavailable
from headrace_core.ids import derive_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import json_text, times
from headrace_flow_manager.files.model import MAX_CHUNK_BYTES, Description, Digest, File, Upload
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.scope import EveryTenant, Tenants
from headrace_flow_manager.stores.mongo_contents import CONTENT_INDEXES, Content, Contents, content_of, upload_document
from headrace_flow_manager.stores.mongo_selection import of_tenants, page_of
from headrace_flow_manager.stores.mongo_writing import ATTEMPTS, insert_new, settled, together
from headrace_flow_manager.stores.values import parsed_object, shown

if TYPE_CHECKING:
    from headrace_flow_manager.stores.mongo_writing import Database, Session

INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    "files": [
        IndexModel([("tenant_id", 1), ("uploaded_at", 1), ("file_id", 1)]),
        IndexModel([("tenant_id", 1), ("content_id", 1)], unique=True),
    ],
    "file_uploads": [IndexModel([("tenant_id", 1), ("file_id", 1)], unique=True), IndexModel([("opened_at", 1)])],
    **CONTENT_INDEXES,
}

_PRUNED_AT_ONCE: Final = 1_000
_SWEEPS: Final = 2
"""How often remains of a content are looked for: a chunk under way may come after the first time."""


class MongoFileStore:
    """The FileStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._contents = Contents(mongo)

    async def open(self, tenant: str, upload_id: str, file_id: str, description: Description, now: datetime) -> str:
        opened = {**_described(description), "opened_at": times.to_micros(now), "fresh": True}
        begun = {"_id": upload_id, "writes": 0, "begins_after": 0}
        change = {"$set": opened, "$inc": {"opens": 1}, "$setOnInsert": begun}
        place = {"tenant_id": tenant, "file_id": file_id}
        async with self._mongo.asking() as database:
            for _ in range(ATTEMPTS):
                try:
                    await database["file_uploads"].update_one(place, change, upsert=True)
                except DuplicateKeyError:  # somebody opens the same at once
                    continue
                found = await settled(database, "file_uploads").find_one(place)
                if found is not None:  # and not finished already by somebody else
                    return str(found["_id"])
        raise _busy(file_id)

    async def write(self, tenant: str, upload_id: str, offset: int, data: bytes, max_bytes: int) -> None:
        await self._contents.write(tenant, upload_id, offset, data, max_bytes)

    async def upload(self, tenant: str, upload_id: str) -> Upload:
        async with self._mongo.asking() as database:
            found = await upload_document(database, tenant, upload_id)
        return Upload(upload_id, found["file_id"], _description(found), found["writes"])

    async def finished(self, tenant: str, upload_id: str) -> File | None:
        async with self._mongo.asking() as database:
            found = await settled(database, "files").find_one({"tenant_id": tenant, "content_id": upload_id})
        return None if found is None else _file(found)

    async def digest(self, tenant: str, upload_id: str) -> Digest:
        async with self._mongo.asking() as database:
            content = content_of(await upload_document(database, tenant, upload_id))
        entries = await self._contents.entries(content)
        size = 0
        for entry in entries:
            if entry["offset"] != size:
                await self._check_unchanged(content)
                raise Conflict(f"The upload is not whole: a chunk belongs at offset {size}. Write it first.")
            size += entry["size"]
        sha256 = await self._contents.digest(entries)
        if sha256 is None:
            await self._check_unchanged(content)
            raise Internal(f"Bytes of the upload {upload_id} are missing.")
        return Digest(size, sha256, content.up_to)

    async def finish(self, tenant: str, upload_id: str, digest: Digest, now: datetime) -> File:
        async with self._mongo.asking() as database:
            for _ in range(ATTEMPTS):
                upload = await upload_document(database, tenant, upload_id)
                if upload["writes"] != digest.writes or (upload["fresh"] and digest.size_bytes):
                    raise RevisionConflict("Chunks were written in between. Finish the upload again.")
                document = _finished(upload, digest, now)
                former = await settled(database, "files").find_one({"_id": document["_id"]})
                if former is not None:
                    await _note(database, former["tenant_id"], former["content_id"])
                if await _change_places(database, upload, former, document):
                    break
            else:
                raise _busy(upload_id)
        if former is not None:
            await self._drop(tenant, former["content_id"])
        return _file(document)

    async def get(self, tenants: Tenants, file_id: str) -> File:
        async with self._mongo.asking() as database:
            return _file(await _get(database, tenants, file_id))

    async def read(self, tenants: Tenants, file_id: str, offset: int, length: int) -> bytes:
        async with self._mongo.asking() as database:
            former = None
            for _ in range(ATTEMPTS):
                file = await _get(database, tenants, file_id)
                end = min(offset + length, file["size_bytes"])
                if offset >= end:
                    return b""
                content = Content(file["tenant_id"], file["content_id"], file["begins_after"], file["writes"])
                data = await self._contents.read(database, content, offset, end)
                if data is not None:
                    return data
                if content == former:
                    raise Internal(f"Bytes of the file {file_id} are missing.")
                former = content  # its bytes go when it is replaced, and then the file has others
        raise _busy(file_id)

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[File]:
        selection = Selection(query, names=("filename",))
        found = self._mongo.database["files"].find(of_tenants(tenants))
        ordered = found.sort([("uploaded_at", ASCENDING), ("file_id", ASCENDING)])
        return await page_of(self._mongo, ordered, selection, _public)

    async def delete(self, tenant: str, file_id: str) -> None:
        async with self._mongo.asking() as database:
            for _ in range(ATTEMPTS):
                file = await _get(database, tenant, file_id)
                upload = await settled(database, "file_uploads").find_one({"tenant_id": tenant, "file_id": file_id})
                contents = [file["content_id"], *([upload["_id"]] if upload else [])]
                await _note(database, tenant, *contents)
                # The upload first: while the file is there, all of this can be done again.
                if upload is not None:
                    await database["file_uploads"].delete_one({"_id": upload["_id"]})
                same = {"_id": file["_id"], "content_id": file["content_id"]}
                if (await database["files"].delete_one(same)).deleted_count:
                    break
            else:
                raise _busy(file_id)
        for content_id in contents:
            await self._drop(tenant, content_id)

    async def prune(self, before: datetime) -> None:
        old = {"opened_at": {"$lt": times.to_micros(before)}}
        async with self._mongo.asking() as database:
            uploads = await settled(database, "file_uploads").find(old).to_list(_PRUNED_AT_ONCE)
        for upload in uploads:
            async with self._mongo.asking() as database:
                await _note(database, upload["tenant_id"], upload["_id"])
                await database["file_uploads"].delete_one({"_id": upload["_id"], **old})
        await self._sweep()

    async def _sweep(self) -> None:
        """Drop contents that have neither file nor upload any more."""
        async with self._mongo.asking() as database:
            remains = await settled(database, "file_remains").find({}).to_list(_PRUNED_AT_ONCE)
        for each in remains:
            async with self._mongo.asking() as database:
                if await _is_used(database, each["tenant_id"], each["_id"]):
                    continue
            await self._contents.drop(each["tenant_id"], each["_id"])
            async with self._mongo.asking() as database:
                await database["file_remains"].delete_one({"_id": each["_id"], "sweeps": {"$gte": _SWEEPS}})
                await database["file_remains"].update_one({"_id": each["_id"]}, {"$inc": {"sweeps": 1}})

    async def _drop(self, tenant: str, content_id: str) -> None:
        with contextlib.suppress(Unavailable):  # nobody sees it any more; what is left goes with the next pruning
            await self._contents.drop(tenant, content_id)

    async def _check_unchanged(self, content: Content) -> None:
        """Raises RevisionConflict when chunks came in since the content was looked at."""
        async with self._mongo.asking() as database:
            upload = await upload_document(database, content.tenant_id, content.content_id)
        if content_of(upload) != content:
            raise RevisionConflict("Chunks were written in between. Finish the upload again.")


async def _get(database: "Database", tenants: Tenants, file_id: str) -> Document:
    one = {"file_id": file_id} if isinstance(tenants, EveryTenant) else {"_id": _id_of(tenants, file_id)}
    found = await settled(database, "files").find_one(one)
    if found is None:
        raise NotFound("file", file_id[:256])
    return found


async def _change_places(database: "Database", upload: Document, former: Document | None, document: Document) -> bool:
    """Whether the upload became the file; False when either of them changed at the same time."""
    same = {name: upload[name] for name in ("_id", "tenant_id", "writes", "opens")}

    async def work(session: "Session") -> bool:
        if not (await database["file_uploads"].delete_one(same, session=session)).deleted_count:
            return False
        if former is not None:
            replaced = {"_id": former["_id"], "content_id": former["content_id"]}
            return (await database["files"].replace_one(replaced, document, session=session)).matched_count == 1
        try:
            await database["files"].insert_one(document, session=session)
        except DuplicateKeyError:
            return False
        return True

    return await together(database, work)


async def _note(database: "Database", tenant: str, *contents: str) -> None:
    """Remember that these contents may be left alone now."""
    noted = [{"_id": each, "tenant_id": tenant, "sweeps": 0} for each in contents]
    await insert_new(database["file_remains"], noted)


async def _is_used(database: "Database", tenant: str, content_id: str) -> bool:
    # The upload first: a content goes from there to its file, never back.
    upload = await settled(database, "file_uploads").find_one({"_id": content_id})
    file = await settled(database, "files").find_one({"tenant_id": tenant, "content_id": content_id})
    return upload is not None or file is not None


def _id_of(tenant: str, file_id: str) -> str:
    return derive_id("file", tenant, file_id)


def _finished(upload: Document, digest: Digest, now: datetime) -> Document:
    content = content_of(upload)
    return {
        "_id": _id_of(upload["tenant_id"], upload["file_id"]),
        **{name: upload[name] for name in ("tenant_id", "file_id", "filename", "content_type", "metadata")},
        "size_bytes": digest.size_bytes,
        "sha256": digest.sha256,
        "content_id": content.content_id,
        "begins_after": content.after,
        "writes": content.up_to,
        "uploaded_at": times.to_micros(now),
    }


def _described(description: Description) -> Document:
    return {
        "filename": description.filename,
        "content_type": description.content_type,
        "metadata": json_text.encode(dict(description.metadata)),
    }


def _description(document: Document) -> Description:
    return Description(document["filename"], document["content_type"], parsed_object(document["metadata"]))


def _file(document: Document) -> File:
    return File(
        file_id=document["file_id"],
        tenant_id=document["tenant_id"],
        description=_description(document),
        size_bytes=document["size_bytes"],
        sha256=document["sha256"],
        content_id=document["content_id"],
        uploaded_at=times.from_micros(document["uploaded_at"]),
    )


def _public(document: Document) -> tuple[File, Record]:
    file = _file(document)
    metadata: dict[str, Json] = {**file.description.metadata, "userId": file.tenant_id}
    return (
        file,
        {
            "fileId": file.file_id,
            "filename": file.description.filename,
            "contentType": file.description.content_type,
            "length": file.size_bytes,
            "chunkSize": MAX_CHUNK_BYTES,
            "sha256": file.sha256,
            "uploadDate": shown(document["uploaded_at"]),
            "metadata": metadata,
        },
    )


def _busy(which: str) -> Unavailable:
    return Unavailable(f"Too many change {which[:256]!r} at once.", retry_after=timedelta(seconds=1))
