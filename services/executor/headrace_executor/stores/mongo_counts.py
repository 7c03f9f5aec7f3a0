"""Counts of messages in MongoDB: first in the documents of the runs, later in one document for each day of a flow.

A commit counts in the document of its run, behind the run's fence, so each message counts once. From there the counts
of many runs are folded into the days, a batch now and then, and all of them before the runs are removed: a fold writes
each run twice, which a busy time must not pay for. A fold is written down (`folds`) before it does anything, and
whoever finds one that is not done finishes it, readers included:

1. It takes: each run that still has the `seq` that was read loses its counts and bears the fold's id instead.
2. It adds the counts of all runs that bear its id to their days; a day remembers the folds that were added to it.
3. It takes its id from the runs and is done. It is kept for a while, for readers to notice.

Every step may be done again, by several at once. A run that bears a fold's id is in no other fold and is not removed.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from headrace_core.clock import Clock
from headrace_core.errors import Unavailable
from headrace_core.ids import new_id
from headrace_runtime.mongo import DUPLICATE_KEY, Document, Mongo
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from headrace_executor.counting import CountQuery, DayCount, by_day

COUNTED_ALREADY: Document = {"counted": None, "fold": None}
"""Holds of runs all of whose messages are in the days."""

FOLDED_AT_ONCE = 500
FOLDS_REMEMBERED = 100
DONE_KEPT_SECONDS = 600.0
ATTEMPTS = 10

_Sums = dict[tuple[str, str], list[DayCount]]


def more(messages: Sequence[DayCount]) -> dict[str, int]:
    """How a commit counts in the document of its run, for `$inc`."""
    counted = {f"counts.{each.day}.count": each.count for each in messages}
    return counted | {f"counts.{each.day}.size": each.size for each in messages}


class Counts:
    """Folds counts of runs into days, and reads both."""

    def __init__(self, mongo: Mongo, clock: Clock) -> None:
        self._mongo = mongo
        self._clock = clock

    async def fold(self, where: Document, *, batches: int | None = None) -> None:
        """Add to the days what the runs counted that `where` holds for, so many batches of them, or all."""
        for _ in itertools.count() if batches is None else range(batches):
            await self._finish_all()
            async with self._mongo.asking() as database:
                found = database["runs"].find({"counted": True, **where, "fold": None}, _SHOWN).limit(FOLDED_AT_ONCE)
                runs = await found.to_list(FOLDED_AT_ONCE)
            if not runs:
                return
            fold: Document = {
                "_id": new_id(),
                "at": self._clock.now().timestamp(),
                "done": False,
                "runs": [[each[name] for name in ("_id", "seq", "tenant_id", "flow_id", "counts")] for each in runs],
            }
            async with self._mongo.asking() as database:
                with contextlib.suppress(DuplicateKeyError):  # this very one: the driver sent it again
                    await database["folds"].insert_one(fold)
            await self._finish(fold)

    async def messages(self, query: CountQuery) -> list[DayCount]:
        """By day; of a moment at which no fold was under way. Raises Unavailable when there is none for too long."""
        for _ in range(ATTEMPTS):
            await self._finish_all()
            before = await self._folds()
            found = await self._read(query)
            if all(before.values()) and await self._folds() == before:
                return found
        raise Unavailable("Messages are being added up right now. Ask again in a moment.")

    async def forget(self, tenant_id: str) -> None:
        """Forget the counts of a tenant."""
        await self.fold({"tenant_id": tenant_id})
        async with self._mongo.asking() as database:
            await database["message_counts"].delete_many({"tenant_id": tenant_id})

    async def _folds(self) -> Mapping[str, bool]:
        async with self._mongo.asking() as database:
            return {each["_id"]: each["done"] async for each in database["folds"].find({}, {"done": 1})}

    async def _read(self, query: CountQuery) -> list[DayCount]:
        mine: Document = {} if query.tenant_id is None else {"tenant_id": query.tenant_id}
        if query.flow_id:
            mine["flow_id"] = query.flow_id
        days = {"day": {"$gte": query.first_day, "$lte": query.last_day}}
        async with self._mongo.asking() as database:
            folded = database["message_counts"].find({**mine, **days}, {"day": 1, "count": 1, "size": 1})
            counts = [DayCount(each["day"], each["count"], each["size"]) async for each in folded]
            async for run in database["runs"].find({**mine, "counted": True}, {"counts": 1}):
                counts += _counts_of(run["counts"])
        return by_day(each for each in counts if query.first_day <= each.day <= query.last_day)

    async def _finish_all(self) -> None:
        """Finish what others began, and forget what was done long ago."""
        long_ago = self._clock.now().timestamp() - DONE_KEPT_SECONDS
        async with self._mongo.asking() as database:
            begun = await database["folds"].find({"done": False}).to_list(None)
            await database["folds"].delete_many({"done": True, "at": {"$lt": long_ago}})
        for fold in begun:
            await self._finish(fold)

    async def _finish(self, fold: Document) -> None:
        name, runs = fold["_id"], fold["runs"]
        names = [run_id for run_id, *_ in runs]
        async with self._mongo.asking() as database:
            await database["runs"].bulk_write([_take(name, run_id, seq) for run_id, seq, *_ in runs], ordered=False)
            found = database["runs"].find({"_id": {"$in": names}, "fold": name}, {"_id": 1})
            taken = {each["_id"] async for each in found}
        sums: _Sums = {}
        for run_id, _, tenant_id, flow_id, counts in runs:
            if run_id in taken:
                sums.setdefault((tenant_id, flow_id), []).extend(_counts_of(counts))
        await self._add(name, {place: by_day(counts) for place, counts in sums.items()})
        async with self._mongo.asking() as database:
            await database["runs"].update_many({"_id": {"$in": names}, "fold": name}, {"$unset": {"fold": ""}})
            await database["folds"].update_one({"_id": name}, {"$set": {"done": True, "runs": []}})

    async def _add(self, name: str, sums: _Sums) -> None:
        adding = {
            f"{tenant_id}/{flow_id}/{each.day}": (tenant_id, flow_id, each)
            for (tenant_id, flow_id), counts in sums.items()
            for each in counts
        }
        for _ in range(ATTEMPTS):
            async with self._mongo.asking() as database:
                found = database["message_counts"].find({"_id": {"$in": list(adding)}, "folds": name}, {"_id": 1})
                for known in [each["_id"] async for each in found]:
                    del adding[known]
                if not adding:
                    return
                try:
                    operations = [_added(name, key, *given) for key, given in adding.items()]
                    await database["message_counts"].bulk_write(operations, ordered=False)
                except BulkWriteError as error:
                    if not _is_known_already(error):
                        raise
        raise Unavailable("A day's messages are added up by too many at the same time.")


_SHOWN = dict.fromkeys(("seq", "tenant_id", "flow_id", "counts"), 1)


def _counts_of(counts: Document) -> list[DayCount]:
    return [DayCount(int(day), each["count"], each["size"]) for day, each in counts.items()]


def _take(name: str, run_id: str, seq: int) -> UpdateOne:
    return UpdateOne(
        {"_id": run_id, "seq": seq, "counted": True, "fold": None},
        {"$unset": {"counts": "", "counted": ""}, "$set": {"fold": name}},
    )


def _added(name: str, key: str, tenant_id: str, flow_id: str, counted: DayCount) -> UpdateOne:
    return UpdateOne(
        {"_id": key, "folds": {"$ne": name}},
        {
            "$inc": {"count": counted.count, "size": counted.size},
            "$push": {"folds": {"$each": [name], "$slice": -FOLDS_REMEMBERED}},
            "$setOnInsert": {"tenant_id": tenant_id, "flow_id": flow_id, "day": counted.day},
        },
        upsert=True,
    )


def _is_known_already(error: BulkWriteError) -> bool:
    """Whether all that failed was made in between: by this fold, or by another one."""
    details: Mapping[str, Any] = error.details
    failed = details.get("writeErrors", [])
    return not details.get("writeConcernErrors") and all(each["code"] == DUPLICATE_KEY for each in failed)
