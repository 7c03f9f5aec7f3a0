"""Removals of users in MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from headrace_core.errors import NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import times
from headrace_flow_manager.people.departure import Departure, Status

DEPARTURES: Final = "departures"
_UNDER_WAY: Final = {"status": Status.IN_PROGRESS.value}

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    DEPARTURES: [
        IndexModel([("user_id", ASCENDING)], unique=True, partialFilterExpression=_UNDER_WAY),
        IndexModel([("status", ASCENDING), ("changed_at", ASCENDING)]),
    ]
}


class MongoDepartures:
    """The DepartureStore in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def begin(self, departure: Departure) -> Departure:
        user = {"user_id": departure.user_id}
        async with self._mongo.asking() as database:
            while True:
                try:
                    await database[DEPARTURES].insert_one({"_id": departure.ticket, **user, **_changing(departure)})
                except DuplicateKeyError:
                    kept = await database[DEPARTURES].find_one({**user, **_UNDER_WAY})
                    if kept is not None:  # else it ended in between, and there is room for a new one
                        return _departure(kept)
                else:
                    return departure

    async def get(self, user_id: str, ticket: str) -> Departure:
        async with self._mongo.asking() as database:
            kept = await database[DEPARTURES].find_one({"_id": ticket, "user_id": user_id})
        if kept is None:
            raise NotFound("ticket", ticket)
        return _departure(kept)

    async def under_way(self, limit: int) -> Sequence[Departure]:
        async with self._mongo.asking() as database:
            cursor = database[DEPARTURES].find(_UNDER_WAY).sort("changed_at", ASCENDING).limit(limit)
            return [_departure(kept) async for kept in cursor]

    async def save(self, departure: Departure) -> None:
        place = {"_id": departure.ticket, **_UNDER_WAY, "steps_done": {"$lte": departure.steps_done}}
        async with self._mongo.asking() as database:
            await database[DEPARTURES].update_one(place, {"$set": _changing(departure)})

    async def prune(self, before: datetime) -> None:
        ended = {"status": {"$ne": Status.IN_PROGRESS.value}, "changed_at": {"$lt": times.to_micros(before)}}
        async with self._mongo.asking() as database:
            await database[DEPARTURES].delete_many(ended)


def _changing(departure: Departure) -> Document:
    return {
        "status": departure.status.value,
        "steps_done": departure.steps_done,
        "steps_total": departure.steps_total,
        "error": departure.error,
        "changed_at": times.to_micros(departure.changed_at),
    }


def _departure(kept: Document) -> Departure:
    return Departure(
        ticket=kept["_id"],
        user_id=kept["user_id"],
        steps_total=kept["steps_total"],
        changed_at=times.from_micros(kept["changed_at"]),
        steps_done=kept["steps_done"],
        status=Status(kept["status"]),
        error=kept["error"],
    )
