"""Commits of runs in MongoDB: each one conditional update of the run's document, many of them in one bulk write.

A bulk answers only how many of its updates found their document. When all did, which is the rule, that is the answer
for each. Else the documents are looked at: every commit leaves a mark of its own, so it is known whether it is
written; and one that only stood before a full document, an unexpected inbox or an outbox that is not empty is tried
again with that in mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace_core.errors import Unavailable
from headrace_core.ids import new_id
from headrace_runtime.grouping import Grouping
from headrace_runtime.mongo import Document, Mongo
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from headrace_executor.model import Commit, RunState
from headrace_executor.stores import mongo_counts, mongo_pages, mongo_pieces
from headrace_executor.stores.mongo_documents import OPEN
from headrace_executor.stores.mongo_outbox import EMPTY, Errands, Outbox, entry
from headrace_executor.stores.mongo_pages import PAGE_BYTES
from headrace_executor.stores.mongo_spool import Spool

ATTEMPTS = 10
NOTHING = b"[]"
_SETTLED = (RunState.WAITING, RunState.DONE, RunState.FAILED)


class Commits:
    """Writes commits. `fenced=False` exists for the chaos tests, which must turn red with it."""

    def __init__(self, mongo: Mongo, outbox: Outbox, spool: Spool, *, fenced: bool) -> None:
        self._mongo = mongo
        self._outbox = outbox
        self._spool = spool
        self._fenced = fenced
        self._group: Grouping[Commit, bool] = Grouping(self._write, lane=lambda commit: commit.run_id)

    async def put(self, commit: Commit) -> bool:
        return await self._group.put(commit)

    async def close(self) -> None:
        await self._group.close()

    async def _write(self, commits: Sequence[Commit]) -> Sequence[bool | Exception]:
        keys = await self._outbox.keys_cleared([change for commit in commits for change in commit.changes])
        orders = [_Order(commit, Errands.of_commit(commit, keys), fenced=self._fenced) for commit in commits]
        await mongo_pieces.write(self._mongo, [packed for order in orders for packed in order.packed])
        chunks = [(order.commit.run_id, order.commit.seq + 1) for order in orders if order.records is not None]
        async with self._spool.naming(chunks):
            await self._try_until_known(orders)
        await self._run_errands(orders)
        return [order.answer for order in orders]

    async def _try_until_known(self, orders: Sequence[_Order]) -> None:
        for _ in range(ATTEMPTS):
            unknown = [order for order in orders if not order.is_known]
            if not unknown:
                return
            async with self._mongo.asking() as database:
                try:
                    written = await database["runs"].bulk_write([each.operation() for each in unknown], ordered=False)
                    if written.matched_count == len(unknown):
                        for order in unknown:
                            order.settle(True)
                        return
                except BulkWriteError as error:
                    if error.details.get("writeConcernErrors"):
                        raise
                    for failed in error.details["writeErrors"]:
                        unknown[failed["index"]].fail(failed)
            await self._look([order for order in unknown if not order.is_known])

    async def _look(self, orders: Sequence[_Order]) -> None:
        """Find out what became of these, and what those need that could still be written."""
        shown = dict.fromkeys(
            ("tenant_id", "epoch", "seq", "state", "mark", "size", "outbox", "inbox.number", "inbox.kind"), 1
        )
        async with self._mongo.asking() as database:
            names = [order.commit.run_id for order in orders]
            found = {each["_id"]: each async for each in database["runs"].find({"_id": {"$in": names}}, shown)}
        for order in orders:
            document = found.get(order.commit.run_id)
            if document is None or not order.may_still_be_written(document):
                order.settle(document is not None and document.get("mark") == order.mark)
                continue
            order.expect(document["inbox"])
            await self._outbox.carry_out_of([document])
            if document["size"] >= PAGE_BYTES:
                await mongo_pages.turn(self._mongo, order.commit.run_id, order.commit.epoch, order.commit.seq)

    async def _run_errands(self, orders: Sequence[_Order]) -> None:
        owing = [order for order in orders if order.answer is True and order.errands is not None]
        if not owing:
            return
        try:
            await self._outbox.carry_out([order.errands for order in owing if order.errands is not None])
        except Unavailable as error:
            for order in owing:  # the commits are written; whoever loads the runs again finds what is owed
                order.answer = error


class _Order:
    """A commit on its way into the store."""

    def __init__(self, commit: Commit, errands: Errands | None, *, fenced: bool) -> None:
        self.commit = commit
        self.mark = new_id()
        self.answer: bool | Exception = Unavailable(f"Run {commit.run_id} is written too often at the same time.")
        self.is_known = False
        self.errands = errands
        self.records = mongo_pieces.pack(commit.run_id, commit.records) if commit.records != NOTHING else None
        self._owed = mongo_pieces.pack(commit.run_id, errands.encoded()) if errands is not None else None
        self._fenced = fenced
        self._inbox_size = len(commit.handled_inbox) if commit.state in _SETTLED else None
        self._is_woken = False

    @property
    def packed(self) -> list[mongo_pieces.Packed]:
        return [each for each in (self.records, self._owed) if each is not None]

    def settle(self, is_written: bool) -> None:
        self.answer, self.is_known = is_written, True

    def fail(self, failed: Document) -> None:
        message = f"MongoDB refused a commit of run {self.commit.run_id}: {failed.get('errmsg', '')}"
        self.answer, self.is_known = Unavailable(message), True

    def may_still_be_written(self, document: Document) -> bool:
        commit = self.commit
        if document["tenant_id"] != commit.tenant_id or document.get("mark") == self.mark:
            return False
        fence = (document["epoch"], document["seq"]) == (commit.epoch, commit.seq) and document["state"] < OPEN
        return fence or not self._fenced

    def expect(self, inbox: Sequence[Document]) -> None:
        """What was left for the run while it ran must not wait for its next timer, nor be passed over by its end."""
        if self._inbox_size is None:
            return
        rest = [entry for entry in inbox if entry["number"] not in self.commit.handled_inbox]
        waits = self.commit.state is RunState.WAITING
        self._inbox_size = len(inbox)
        self._is_woken = any(waits or entry["kind"] == "retry" for entry in rest)

    def operation(self) -> UpdateOne:
        commit = self.commit
        where: dict[str, Any] = {"_id": commit.run_id, "tenant_id": commit.tenant_id}
        if self._fenced:
            fence = {"epoch": commit.epoch, "seq": commit.seq, "state": {"$lt": OPEN}}
            where |= {**fence, **EMPTY, "size": {"$lt": PAGE_BYTES}}
        if self._inbox_size is not None:
            where["inbox"] = {"$size": self._inbox_size}
        values: dict[str, Any] = {
            "state": int(RunState.WAITING if self._is_woken else commit.state),
            "steps": commit.steps,
            "pending": commit.pending,
            "failed": commit.failed,
            "updated": commit.now,
            "due": commit.now if self._is_woken else commit.due,
            "suspended": commit.suspended and not self._is_woken,
            "error": commit.error,
            "suspect": commit.suspect,
            "mark": self.mark,
        }
        if not commit.suspect:
            values["deaths"] = 0
        push: dict[str, Any] = {}
        size = 0
        if self.records is not None:
            push["journal"] = {"seq": commit.seq + 1, "records": self.records.kept}
            size = len(commit.records) if isinstance(self.records.kept, bytes) else 100 * len(self.records.kept)
        if self.errands is not None and self._owed is not None:
            push["outbox"] = entry(self.errands, self._owed)
        change: dict[str, Any] = {"$set": values, "$inc": {"seq": 1, "turn": 1, "size": size}}
        if commit.waits_for:
            values["waits_for"] = list(commit.waits_for)
        else:
            change["$unset"] = {"waits_for": ""}
        if commit.messages:
            values["counted"] = True
            change["$inc"] |= mongo_counts.more(commit.messages)
        if push:
            change["$push"] = push
        if commit.handled_inbox:
            change["$pull"] = {"inbox": {"number": {"$in": list(commit.handled_inbox)}}}
        return UpdateOne(where, change)
