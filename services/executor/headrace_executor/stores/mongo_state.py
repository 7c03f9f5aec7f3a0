"""Kept state of components in MongoDB, a document for each key.

What a run changes has a name and is made once under it, whoever makes it and how often: the run's executor, who took
the run over, or both at once. The name stands in the key's document beside the value (`last`), put there by the same
write, and is copied to `state_changes` before the next one takes its place. Who is about to make a change looks at the
document first and at `state_changes` second: so it misses no name, and its write counts only while the document's
`mark` is still the one it saw.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, Unavailable
from headrace_core.expressions import Json
from headrace_core.ids import derive_id, new_id
from headrace_runtime.mongo import Document, Mongo, duplicates
from pymongo import DeleteMany, DeleteOne, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError

from headrace_executor.model import StateChange

ATTEMPTS = 30
LONGEST_PAUSE = 0.2
MAX_REMEMBERED_BYTES = 4 * 1024 * 1024
"""How much one write of a key remembers; what is more takes another one."""

GONE_SECONDS = 86_400.0
"""How long a key that was removed is remembered. Nobody holds a change back for so long."""

FORGOTTEN_AT_ONCE = 500

Target = tuple[str, str]
"""A scope and a key in it."""

_Write = UpdateOne | UpdateMany | DeleteMany


@dataclass(slots=True, eq=False)
class Change:
    """What becomes of one key, once under its name.

    `turn` makes the new value of the old one, None for none, or raises BadRequest: that is remembered for the attempt
    only, so that all who are at it agree, and the change may be asked for again.
    """

    name: str
    attempt: str
    run_id: str
    target: Target
    turn: Callable[[bytes | None], bytes | None]
    answers: bool = False
    result: bytes = b""
    refusal: BadRequest | None = None
    is_made: bool = False

    @property
    def document(self) -> str:
        return _id(*self.target)

    def recall(self, made: Document) -> None:
        """Take over what came of it when it was made."""
        self.is_made = True
        self.result = made.get("result", b"")
        self.refusal = BadRequest(made["refusal"]) if "refusal" in made else None


class MongoState:
    """The documents of keys."""

    def __init__(self, mongo: Mongo, clock: Clock) -> None:
        self._mongo = mongo
        self._clock = clock

    async def read(self, scope: str) -> dict[str, Json]:
        async with self._mongo.asking() as database:
            found = database["state"].find({"scope": scope, "value": {"$exists": True}}, {"key": 1, "value": 1})
            return {document["key"]: orjson.loads(document["value"]) async for document in found}

    async def keys(self, scopes: Iterable[str]) -> list[Target]:
        """The keys that these scopes hold."""
        wanted = list(dict.fromkeys(scopes))
        if not wanted:
            return []
        where = {"scope": {"$in": wanted}, "value": {"$exists": True}}
        async with self._mongo.asking() as database:
            found = database["state"].find(where, {"scope": 1, "key": 1})
            return [(document["scope"], document["key"]) async for document in found]

    async def write(self, changes: Sequence[StateChange]) -> None:
        """Carry out writes that belong to no run, in their order."""
        operations = [operation for change in changes for operation in _operations(change, self._now())]
        if not operations:
            return
        for _ in range(ATTEMPTS):
            async with self._mongo.asking() as database:
                try:
                    await database["state"].bulk_write(operations, ordered=True)
                    return
                except BulkWriteError as error:
                    duplicates(error)  # two made the key at once: writing again replaces
        raise Unavailable("Kept state is written too often at the same time.")

    async def make(self, changes: Sequence[Change]) -> None:
        """Make those that nobody has made yet; each says afterwards what came of it."""
        for attempt in range(ATTEMPTS):
            waiting = [change for change in changes if not change.is_made]
            if not waiting:
                return
            if attempt > 1:  # another executor writes the same keys
                await self._clock.sleep(random.uniform(0.0, min(LONGEST_PAUSE, 0.01 * attempt)))
            await self._try(waiting)
        raise Unavailable("Kept state is changed too often at the same time.")

    async def clear(self, prefix: str) -> None:
        """Remove the scopes that begin with `prefix`."""
        async with self._mongo.asking() as database:
            await database["state"].delete_many({"scope": {"$gte": prefix, "$lt": prefix + "\U0010ffff"}})

    async def forget(self) -> None:
        """Let go of keys that were removed long ago."""
        long_ago = self._now() - GONE_SECONDS
        async with self._mongo.asking() as database:
            found = await database["state"].find({"gone": {"$lt": long_ago}}).limit(FORGOTTEN_AT_ONCE).to_list(None)
            if found:
                await self._remember([made for document in found for made in document.get("last", ())])
                operations = [DeleteOne({"_id": each["_id"], "mark": each["mark"]}) for each in found]
                await database["state"].bulk_write(operations, ordered=False)

    async def _try(self, changes: Sequence[Change]) -> None:
        """Make what nobody comes in between of."""
        async with self._mongo.asking() as database:
            found = database["state"].find({"_id": {"$in": list({change.document for change in changes})}})
            documents = {each["_id"]: each async for each in found}
        await self._recall(changes, [made for document in documents.values() for made in document.get("last", ())])
        tries = [_Try(documents.get(name), group) for name, group in _by_document(changes)]
        if not tries:
            return
        now = self._now()
        async with self._mongo.asking() as database:
            try:
                written = await database["state"].bulk_write([each.operation(now) for each in tries], ordered=False)
                arrived = written.matched_count + written.upserted_count
            except BulkWriteError as error:
                duplicates(error)  # somebody made the key meanwhile
                arrived = 0
            if arrived < len(tries):
                found = database["state"].find({"_id": {"$in": [each.document for each in tries]}}, {"mark": 1})
                marks = {document["mark"] async for document in found}
                tries = [each for each in tries if each.mark in marks]
        await self._remember([made for each in tries for made in each.last])
        for each in tries:
            each.settle()

    async def _recall(self, changes: Sequence[Change], last: Sequence[Document]) -> None:
        """Settle what is made already. `last` was read from the keys before: on its way from there to
        `state_changes` a name cannot be missed."""
        names = {name for change in changes for name in (change.name, change.attempt)} | {each["_id"] for each in last}
        async with self._mongo.asking() as database:
            found = database["state_changes"].find({"_id": {"$in": list(names)}})
            known = {document["_id"]: document async for document in found}
        await self._remember([made for made in last if made["_id"] not in known])
        known |= {made["_id"]: made for made in last}
        for change in changes:
            made = known.get(change.name) or known.get(change.attempt)
            if made is not None:
                change.recall(made)

    async def _remember(self, made: Sequence[Document]) -> None:
        if made:
            async with self._mongo.asking() as database:
                try:
                    await database["state_changes"].insert_many(made, ordered=False)
                except BulkWriteError as error:
                    duplicates(error)

    def _now(self) -> float:
        return self._clock.now().timestamp()


class _Try:
    """Changes of one key, made one after the other on what its document held."""

    def __init__(self, document: Document | None, changes: Sequence[Change]) -> None:
        self.document = changes[0].document
        self.target = changes[0].target
        self.mark = new_id()
        self.last: list[Document] = []
        self._seen = document["mark"] if document is not None else None
        self._value: bytes | None = document.get("value") if document is not None else None
        self._tried: list[Change] = []
        size = 0
        for change in changes:
            if size > MAX_REMEMBERED_BYTES:
                break  # the rest takes the next round
            made = self._turn(change)
            size += len(made.get("result", b""))
            self.last.append(made)
            self._tried.append(change)

    def operation(self, now: float) -> UpdateOne:
        seen = {"mark": {"$exists": False}} if self._seen is None else {"mark": self._seen}
        scope, key = self.target
        kept = {"scope": scope, "key": key, "mark": self.mark, "last": self.last}
        return UpdateOne({"_id": self.document, **seen}, _replaced(kept, self._value, now), upsert=self._seen is None)

    def settle(self) -> None:
        for change, made in zip(self._tried, self.last, strict=True):
            change.recall(made)

    def _turn(self, change: Change) -> Document:
        try:
            self._value = value = change.turn(self._value)
        except BadRequest as error:
            return {"_id": change.attempt, "run_id": change.run_id, "refusal": str(error)}
        made = {"_id": change.name, "run_id": change.run_id}
        return {**made, "result": value} if change.answers else made


def _by_document(changes: Sequence[Change]) -> Iterator[tuple[str, list[Change]]]:
    groups: dict[str, list[Change]] = {}
    for change in changes:
        if change.is_made:
            continue
        group = groups.setdefault(change.document, [])
        if all(other.name != change.name for other in group):  # a twin finds it made in the next round
            group.append(change)
    yield from groups.items()


def _operations(change: StateChange, now: float) -> Iterator[_Write]:
    if change.verb == "set":
        kept = {"scope": change.scope, "key": change.key, "mark": new_id()}
        yield UpdateOne({"_id": _id(change.scope, change.key)}, _replaced(kept, change.value, now), upsert=True)
        return
    where = {"scope": change.scope} if change.verb == "clear" else {"_id": _id(change.scope, change.key)}
    # A document that remembers what runs did to it outlives its value.
    remembers = {**where, "last": {"$exists": True}, "value": {"$exists": True}}
    yield UpdateMany(remembers, _replaced({"mark": new_id()}, None, now))
    yield DeleteMany({**where, "last": {"$exists": False}})


def _replaced(kept: Mapping[str, Any], value: bytes | None, now: float) -> Mapping[str, Any]:
    if value is None:
        return {"$set": {**kept, "gone": now}, "$unset": {"value": ""}}
    return {"$set": {**kept, "value": value}, "$unset": {"gone": ""}}


def _id(scope: str, key: str) -> str:
    return derive_id("state", scope, key)
