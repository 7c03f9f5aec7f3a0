"""The executor's store in MongoDB. A commit is one conditional update of one document; see `mongo_documents`.

It translates and decides nothing: what a commit means stands in the port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError
from headrace_core.expressions import Json
from headrace_runtime.mongo import Document, Mongo, open_mongo
from pymongo import ASCENDING, DESCENDING, UpdateOne

from headrace_executor.counting import CountQuery, DayCount
from headrace_executor.model import Commit, Inbound, Loaded, NewRun, Run, RunState, StateChange, StateVerb, Unprocessed
from headrace_executor.store import EVERY_ONE, Accepted, JournalEntry, Narrowing, RunFilter
from headrace_executor.stores import mongo_inbox, mongo_pieces, mongo_removal, mongo_unprocessed
from headrace_executor.stores.mongo_accepting import Accepting
from headrace_executor.stores.mongo_commits import Commits
from headrace_executor.stores.mongo_counts import COUNTED_ALREADY, Counts
from headrace_executor.stores.mongo_documents import OPEN, VERSIONS, inbox_of, run_of, runs_where
from headrace_executor.stores.mongo_doubts import Doubts
from headrace_executor.stores.mongo_outbox import Outbox
from headrace_executor.stores.mongo_pages import whole_journals
from headrace_executor.stores.mongo_spool import Spool
from headrace_executor.stores.mongo_state import MongoState
from headrace_executor.stores.mongo_verbs import Verbs
from headrace_executor.survey import IN_DOUBT, MOST_LOOKED_AT, Seen, Survey, survey

MAX_LISTED_COUNT = 100_000
SWEEP_SECONDS = 5.0
FORGET_OWNER_SECONDS = 86_400.0
REMOVED_AT_ONCE = 500

_READY, _RUNNING, _WAITING = int(RunState.READY), int(RunState.RUNNING), int(RunState.WAITING)


class MongoExecutorStore:
    """Implements `ExecutorStore`. `fenced=False` exists for the chaos tests, which must turn red with it."""

    def __init__(self, mongo: Mongo, clock: Clock, *, fenced: bool = True) -> None:
        self.mongo = mongo
        self._clock = clock
        self._state = MongoState(mongo, clock)
        self._outbox = Outbox(mongo, self._state)
        self._spool = Spool(mongo, clock)
        self._commits = Commits(mongo, self._outbox, self._spool, fenced=fenced)
        self._verbs = Verbs(mongo, self._outbox, clock, fenced=fenced)
        self._counts = Counts(mongo, clock)
        self._doubts = Doubts(mongo)
        self._accepting = Accepting(mongo, self._doubts)
        self._known_owners: set[str] = set()
        self._swept = 0.0

    @classmethod
    async def open(cls, url: str, database: str, clock: Clock, *, fenced: bool = True) -> MongoExecutorStore:
        """The store as soon as the server can be used. Raises Conflict when it never can."""
        return cls(await open_mongo(url, database, VERSIONS), clock, fenced=fenced)

    async def close(self) -> None:
        await self._accepting.close()
        await self._commits.close()
        await self._verbs.close()
        await self.mongo.close()

    # Runs.

    async def accept(self, runs: Sequence[NewRun], owner: str, now: float) -> list[Accepted]:
        await self._know(owner)
        return await self._accepting.put(runs, owner, now)

    async def commit(self, commits: Sequence[Commit]) -> list[bool]:
        return list(await asyncio.gather(*(self._commits.put(commit) for commit in commits)))

    async def claim(self, owner: str, now: float, limit: int, but: Collection[str] = ()) -> list[Loaded]:
        await self._mend(now)
        await self._know(owner)
        candidates = await self._claimable(owner, now, limit, but)
        if not candidates:
            return []
        fences = {each["_id"]: each["epoch"] + 1 for each in candidates}
        try:
            return await self._claim(candidates, fences, owner, now)
        except HeadraceError:
            self._doubts.add(owner, fences)
            raise

    async def reclaim(self, owner: str, run_id: str, now: float) -> Loaded | None:
        async with self.mongo.asking() as database:
            changed = await database["runs"].update_one(
                {"_id": run_id, "owner": owner, "state": {"$lt": OPEN}},
                {"$inc": {"epoch": 1}, "$set": {"updated": now}},
            )
            document = (
                await database["runs"].find_one({"_id": run_id, "owner": owner}) if changed.matched_count else None
            )
        if document is None:
            return None
        await self._outbox.carry_out_of([document])
        [loaded] = await self._loaded([document])
        return loaded

    async def move(self, run: Run, version: int, now: float) -> bool:
        where = {"_id": run.run_id, "tenant_id": run.tenant_id, "epoch": run.epoch, "seq": run.seq, "state": _WAITING}
        change = {"$set": {"version": version, "updated": now}, "$inc": {"epoch": 1, "turn": 1}}
        async with self.mongo.asking() as database:
            return (await database["runs"].update_one(where, change)).matched_count == 1

    async def next_due(self) -> float | None:
        async with self.mongo.asking() as database:
            found = await database["runs"].find_one(
                {"state": _WAITING, "due": {"$gt": 0}}, {"due": 1}, sort=[("due", ASCENDING)]
            )
        return None if found is None else float(found["due"])

    async def ready_since(self) -> float | None:
        async with self.mongo.asking() as database:
            found = await database["runs"].find_one(
                {"state": _READY}, {"updated": 1}, sort=[("state", ASCENDING), ("updated", ASCENDING)]
            )
        return None if found is None else float(found["updated"])

    def heartbeat(self, owner: str, until: float) -> None:
        with self.mongo.blocking() as database:
            database["owners"].update_one(
                {"_id": owner}, {"$set": {"alive_until": until, "writer": self._spool.writer}}, upsert=True
            )
        self._known_owners.add(owner)

    async def is_ticking(self, flow_id: str, node_id: str) -> bool:
        async with self.mongo.asking() as database:
            found = await database["runs"].find_one(
                {"flow_id": flow_id, "state": {"$in": [_READY, _RUNNING]}, "trigger_id": node_id, "port": "tick"},
                {"_id": 1},
            )
        return found is not None

    async def retire(self, owner: str, now: float) -> None:
        async with self.mongo.asking() as database:
            await database["runs"].update_many(
                {"state": _RUNNING, "owner": owner},
                # At a later epoch: a commit that is still on its way must not make it a running one without an owner.
                {"$set": {"state": _READY, "owner": "", "updated": now}, "$inc": {"epoch": 1}},
            )
            await database["owners"].update_one({"_id": owner}, {"$set": {"alive_until": now}})

    async def retire_others(self, owner: str, now: float) -> int:
        async with self.mongo.asking() as database:
            others = await database["owners"].update_many(
                {"_id": {"$ne": owner}, "alive_until": {"$gt": now}}, {"$set": {"alive_until": now}}
            )
        return int(others.modified_count)

    async def put_inbox(self, tenant_id: str, run_id: str, inbound: Inbound, now: float) -> bool:
        return await mongo_inbox.leave(self.mongo, [(run_id, tenant_id, inbound)], now) > 0

    async def get(self, tenant_id: str | None, run_id: str) -> Loaded | None:
        within = {} if tenant_id is None else {"tenant_id": tenant_id}
        async with self.mongo.asking() as database:
            document = await database["runs"].find_one({"_id": run_id, **within})
        if document is None:
            return None
        [loaded] = await self._loaded([document])
        return loaded

    async def list_runs(self, query: RunFilter, offset: int, limit: int) -> tuple[list[Run], int]:
        where = runs_where(query)
        order = [("created", DESCENDING), ("_id", DESCENDING)]
        hidden = {"journal": 0, "inbox": 0, "outbox": 0, "pages": 0, "content": 0}
        async with self.mongo.asking() as database:
            found = database["runs"].find(where, hidden).sort(order).skip(offset).limit(limit)
            documents = await found.to_list(limit)
            total = await database["runs"].count_documents(where, limit=MAX_LISTED_COUNT)
        return [run_of(document, b"") for document in documents], total

    async def waited_for(self, limit: int) -> list[str]:
        grouped: list[Document] = [
            {"$match": {"waits_for": {"$exists": True}}},
            {"$unwind": "$waits_for"},
            {"$group": {"_id": "$waits_for"}},
            {"$limit": limit},
        ]
        async with self.mongo.asking() as database:
            return sorted([each["_id"] async for each in database["runs"].aggregate(grouped)])

    async def waiting_for(self, account_id: str, limit: int) -> list[tuple[str, str]]:
        where = {"waits_for": account_id, "state": _WAITING}
        order = [("created", ASCENDING), ("_id", ASCENDING)]
        async with self.mongo.asking() as database:
            found = database["runs"].find(where, {"tenant_id": 1}).sort(order).limit(limit)
            return [(each["tenant_id"], each["_id"]) async for each in found]

    async def is_waiting_for(self, run_id: str, account_id: str) -> bool:
        async with self.mongo.asking() as database:
            return await database["runs"].find_one({"_id": run_id, "waits_for": account_id}, {"_id": 1}) is not None

    async def resume_flow(self, flow_id: str, now: float) -> int:
        async with self.mongo.asking() as database:
            resumed = await database["runs"].update_many(
                {"flow_id": flow_id, "state": _WAITING, "suspended": True}, {"$set": {"due": now, "suspended": False}}
            )
        return int(resumed.modified_count)

    async def unshipped(self, limit: int) -> list[JournalEntry]:
        return await self._spool.unshipped(limit)

    async def events_of(self, run_ids: Collection[str]) -> dict[str, bytes]:
        if not run_ids:
            return {}
        async with self.mongo.asking() as database:
            found = database["runs"].find({"_id": {"$in": list(run_ids)}}, {"content": 1})
            events = {document["_id"]: document["content"] async for document in found}
        pieces = await mongo_pieces.read(self.mongo, events.values())
        return {run_id: mongo_pieces.unpack(content, pieces) for run_id, content in events.items()}

    async def shipped(self, tickets: Sequence[str]) -> None:
        await self._spool.shipped(tickets)

    async def purge(self, before: float, limit: int) -> int:
        await mongo_removal.finish(self.mongo)
        await self._state.forget()
        over: Document = {"state": {"$gte": OPEN}, "updated": {"$lt": before}}
        await self._counts.fold(over)
        await self._counts.fold({"state": {"$gte": OPEN}}, batches=1)
        over |= COUNTED_ALREADY
        async with self.mongo.asking() as database:
            found = database["runs"].find(over, {"_id": 1}).limit(limit)
            names = [document["_id"] async for document in found]
            long_ago = self._clock.now().timestamp() - FORGET_OWNER_SECONDS
            await database["owners"].delete_many({"alive_until": {"$lt": long_ago}})
        return await mongo_removal.remove(self.mongo, names, over)

    async def forget_flow(self, tenant_id: str, flow_id: str) -> None:
        mine = {"flow_id": flow_id, "tenant_id": tenant_id}
        while True:
            await self._counts.fold(mine)
            async with self.mongo.asking() as database:
                found = database["runs"].find(mine, {"_id": 1}).limit(REMOVED_AT_ONCE)
                names = [document["_id"] async for document in found]
            if not names:
                break
            await mongo_removal.remove(self.mongo, names, {**mine, **COUNTED_ALREADY})
        async with self.mongo.asking() as database:
            await database["unprocessed"].delete_many(mine)
        await self._state.clear(f"{tenant_id}/flow/{flow_id}/")

    async def survey(self, since: float) -> Survey:
        states = [state for state in RunState if not state.is_over]
        shown = {"_id": 0, "tenant_id": 1, "state": 1, "created": 1, "updated": 1, "steps": 1, "failed": 1}
        # A run that began since then was changed since then: the index of states and changes finds it.
        recent = {"state": {"$in": [int(each) for each in RunState]}, "updated": {"$gte": since}}
        doubtful = mongo_unprocessed.those(None, narrowing=Narrowing(cause=IN_DOUBT))
        async with self.mongo.asking() as database:
            open = {each: await database["runs"].count_documents({"state": int(each)}) for each in states}
            unprocessed = await database["unprocessed"].count_documents(mongo_unprocessed.those(None))
            in_doubt = await database["unprocessed"].count_documents(doubtful)
            found = database["runs"].find({**recent, "created": {"$gte": since}}, shown).limit(MOST_LOOKED_AT)
            runs = await found.to_list(MOST_LOOKED_AT)
        counts = {state: count for state, count in open.items() if count}
        return await asyncio.to_thread(survey, counts, unprocessed, in_doubt, (Seen(**each) for each in runs))

    # Counts of messages.

    async def count_messages(self, query: CountQuery) -> list[DayCount]:
        return await self._counts.messages(query)

    async def forget_counts(self, tenant_id: str) -> None:
        await self._counts.forget(tenant_id)

    # Unprocessed messages.

    async def list_unprocessed(
        self,
        tenant_id: str | None,
        flow_id: str,
        correlation_id: str,
        offset: int,
        limit: int,
        narrowing: Narrowing = EVERY_ONE,
    ) -> tuple[list[Unprocessed], int]:
        where = mongo_unprocessed.those(tenant_id, flow_id, correlation_id, narrowing)
        async with self.mongo.asking() as database:
            total = await database["unprocessed"].count_documents(where)
        return await mongo_unprocessed.page(self.mongo, where, offset, limit), total

    async def unprocessed_ids(
        self, tenant_id: str | None, flow_id: str, narrowing: Narrowing, limit: int
    ) -> tuple[list[str], int]:
        return await mongo_unprocessed.ids(
            self.mongo, mongo_unprocessed.those(tenant_id, flow_id, narrowing=narrowing), limit
        )

    async def get_unprocessed(self, tenant_id: str | None, message_id: str) -> Unprocessed | None:
        found = await mongo_unprocessed.page(self.mongo, {"_id": message_id, **mongo_unprocessed.those(tenant_id)})
        return found[0] if found else None

    async def delete_unprocessed(self, tenant_id: str | None, message_ids: Sequence[str]) -> int:
        where = {"_id": {"$in": list(message_ids)}, **mongo_unprocessed.those(tenant_id), "decided": {"$exists": False}}
        return await mongo_unprocessed.delete(self.mongo, where)

    async def retry_unprocessed(
        self, tenant_id: str | None, message_ids: Sequence[str], now: float, *, content: bytes = b""
    ) -> int:
        where = {"_id": {"$in": list(message_ids)}, **mongo_unprocessed.those(tenant_id)}
        found = await mongo_unprocessed.claim(self.mongo, where, now, content)
        # Cut off here it is retried and still listed; retried again, its run knows that it has it.
        retries = [Inbound(0, "retry", each["_id"], each["decided"]) for each in found]
        await mongo_inbox.leave(
            self.mongo, [(each["run_id"], None, retry) for each, retry in zip(found, retries, strict=True)], now
        )
        # What failed again meanwhile is there anew, by a later commit, and stays.
        await mongo_unprocessed.delete_as_read(self.mongo, [(each["_id"], each["seq"]) for each in found])
        return sum(each["decided"] == content for each in found)

    # Executors that take no runs in.

    async def held(self, name: str) -> tuple[float, str] | None:
        async with self.mongo.asking() as database:
            found = await database["holds"].find_one({"_id": name})
        return None if found is None else (float(found["at"]), str(found["by"]))

    async def keep_hold(self, name: str, at: float, by: str) -> None:
        async with self.mongo.asking() as database:
            await database["holds"].update_one({"_id": name}, {"$setOnInsert": {"at": at, "by": by}}, upsert=True)

    async def drop_hold(self, name: str) -> None:
        async with self.mongo.asking() as database:
            await database["holds"].delete_one({"_id": name})

    # State of components.

    async def read_state(self, scope: str) -> dict[str, Json]:
        return await self._state.read(scope)

    async def apply_now(self, asked: StateVerb) -> Json:
        return await self._verbs.put(asked)

    async def write_state(self, changes: Sequence[StateChange]) -> None:
        await self._state.write(changes)

    # The pieces.

    async def _know(self, owner: str) -> None:
        """Have every owner on record before it owns anything: the dead are found by their records."""
        if owner in self._known_owners:
            return
        async with self.mongo.asking() as database:
            dead = {"alive_until": 0.0, "writer": self._spool.writer}
            await database["owners"].update_one({"_id": owner}, {"$setOnInsert": dead}, upsert=True)
        self._known_owners.add(owner)

    async def _mend(self, now: float) -> None:
        await self._doubts.settle(now)
        if self._clock.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept = self._clock.monotonic()
            await self._outbox.sweep(now)

    async def _claimable(self, owner: str, now: float, limit: int, but: Collection[str]) -> list[Document]:
        """What is ready, due, or left by the dead, up to `limit`, without the journals."""
        shown = {"epoch": 1, "state": 1, "seq": 1}
        theirs: Document = {"tenant_id": {"$nin": [*but]}} if but else {}
        found: list[Document] = []
        async with self.mongo.asking() as database:
            dead = await database["owners"].find({"alive_until": {"$lte": now}, "_id": {"$ne": owner}}).to_list(None)
            left = {"state": _RUNNING, "owner": {"$in": [each["_id"] for each in dead]}}
            for where, order in (
                ({"state": _READY}, "updated"),
                ({"state": _WAITING, "due": {"$gt": 0, "$lte": now}}, "due"),
                (left, "updated"),
            ):
                room = limit - len(found)
                if room > 0 and (where is not left or dead):
                    oldest = database["runs"].find({**where, **theirs}, shown).sort(order, ASCENDING).limit(room)
                    found += await oldest.to_list(room)
        return latest(found)

    async def _claim(
        self, candidates: Sequence[Document], fences: Mapping[str, int], owner: str, now: float
    ) -> list[Loaded]:
        async with self.mongo.asking() as database:
            await database["runs"].bulk_write([_claim(each, owner, now) for each in candidates], ordered=False)
            found = database["runs"].find({"_id": {"$in": list(fences)}, "owner": owner, "state": _RUNNING})
            mine = {each["_id"]: each async for each in found if each["epoch"] == fences[each["_id"]]}
        claimed = [mine[each["_id"]] for each in candidates if each["_id"] in mine]
        self._doubts.drop(mine)  # left by an earlier try at the same epoch
        await self._outbox.carry_out_of(claimed)  # what the former owner may have had no time for
        return await self._loaded(claimed)

    async def _loaded(self, documents: Sequence[Document]) -> list[Loaded]:
        journals = await whole_journals(self.mongo, documents)
        kept = [chunk["records"] for journal in journals.values() for chunk in journal]
        pieces = await mongo_pieces.read(self.mongo, [*kept, *(document["content"] for document in documents)])
        return [
            Loaded(
                run_of(document, mongo_pieces.unpack(document["content"], pieces)),
                [mongo_pieces.unpack(chunk["records"], pieces) for chunk in journals[document["_id"]]],
                inbox_of(document),
            )
            for document in documents
        ]


def latest(found: Sequence[Document]) -> list[Document]:
    """Each run once, as it was seen last.

    A run that moves on between two searches (ready, then taken by another, who dies) is found by both.
    """
    return list({each["_id"]: each for each in found}.values())


def _is_left(candidate: Document) -> bool:
    return bool(candidate["state"] == _RUNNING)


def _claim(candidate: Document, owner: str, now: float) -> UpdateOne:
    deaths = int(_is_left(candidate))
    return UpdateOne(
        {"_id": candidate["_id"], "epoch": candidate["epoch"], "state": candidate["state"]},
        {
            "$inc": {"epoch": 1, "deaths": deaths},
            "$set": {"state": _RUNNING, "owner": owner, "updated": now, "due": None},
        },
    )
