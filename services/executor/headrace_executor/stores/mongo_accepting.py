"""New runs in MongoDB: all that arrive while a write is under way are inserted together, each once by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from headrace_core.errors import HeadraceError, Unavailable
from headrace_core.ids import new_id
from headrace_runtime.grouping import Grouping
from headrace_runtime.mongo import RETRY_AFTER, Mongo, duplicates
from pymongo.errors import BulkWriteError

from headrace_executor.model import NewRun
from headrace_executor.store import Accepted
from headrace_executor.stores import mongo_pieces
from headrace_executor.stores.mongo_documents import new_document
from headrace_executor.stores.mongo_doubts import Doubts

DEADLINE = timedelta(milliseconds=1600)
"""How long an event waits for its answer in all. Then its sender is told to come again."""


@dataclass(slots=True, eq=False)
class _Batch:
    runs: Sequence[NewRun]
    owner: str
    now: float
    is_sent: bool = False
    is_given_up: bool = False


class Accepting:
    """Writes new runs."""

    def __init__(self, mongo: Mongo, doubts: Doubts) -> None:
        self._mongo = mongo
        self._doubts = doubts
        self._group: Grouping[_Batch, list[Accepted]] = Grouping(self._write)

    async def put(self, runs: Sequence[NewRun], owner: str, now: float) -> list[Accepted]:
        """Raises Unavailable after a while, whatever the server does."""
        batch = _Batch(runs, owner, now)
        try:
            async with asyncio.timeout(DEADLINE.total_seconds()):
                return await self._group.put(batch)
        except TimeoutError:
            batch.is_given_up = True
            if batch.is_sent:
                self._doubt(batch)
            message = f"MongoDB at {self._mongo.where} did not answer in time."
            raise Unavailable(message, retry_after=RETRY_AFTER) from None

    async def close(self) -> None:
        await self._group.close()

    async def _write(self, batches: Sequence[_Batch]) -> list[list[Accepted] | Exception]:
        sent = [batch for batch in batches if not batch.is_given_up]
        for batch in sent:
            batch.is_sent = True
        try:
            known = await self._insert(sent)
        except HeadraceError:
            for batch in sent:
                self._doubt(batch)
            raise
        return [[] if batch.is_given_up else self._outcomes(batch, known[id(batch)]) for batch in batches]

    async def _insert(self, batches: Sequence[_Batch]) -> dict[int, list[bool]]:
        """Which runs of each batch were there already."""
        given = [(batch, run) for batch in batches for run in batch.runs]
        if not given:
            return {id(batch): [] for batch in batches}
        contents = {run.run_id: mongo_pieces.pack(run.run_id, run.content) for _, run in given}
        await mongo_pieces.write(self._mongo, contents.values())
        mark = new_id()
        documents = [new_document(run, contents[run.run_id].kept, batch.owner, batch.now, mark) for batch, run in given]
        known: set[int] = set()
        async with self._mongo.asking(prompt=True) as database:
            try:
                await database["runs"].insert_many(documents, ordered=False)
            except BulkWriteError as error:
                refused = duplicates(error)
                asked = {"_id": {"$in": [given[index][1].run_id for index in refused]}, "mark": mark}
                ours = {each["_id"] async for each in database["runs"].find(asked, {"_id": 1})}
                known = were_there([run.run_id for _, run in given], refused, ours)
        places = iter(range(len(given)))
        return {id(batch): [next(places) in known for _ in batch.runs] for batch in batches}

    def _outcomes(self, batch: _Batch, known: Sequence[bool]) -> list[Accepted]:
        outcomes = [Accepted(run.run_id, not was_there) for run, was_there in zip(batch.runs, known, strict=True)]
        self._doubts.drop(outcome.run_id for outcome in outcomes if outcome.is_new)
        return outcomes

    def _doubt(self, batch: _Batch) -> None:
        self._doubts.add(batch.owner, {run.run_id: 1 for run in batch.runs if run.owned})


def were_there(names: Sequence[str], refused: Collection[int], ours: Collection[str]) -> set[int]:
    """Which of the refused were there before the write.

    Those that bear its mark were not: the driver sent it twice, as the first answer was lost. Of several of one name
    the first is the new one.
    """
    new = {name for index, name in enumerate(names) if index not in refused}
    known: set[int] = set()
    for index in sorted(refused):
        if names[index] in ours and names[index] not in new:
            new.add(names[index])
        else:
            known.add(index)
    return known
