"""Tasks in MongoDB: a document each; every change is one conditional write of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from headrace_core.errors import Conflict, NotFound, RevisionConflict
from headrace_core.ids import new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel

from headrace_flow_manager import times
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.stores.mongo_selection import page_of
from headrace_flow_manager.stores.mongo_values import packed, unpacked
from headrace_flow_manager.stores.task_documents import document_of, looked_up_of, task_of
from headrace_flow_manager.tasks import model
from headrace_flow_manager.tasks.model import Role, Task, Viewer

TASKS: Final = "tasks"
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    TASKS: [
        IndexModel([("tenant_id", ASCENDING), ("created_at", ASCENDING)]),
        IndexModel([("approver_key", ASCENDING), ("created_at", ASCENDING)]),
        IndexModel([("requester_key", ASCENDING), ("created_at", ASCENDING)]),
        IndexModel([("approver_hash", ASCENDING)], unique=True),
        IndexModel([("requester_hash", ASCENDING)], unique=True),
        # Across tenants: what ends by itself, and what is still to be told.
        IndexModel([("open_until", ASCENDING)]),
        IndexModel([("tell_at", ASCENDING)]),
    ],
}


class MongoTaskStore:
    """The TaskStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def add(self, task: Task, limit: int) -> None:
        made = {"tenant_id": task.tenant_id, "created_at": times.to_micros(task.created_at), **_changing(task)}
        async with self._mongo.asking() as database:
            if await database[TASKS].count_documents({"tenant_id": task.tenant_id}) >= limit:
                raise Conflict(f"There are {limit} tasks already: delete one first.")
            await database[TASKS].update_one({"_id": task.task_id}, {"$setOnInsert": made}, upsert=True)

    async def get(self, viewer: Viewer, task_id: str) -> Task:
        async with self._mongo.asking() as database:
            found = await database[TASKS].find_one({"_id": task_id, **_seen_by(viewer)})
        if found is None:
            raise NotFound("task", task_id[:100])
        return _task(found)

    async def page(self, viewer: Viewer, role: Role | None, query: ListQuery, now: datetime) -> Page[Task]:
        selection = Selection(query, names=("title",))
        found = self._mongo.database[TASKS].find(_seen_by(viewer, role))

        def show(kept: Document) -> tuple[Task, Record]:
            task = model.at(_task(kept), now)
            return task, model.shown_to(task, viewer)

        return await page_of(self._mongo, found.sort([("created_at", ASCENDING), ("_id", ASCENDING)]), selection, show)

    async def replace(self, task: Task, before: int) -> None:
        async with self._mongo.asking() as database:
            whose, write_id = {"_id": task.task_id, "tenant_id": task.tenant_id}, new_id()
            change = {"$set": {**_changing(task), "write_id": write_id}}
            written = await database[TASKS].update_one({**whose, "revision": before}, change)
            if written.matched_count:
                return
            kept = await database[TASKS].find_one(whose)
        if kept is None:
            raise NotFound("task", task.task_id[:100])
        if kept.get("write_id") == write_id:
            return  # the first answer was lost on the way
        raise RevisionConflict(f"Task {task.task_id!r} was changed in between. Read it again.")

    async def delete(self, tenant: str, task_id: str) -> None:
        async with self._mongo.asking() as database:
            gone = await database[TASKS].delete_one({"_id": task_id, "tenant_id": tenant})
        if not gone.deleted_count:
            raise NotFound("task", task_id[:100])

    async def delete_owned(self, tenant: str) -> None:
        async with self._mongo.asking() as database:
            await database[TASKS].delete_many({"tenant_id": tenant})


class MongoTaskAgenda:
    """The TaskAgenda in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def overdue(self, now: datetime, limit: int) -> Sequence[Task]:
        return await self._found("open_until", now, limit)

    async def untold(self, now: datetime, limit: int) -> Sequence[Task]:
        return await self._found("tell_at", now, limit)

    async def postpone(self, task: Task, until: datetime) -> None:
        here = {"_id": task.task_id, "revision": task.revision, "tell_at": {"$ne": None}}
        async with self._mongo.asking() as database:
            await database[TASKS].update_one(here, {"$set": {"tell_at": times.to_micros(until)}})

    async def _found(self, field: str, now: datetime, limit: int) -> Sequence[Task]:
        here = {field: {"$gte": 0, "$lte": times.to_micros(now)}}
        async with self._mongo.asking() as database:
            found = database[TASKS].find(here).sort([(field, ASCENDING), ("_id", ASCENDING)]).limit(limit)
            return [_task(each) async for each in found]


def _seen_by(viewer: Viewer, role: Role | None = None) -> Document:
    """A condition that keeps a read to what the viewer may see; it finds nothing for somebody who is nobody."""
    claims: list[Document] = [{name: {"$eq": value}} for name, value in viewer.claims(role)]
    return {"$or": claims} if claims else {"_id": {"$in": []}}


def _changing(task: Task) -> Document:
    return {**looked_up_of(task), "document": packed(document_of(task))}


def _task(kept: Document) -> Task:
    return task_of({**kept, "task_id": kept["_id"]}, unpacked(kept["document"]))
