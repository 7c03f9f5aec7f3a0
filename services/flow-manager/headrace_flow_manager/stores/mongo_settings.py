"""Installation-wide documents in MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from headrace_core import Json
from headrace_runtime.mongo import Mongo
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager.stores.mongo_values import packed, unpacked
from headrace_flow_manager.stores.values import micros

INDEXES: Mapping[str, Sequence[IndexModel]] = {}

DOCUMENTS: Final = "documents"


class MongoSettingsStore:
    """The DocumentStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def get(self, name: str) -> Mapping[str, Json] | None:
        async with self._mongo.asking() as database:
            kept = await database[DOCUMENTS].find_one({"_id": name})
        return None if kept is None else unpacked(kept["document"])

    async def put(self, actor: str, name: str, document: Mapping[str, Json], now: datetime) -> None:
        kept = {"document": packed(document), "changed_by": actor, "changed_at": micros(now)}
        async with self._mongo.asking() as database:
            await database[DOCUMENTS].update_one({"_id": name}, {"$set": kept}, upsert=True)

    async def replace(
        self, before: Mapping[str, Json] | None, actor: str, name: str, document: Mapping[str, Json], now: datetime
    ) -> bool:
        kept = {"document": packed(document), "changed_by": actor, "changed_at": micros(now)}
        async with self._mongo.asking() as database:
            if before is not None:
                here = {"_id": name, "document": packed(before)}
                changed = (await database[DOCUMENTS].update_one(here, {"$set": kept})).matched_count > 0
            else:
                try:
                    await database[DOCUMENTS].insert_one({"_id": name, **kept})
                    changed = True
                except DuplicateKeyError:
                    changed = False
            # Else the first answer may have been lost on the way.
            return changed or await database[DOCUMENTS].find_one({"_id": name}) == {"_id": name, **kept}

    async def remove(self, before: Mapping[str, Json], name: str) -> bool:
        async with self._mongo.asking() as database:
            removed = await database[DOCUMENTS].delete_one({"_id": name, "document": packed(before)})
        return removed.deleted_count > 0

    async def delete(self, name: str) -> None:
        async with self._mongo.asking() as database:
            await database[DOCUMENTS].delete_one({"_id": name})
