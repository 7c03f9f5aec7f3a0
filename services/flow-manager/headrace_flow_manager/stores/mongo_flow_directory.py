"""Flows of all tenants in MongoDB, for executors and the reconciler."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING

from headrace_flow_manager.flows.model import Executable, Flow, FlowVersion, Instance, Stage, UsingFlow, types_of
from headrace_flow_manager.stores import mongo_flow_documents as documents
from headrace_flow_manager.stores.mongo_flow_documents import FLOWS, PAST_VERSIONS
from headrace_flow_manager.stores.mongo_values import unpacked
from headrace_flow_manager.stores.mongo_writing import ATTEMPTS

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorDatabase

UNNOTED_AT_ONCE = 200


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

    async def pin(self, flow_id: str, version: int, pins: tuple[str, ...]) -> tuple[str, ...]:
        async with self._mongo.asking() as database:
            for _ in range(ATTEMPTS):
                kept = await database[FLOWS].find_one({"_id": flow_id}, {"version": 1, "pins": 1, "incarnation": 1})
                if kept is None:
                    break
                is_newest = version == kept["version"]
                name, found_id = (FLOWS, flow_id) if is_newest else (PAST_VERSIONS, documents.past_id(kept, version))
                here = {"_id": found_id, "version": version}
                change = {"$set": {"pins": list(pins)}}
                if (await database[name].update_one({**here, **documents.pinned_as(())}, change)).matched_count:
                    return pins
                found = await database[name].find_one(here, {"pins": 1})
                if found is not None:
                    return tuple(found.get("pins", ()))
                if not is_newest:  # else it was replaced in between, and is among the past ones now
                    break
        raise NotFound("flow version", f"{flow_id}:{version}")

    async def pinned(self, content_ids: Collection[str]) -> Collection[str]:
        found: set[str] = set()
        async with self._mongo.asking() as database:
            for content_id in content_ids:
                for name in (FLOWS, PAST_VERSIONS):
                    if await database[name].find_one({"pins": content_id}, {"_id": 1}) is not None:
                        found.add(content_id)
        return found

    async def using(self, selector: str, limit: int) -> Sequence[UsingFlow]:
        found = [*await self._noted(selector, limit), *await self._unnoted(selector)]
        return sorted(found, key=lambda each: each.flow_id)[:limit]

    async def _noted(self, selector: str, limit: int) -> list[UsingFlow]:
        under = {"types": {"$elemMatch": {"$gte": f"{selector}.", "$lt": f"{selector}/"}}}
        here = {"removed": False, "$or": [{"types": selector}, under]}
        async with self._mongo.asking() as database:
            found = database[FLOWS].find(here, {"tenant_id": 1, "name": 1}).sort("_id", ASCENDING).limit(limit)
            return [UsingFlow(kept["tenant_id"], kept["_id"], kept["name"]) async for kept in found]

    async def _unnoted(self, selector: str) -> list[UsingFlow]:
        """Flows that were last saved by a release that did not note what they use: each is looked into."""
        found: list[UsingFlow] = []
        after = ""
        page: list[Document] = [{}]
        while page:
            async with self._mongo.asking() as database:
                here = {"removed": False, "types": {"$exists": False}, "_id": {"$gt": after}}
                cursor = database[FLOWS].find(here, documents.WITHOUT_RECORD).sort("_id", ASCENDING)
                page = await cursor.limit(UNNOTED_AT_ONCE).to_list(UNNOTED_AT_ONCE)
            for kept in page:
                after = kept["_id"]
                types = types_of(unpacked(kept["descriptor"]))
                if any(f"{each}.".startswith(f"{selector}.") for each in types):
                    found.append(UsingFlow(kept["tenant_id"], after, kept["name"]))
        return found

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
