"""Attempts to sign in, counted over all processes in MongoDB."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from headrace_runtime.mongo import Document, Mongo
from pymongo import DeleteOne, UpdateOne
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import times
from headrace_flow_manager.people.model import AttemptKey

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorCollection

ATTEMPTS: Final = "attempts"


class MongoAttempts:
    """The attempts of the PeopleStore: a counter for each key, and one conditional write to claim an attempt."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def claim(self, keys: Sequence[AttemptKey], now: datetime, window: timedelta) -> datetime | None:
        """As the port says. What was counted for the keys before one at its limit is taken back; a death in between
        leaves an attempt too many counted, never one too few."""
        async with self._mongo.asking() as database:
            counters = database[ATTEMPTS]
            for number, key in enumerate(keys):
                until = await _claim_one(counters, key, now, window)
                if until is not None:
                    for claimed in keys[:number]:
                        await counters.update_one(*_one_less(claimed))
                    return until
        return None

    async def forgive(self, keys: Sequence[AttemptKey]) -> None:
        # Others share an address: only this attempt is taken back.
        changes = [
            UpdateOne(*_one_less(key)) if key.kind == "address" else DeleteOne({"_id": _id_of(key)}) for key in keys
        ]
        if changes:
            async with self._mongo.asking() as database:
                await database[ATTEMPTS].bulk_write(changes, ordered=False)

    async def prune(self, begin: datetime) -> None:
        """Take away the counters of windows that began then or before."""
        async with self._mongo.asking() as database:
            await database[ATTEMPTS].delete_many({"first_at": {"$lte": times.to_micros(begin)}})


async def _claim_one(
    counters: "AsyncIOMotorCollection[Document]", key: AttemptKey, now: datetime, window: timedelta
) -> datetime | None:
    """None when the attempt was counted, else when to come back."""
    begin, place = times.to_micros(now - window), {"_id": _id_of(key)}
    first = {"first_at": times.to_micros(now)}
    while True:
        below = {**place, "first_at": {"$gt": begin}, "made": {"$lt": key.limit}}
        try:
            # Makes the counter where there is none; where there is one that does not fit, its id is taken.
            await counters.update_one(below, {"$inc": {"made": 1}, "$setOnInsert": first}, upsert=True)
        except DuplicateKeyError:
            outlived = {**place, "first_at": {"$lte": begin}}
            if (await counters.update_one(outlived, {"$set": {**first, "made": 1}})).matched_count:
                return None
            kept = await counters.find_one(place)
            if kept is not None and kept["first_at"] > begin and kept["made"] >= key.limit:
                return times.from_micros(kept["first_at"]) + window
        else:
            return None


def _one_less(key: AttemptKey) -> tuple[Document, Document]:
    return {"_id": _id_of(key), "made": {"$gt": 0}}, {"$inc": {"made": -1}}


def _id_of(key: AttemptKey) -> bytes:
    """A key of one size, whatever was typed."""
    return hashlib.sha256(f"{key.kind}\n{key.value}".encode("utf-8", "surrogatepass")).digest()
