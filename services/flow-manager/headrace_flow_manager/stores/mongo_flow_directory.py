"""Flows of all tenants in MongoDB, for executors and the reconciler."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING

from headrace_flow_manager.flows.model import Executable, Flow, FlowVersion, Instance, Stage
from headrace_flow_manager.stores import mongo_flow_documents as documents
from headrace_flow_manager.stores.mongo_flow_documents import FLOWS, PAST_VERSIONS

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorDatabase


class MongoFlowDirectory:
    """The FlowDirectory in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def find(self, flow_id: str) -> Flow:
        async with self._mongo.asking() as database:
            kept = await database[FLOWS].find_one({"_id": flow_id})
        if kept is None:
            raise NotFound("flow", flow_id)
        return documents.flow(kept)

    async def executable(self, flow_id: str, version: int) -> Executable:
        """As the port says. A version that was replaced costs a second round trip."""
        async with self._mongo.asking() as database:
            kept = await database[FLOWS].find_one({"_id": flow_id}, documents.WITHOUT_RECORD)
            if kept is None:
                raise NotFound("flow", flow_id)
            wanted = version or kept["running_version"]
            contents = await _contents(database, {flow_id: (kept, wanted)}) if wanted else {}
        if version and flow_id not in contents:
            raise NotFound("flow version", f"{flow_id}:{version}")
        found = documents.version(kept, contents[flow_id]) if flow_id in contents else None
        return Executable(kept["tenant_id"], Stage(kept["stage"]), kept["removed"], found)

    async def active(self, after_flow_id: str, limit: int) -> Sequence[FlowVersion]:
        async with self._mongo.asking() as database:
            here = {"active": True, "_id": {"$gt": after_flow_id}}
            order = [("active", ASCENDING), ("_id", ASCENDING)]
            cursor = database[FLOWS].find(here, documents.WITHOUT_RECORD).sort(order).limit(limit)
            wanted = {kept["_id"]: (kept, kept["running_version"]) async for kept in cursor}
            contents = await _contents(database, wanted)
        return [
            documents.version(kept, contents[flow_id]) for flow_id, (kept, _) in wanted.items() if flow_id in contents
        ]

    async def instances(self, template_id: str, after_flow_id: str, limit: int) -> Sequence[Instance]:
        if not template_id:
            return []
        async with self._mongo.asking() as database:
            here = {"template_id": template_id, "_id": {"$gt": after_flow_id}, "removed": False}
            order = [("template_id", ASCENDING), ("_id", ASCENDING)]
            cursor = database[FLOWS].find(here, {"tenant_id": 1}).sort(order).limit(limit)
            return [Instance(kept["tenant_id"], kept["_id"]) async for kept in cursor]

    async def unfinished(self, after_flow_id: str, limit: int) -> Sequence[Flow]:
        async with self._mongo.asking() as database:
            here = {"settled": False, "_id": {"$gt": after_flow_id}}
            order = [("settled", ASCENDING), ("_id", ASCENDING)]
            return [documents.flow(kept) async for kept in database[FLOWS].find(here).sort(order).limit(limit)]


async def _contents(
    database: "AsyncIOMotorDatabase[Document]", wanted: dict[str, tuple[Document, int]]
) -> dict[str, Document]:
    """By flow the document with the content of the wanted version, where there is one."""
    found = {flow_id: kept for flow_id, (kept, version) in wanted.items() if version == kept["version"]}
    past = {
        documents.past_id(kept, version): flow_id for flow_id, (kept, version) in wanted.items() if flow_id not in found
    }
    if past:
        async for each in database[PAST_VERSIONS].find({"_id": {"$in": list(past)}}):
            found[past[each["_id"]]] = each
    return found
