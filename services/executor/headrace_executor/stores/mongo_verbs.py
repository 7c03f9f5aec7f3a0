"""Verbs of kept state that answer: each is put into the outbox of its run, behind the run's fence, and then done.

What decides is that one write. It names the run's epoch and its `turn`, which every write of the run counts up: so a
verb that somebody held back, or that the network did, comes too late for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from headrace_core.clock import Clock
from headrace_core.errors import Fenced, Unavailable
from headrace_core.expressions import Json
from headrace_runtime.grouping import Grouping
from headrace_runtime.mongo import Document, Mongo
from pymongo import UpdateOne

from headrace_executor.model import StateVerb
from headrace_executor.stores import mongo_pieces
from headrace_executor.stores.mongo_documents import OPEN
from headrace_executor.stores.mongo_outbox import EMPTY, Errands, Outbox, entry

ATTEMPTS = 10


class Verbs:
    """Carries verbs out. `fenced=False` exists for the chaos tests, which must turn red with it."""

    def __init__(self, mongo: Mongo, outbox: Outbox, clock: Clock, *, fenced: bool) -> None:
        self._mongo = mongo
        self._outbox = outbox
        self._clock = clock
        self._fenced = fenced
        self._group: Grouping[StateVerb, Json] = Grouping(self._write, lane=lambda asked: asked.run_id)

    async def put(self, asked: StateVerb) -> Json:
        return await self._group.put(asked)

    async def close(self) -> None:
        await self._group.close()

    async def _write(self, verbs: Sequence[StateVerb]) -> Sequence[Json | Exception]:
        keys = await self._outbox.keys_cleared([change for asked in verbs for change in asked.before])
        now = self._clock.now().timestamp()
        orders = [_Order(asked, Errands.of_verb(asked, keys, now), fenced=self._fenced) for asked in verbs]
        await mongo_pieces.write(self._mongo, [order.packed for order in orders])
        for _ in range(ATTEMPTS):
            unknown = [order for order in orders if order.answer is None]
            if not unknown:
                break
            await self._admit(unknown)
        admitted = [order for order in orders if order.answer is True]
        if admitted:
            await self._outbox.carry_out([order.errands for order in admitted])
        return [order.said() for order in orders]

    async def _admit(self, orders: Sequence[_Order]) -> None:
        """Put into their outboxes what may still be put there, and do first what is in the way."""
        shown = dict.fromkeys(("tenant_id", "epoch", "state", "turn", "outbox"), 1)
        async with self._mongo.asking() as database:
            found = database["runs"].find({"_id": {"$in": [order.asked.run_id for order in orders]}}, shown)
            runs = {run["_id"]: run async for run in found}
        for order in orders:
            order.look_at(runs.get(order.asked.run_id))
        unknown = [order for order in orders if order.answer is None]
        await self._outbox.carry_out_of([runs[order.asked.run_id] for order in unknown])
        if unknown:
            async with self._mongo.asking() as database:
                operations = [order.operation(runs[order.asked.run_id]) for order in unknown]
                written = await database["runs"].bulk_write(operations, ordered=False)
            if written.matched_count == len(unknown):
                for order in unknown:
                    order.answer = True


class _Order:
    """A verb on its way into the outbox of its run. Its answer is True once it is there."""

    def __init__(self, asked: StateVerb, errands: Errands, *, fenced: bool) -> None:
        self.asked = asked
        self.errands = errands
        self.packed = mongo_pieces.pack(asked.run_id, errands.encoded())
        self.answer: bool | Exception | None = None
        self._fenced = fenced

    def look_at(self, run: Document | None) -> None:
        if run is None or (self._fenced and (run["epoch"] != self.asked.epoch or run["state"] >= OPEN)):
            self.answer = Fenced(f"Run {self.asked.run_id} belongs to another executor by now.")
        elif any(owed["token"] == self.errands.token for owed in run["outbox"]):
            self.answer = True

    def operation(self, run: Document) -> UpdateOne:
        fence: dict[str, Any] = {"_id": self.asked.run_id, "turn": run["turn"], **EMPTY}
        if self._fenced:
            fence |= {"epoch": self.asked.epoch, "state": {"$lt": OPEN}}
        return UpdateOne(fence, {"$inc": {"turn": 1}, "$push": {"outbox": entry(self.errands, self.packed)}})

    def said(self) -> Json | Exception:
        if isinstance(self.answer, Exception):
            return self.answer
        verb = self.errands.verb
        if self.answer is None or verb is None:
            return Unavailable(f"Run {self.asked.run_id} is written too often at the same time.")
        result: Json | Exception = verb.refusal or orjson.loads(verb.result)
        return result
