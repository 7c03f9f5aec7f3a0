"""Turns at flows in MongoDB."""

from headrace_runtime.mongo import Document, Mongo
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager.flows.model import Turn

TURNS = "flow_turns"


class MongoTurns:
    """The TurnStore in MongoDB: a document for each flow at which somebody is."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def take(self, flow_id: str, turn: Turn, instead_of: Turn | None) -> Turn | None:
        async with self._mongo.asking() as database:
            if instead_of is not None:
                given_up = {"_id": flow_id, **_fields(instead_of)}
                if (await database[TURNS].update_one(given_up, {"$set": _fields(turn)})).matched_count:
                    return None
            try:
                await database[TURNS].insert_one({"_id": flow_id, **_fields(turn)})
            except DuplicateKeyError:
                kept = await database[TURNS].find_one({"_id": flow_id})
            else:
                return None
        if kept is None:
            return Turn("", 0)  # it ended just now: asking again gets it
        return None if kept["holder"] == turn.holder else Turn(kept["holder"], kept["beat"])

    async def renew(self, flow_id: str, holder: str) -> bool:
        async with self._mongo.asking() as database:
            renewed = await database[TURNS].update_one({"_id": flow_id, "holder": holder}, {"$inc": {"beat": 1}})
        return renewed.matched_count == 1

    async def end(self, flow_id: str, holder: str) -> None:
        async with self._mongo.asking() as database:
            await database[TURNS].delete_one({"_id": flow_id, "holder": holder})


def _fields(turn: Turn) -> Document:
    return {"holder": turn.holder, "beat": turn.beat}
