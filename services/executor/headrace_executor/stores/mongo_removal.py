"""Taking runs away with all that belongs to them, so that a death on the way leaves nothing behind for ever."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from headrace_core.ids import new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo.errors import DuplicateKeyError

_BELONGINGS = ("pages", "pieces", "state_changes", "unprocessed")


async def remove(mongo: Mongo, names: Sequence[str], where: Document) -> int:
    """Take away those of these runs that `where` still holds for; how many there were.

    What is about to go is written down first, and finished by `finish` where this is cut off.
    """
    if not names:
        return 0
    grave = {"_id": new_id(), "runs": list(names)}
    async with mongo.asking() as database:
        with contextlib.suppress(DuplicateKeyError):  # this very one: the driver sent it again
            await database["graves"].insert_one(grave)
        removed = await database["runs"].delete_many({**where, "_id": {"$in": list(names)}})
    await _bury(mongo, grave)
    return removed.deleted_count


async def finish(mongo: Mongo) -> None:
    """Finish what was cut off."""
    async with mongo.asking() as database:
        graves = await database["graves"].find({}).limit(10).to_list(10)
    for grave in graves:
        await _bury(mongo, grave)


async def _bury(mongo: Mongo, grave: Document) -> None:
    async with mongo.asking() as database:
        alive = {run["_id"] async for run in database["runs"].find({"_id": {"$in": grave["runs"]}}, {"_id": 1})}
        gone = {"run_id": {"$in": [name for name in grave["runs"] if name not in alive]}}
        for collection in _BELONGINGS:
            await database[collection].delete_many(gone)
        await database["graves"].delete_one({"_id": grave["_id"]})
