"""What a run does outside of its own document, carried out from the outbox it was written into.

The write that puts something there is behind the fence of the run, and goes through only while the outbox is empty. So
what is in it counts, comes after all that the run did before, and is done before anything that the run does next: by
the executor that put it there, before it answers; by whoever takes the run over; or by the sweep for old ones. All of
them may be at it at once; each thing is done once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
import orjson
from headrace_core.errors import BadRequest
from headrace_core.expressions import Json
from headrace_core.ids import new_id
from headrace_runtime.mongo import Document, Mongo
from pymongo import UpdateOne

from headrace_executor.model import Commit, Inbound, StateChange, StateVerb, Unprocessed
from headrace_executor.stores import mongo_inbox, mongo_pieces, mongo_unprocessed
from headrace_executor.stores.mongo_inbox import Left
from headrace_executor.stores.mongo_state import Change, MongoState, Target
from headrace_executor.verbs import carry_out

SWEPT_AT_ONCE = 50
LATE_SECONDS = 15.0

EMPTY = {"outbox": {"$size": 0}}


@dataclass(slots=True, eq=False)
class Verb:
    """A verb of kept state. `meets` holds what was written to its key before, in one write with it."""

    name: str
    target: Target
    verb: str
    value: Json
    meets: list[bytes | None]
    result: bytes = b""
    refusal: BadRequest | None = None

    def turn(self, old: bytes | None) -> bytes:
        return carry_out(self.verb, self.meets[0] if self.meets else old, self.value)


@dataclass(slots=True, eq=False)
class Errands:
    """What one write of a run has to do elsewhere. `name` is the same when the run asks for it again."""

    run_id: str
    tenant_id: str
    name: str
    seq: int
    now: float
    writes: Sequence[tuple[Target, bytes | None]] = ()
    unprocessed: Sequence[Unprocessed] = ()
    cancelled_timeouts: Sequence[str] = ()
    verb: Verb | None = None
    token: str = field(default_factory=new_id)

    @classmethod
    def of_commit(cls, commit: Commit, keys: Sequence[Target]) -> Errands | None:
        """What a commit asks for, or None. `keys` are those of the scopes that it clears."""
        if not (commit.changes or commit.unprocessed or commit.cancelled_timeouts):
            return None
        return cls(
            commit.run_id,
            commit.tenant_id,
            f"{commit.run_id}/{commit.seq}",
            commit.seq,
            commit.now,
            list(_folded(commit.changes, keys).items()),
            commit.unprocessed,
            commit.cancelled_timeouts,
        )

    @classmethod
    def of_verb(cls, asked: StateVerb, keys: Sequence[Target], now: float) -> Errands:
        """What a verb asks for. `keys` are those of the scope, where something before it clears it."""
        target = (asked.scope, asked.key)
        writes = _folded(asked.before, keys)
        cleared = any(change.verb == "clear" for change in asked.before)
        meets = [writes.pop(target, None)] if cleared or target in writes else []
        verb = Verb(asked.change_id, target, asked.verb, asked.value, meets)
        return cls(asked.run_id, "", asked.change_id, 0, now, list(writes.items()), verb=verb)

    def encoded(self) -> bytes:
        verb = self.verb
        return bson.encode(
            {
                "name": self.name,
                "seq": self.seq,
                "now": self.now,
                "writes": [[*target, value] for target, value in self.writes],
                "unprocessed": [mongo_unprocessed.document_of(each, each.messages) for each in self.unprocessed],
                "cancels": list(self.cancelled_timeouts),
                "verb": verb and [verb.name, *verb.target, verb.verb, orjson.dumps(verb.value), verb.meets],
            }
        )

    @classmethod
    def decoded(cls, run: Document, token: str, data: bytes) -> Errands:
        said: dict[str, Any] = bson.decode(data)
        verb = None
        if said["verb"] is not None:
            name, scope, key, kind, value, meets = said["verb"]
            verb = Verb(name, (scope, key), kind, orjson.loads(value), meets)
        return cls(
            run["_id"],
            run["tenant_id"],
            said["name"],
            said["seq"],
            said["now"],
            [((scope, key), value) for scope, key, value in said["writes"]],
            [mongo_unprocessed.message_of(each, each["messages"]) for each in said["unprocessed"]],
            said["cancels"],
            verb,
            token,
        )

    def changes(self) -> list[Change]:
        """The plain writes, each under a name of its own."""
        return [_plain(self, target, value) for target, value in self.writes]


class Outbox:
    """Carries errands out and takes them off their runs."""

    def __init__(self, mongo: Mongo, state: MongoState) -> None:
        self._mongo = mongo
        self._state = state

    async def carry_out(self, errands: Sequence[Errands]) -> None:
        """Do what was just put into outboxes. A verb that does not fit takes the writes before it with it."""
        verbs = [(each.verb, _change(each, each.verb)) for each in errands if each.verb is not None]
        plain = [change for each in errands if each.verb is None for change in each.changes()]
        await self._state.make([*(change for _, change in verbs), *plain])
        for verb, change in verbs:
            verb.result, verb.refusal = change.result, change.refusal
        fitting = [each for each in errands if each.verb is not None and each.verb.refusal is None]
        await self._state.make([change for each in fitting for change in each.changes()])
        await mongo_unprocessed.put(self._mongo, [(each.seq, one) for each in errands for one in each.unprocessed])
        await self._cancel_timeouts(errands)
        async with self._mongo.asking() as database:
            done = [UpdateOne({"_id": each.run_id}, {"$pull": {"outbox": {"token": each.token}}}) for each in errands]
            await database["runs"].bulk_write(done, ordered=False)

    async def carry_out_of(self, runs: Sequence[Document]) -> None:
        """Do what is left in the outboxes of these runs."""
        owing = [run for run in runs if run["outbox"]]
        pieces = await mongo_pieces.read(self._mongo, [owed["data"] for run in owing for owed in run["outbox"]])
        for run in owing:
            for owed in run["outbox"]:
                data = mongo_pieces.unpack(owed["data"], pieces)
                await self.carry_out([Errands.decoded(run, owed["token"], data)])

    async def sweep(self, now: float) -> None:
        """Do what nobody came back for: the run is over or waits, and its executor died right after the write."""
        async with self._mongo.asking() as database:
            found = database["runs"].find({"outbox.at": {"$lt": now - LATE_SECONDS}}, {"tenant_id": 1, "outbox": 1})
            runs = await found.limit(SWEPT_AT_ONCE).to_list(SWEPT_AT_ONCE)
        await self.carry_out_of(runs)

    async def keys_cleared(self, changes: Sequence[StateChange]) -> list[Target]:
        """The keys of the scopes that these clear. What somebody adds from now on is not cleared."""
        return await self._state.keys(change.scope for change in changes if change.verb == "clear")

    async def _cancel_timeouts(self, errands: Sequence[Errands]) -> None:
        cancels: list[Left] = []
        for each in errands:
            for timeout_id in each.cancelled_timeouts:
                order = Inbound(0, "cancel", timeout_id, b"")
                cancels.append((timeout_id.rpartition(".")[0], each.tenant_id, order))
        await mongo_inbox.leave(self._mongo, cancels, max((each.now for each in errands), default=0.0))


def entry(errands: Errands, packed: mongo_pieces.Packed) -> Document:
    """How errands stand in a run's outbox."""
    return {"token": errands.token, "at": errands.now, "data": packed.kept}


def _folded(changes: Sequence[StateChange], keys: Sequence[Target]) -> dict[Target, bytes | None]:
    """What is left of these for each key, None where it is removed."""
    left: dict[Target, bytes | None] = {}
    for change in changes:
        if change.verb == "clear":
            left |= {target: None for target in (*keys, *left) if target[0] == change.scope}
        else:
            left[change.scope, change.key] = change.value if change.verb == "set" else None
    return left


def _plain(errands: Errands, target: Target, value: bytes | None) -> Change:
    change = Change("", errands.token, errands.run_id, target, lambda _: value)
    change.name = f"{errands.name}/{change.document}"
    return change


def _change(errands: Errands, verb: Verb) -> Change:
    return Change(verb.name, errands.token, errands.run_id, verb.target, verb.turn, answers=True)
