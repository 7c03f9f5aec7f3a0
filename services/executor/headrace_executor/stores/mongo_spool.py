"""Which chunks of journals wait for their log records to be shipped.

Each group of commits leaves one document here, before the commits themselves are written. It names runs and their
`seq`; a commit that was refused leaves a name that nothing stands behind, which harms nobody. Every executor ships what
it wrote itself and what the dead left.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bson import ObjectId
from headrace_core.clock import Clock
from headrace_core.ids import new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo.errors import DuplicateKeyError

from headrace_executor.store import JournalEntry
from headrace_executor.stores import mongo_pieces
from headrace_executor.stores.mongo_pages import whole_journals

GRACE_SECONDS = 60.0
"""How long what was sent may take to arrive: so long its name is kept, when its writer died or was told nothing."""

DOCUMENTS = 100
LOOK_SECONDS = 5.0
"""How often the names left by others are looked for."""


class Spool:
    """The names left by one process, and those of the dead."""

    def __init__(self, mongo: Mongo, clock: Clock) -> None:
        self.writer = new_id()
        self._mongo = mongo
        self._clock = clock
        self._held: dict[ObjectId, float] = {}
        self._has_names = True
        self._looked = -LOOK_SECONDS

    @asynccontextmanager
    async def naming(self, chunks: Sequence[tuple[str, int]]) -> AsyncIterator[None]:
        """Leave a name for these chunks, to be written in the block. Nobody ships them before it ends."""
        if not chunks:
            yield
            return
        name = ObjectId()
        self._held[name] = math.inf
        document = {"_id": name, "writer": self.writer, "chunks": [[run_id, seq] for run_id, seq in chunks]}
        try:
            async with self._mongo.asking() as database:
                # It is ours alone: there already, it came by the same write, whose first answer the driver lost.
                with contextlib.suppress(DuplicateKeyError):
                    await database["spool"].insert_one(document)
            yield
        except BaseException:
            self._held[name] = self._clock.monotonic() + GRACE_SECONDS
            raise
        else:
            del self._held[name]
        finally:
            self._has_names = True

    async def unshipped(self, limit: int) -> list[JournalEntry]:
        """Asks the database only when something may be there: after writing, and now and then for the dead."""
        looks = self._clock.monotonic() - self._looked >= LOOK_SECONDS
        if not (looks or self._has_names):
            return []
        self._has_names = False
        documents = await self._documents({"writer": self.writer}, limit)
        if looks and not documents:
            documents = await self._documents({"writer": {"$nin": await self._living()}}, limit)
            if not documents:
                self._looked = self._clock.monotonic()
        self._has_names |= bool(documents)
        return await self._entries(documents)

    async def _documents(self, where: Document, limit: int) -> list[Document]:
        """The oldest names whose chunks have had the time to arrive."""
        now = self._clock.monotonic()
        found: list[Document] = []
        async with self._mongo.asking() as database:
            oldest = database["spool"].find(where).sort("_id", 1).limit(DOCUMENTS + len(self._held))
            async for document in oldest:
                if self._held.get(document["_id"], 0.0) > now:
                    continue
                found.append(document)
                if sum(len(each["chunks"]) for each in found) >= limit:
                    break
        return found

    async def _living(self) -> list[str]:
        """Writers that ship for themselves, this one included."""
        since = self._clock.now().timestamp() - GRACE_SECONDS
        async with self._mongo.asking() as database:
            owners = await database["owners"].find({"alive_until": {"$gt": since}}).to_list(None)
        return [self.writer, *(owner["writer"] for owner in owners if "writer" in owner)]

    async def shipped(self, tickets: Sequence[str]) -> None:
        names = [ObjectId(ticket) for ticket in dict.fromkeys(tickets)]
        async with self._mongo.asking() as database:
            await database["spool"].delete_many({"_id": {"$in": names}})
        for name in names:
            self._held.pop(name, None)

    async def _entries(self, documents: Sequence[Document]) -> list[JournalEntry]:
        if not documents:
            return []
        runs = await self._runs({run_id for document in documents for run_id, _ in document["chunks"]})
        journals = await whole_journals(self._mongo, list(runs.values()))
        pieces = await mongo_pieces.read(
            self._mongo, [chunk["records"] for each in journals.values() for chunk in each]
        )
        entries: list[JournalEntry] = []
        empty: list[str] = []
        for document in documents:
            named = [
                JournalEntry(
                    str(document["_id"]),
                    run_id,
                    runs[run_id]["tenant_id"],
                    runs[run_id]["flow_id"],
                    runs[run_id]["version"],
                    runs[run_id]["correlation_id"],
                    mongo_pieces.unpack(chunk["records"], pieces),
                )
                for run_id, seq in document["chunks"]
                for chunk in journals.get(run_id, ())
                if seq == chunk["seq"]
            ]
            entries.extend(named)
            if not named:
                empty.append(str(document["_id"]))
        if empty:
            await self.shipped(empty)
        return entries

    async def _runs(self, names: set[str]) -> dict[str, Document]:
        shown = dict.fromkeys(("tenant_id", "flow_id", "version", "correlation_id", "journal", "pages"), 1)
        async with self._mongo.asking() as database:
            found = database["runs"].find({"_id": {"$in": list(names)}}, shown)
            return {document["_id"]: document async for document in found}
