"""Unprocessed messages in MongoDB.

A message belongs to one run, whose commits are numbered. The document keeps the number of the commit that put it there,
also after it was deleted: so a commit that is carried out once more by somebody late brings nothing back.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import fields

from headrace_runtime.mongo import Document, Mongo, duplicates
from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from headrace_executor.model import Unprocessed
from headrace_executor.store import EVERY_ONE, Narrowing
from headrace_executor.stores import mongo_pieces

_PLAIN = tuple(field.name for field in fields(Unprocessed) if field.name not in ("message_id", "messages"))

_GONE: Document = {
    "$set": {"gone": True},
    "$unset": {"messages": "", "error": "", "cause": "", "claimed": "", "decided": ""},
}

GIVING_SECONDS = 15.0
"""How long who gives messages back has them for himself; whoever was cut off before that has let go of them."""


async def put(mongo: Mongo, messages: Sequence[tuple[int, Unprocessed]]) -> None:
    """Put messages of commits of these numbers there, in place of those of former ones."""
    if not messages:
        return
    packed = [mongo_pieces.pack(message.run_id, message.messages) for _, message in messages]
    await mongo_pieces.write(mongo, packed)
    operations = [
        UpdateOne(
            {"_id": message.message_id, "seq": {"$lt": seq}},
            {
                "$set": {**_values(message, each.kept), "seq": seq},
                "$unset": {"gone": "", "claimed": "", "decided": ""},
            },
            upsert=True,
        )
        for (seq, message), each in zip(messages, packed, strict=True)
    ]
    async with mongo.asking() as database:
        try:
            await database["unprocessed"].bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            duplicates(error)  # it is there from this very commit, or a later one


async def delete(mongo: Mongo, where: Document) -> int:
    """Drop the messages; how many there were."""
    async with mongo.asking() as database:
        return int((await database["unprocessed"].update_many(where, _GONE)).modified_count)


async def claim(mongo: Mongo, where: Document, now: float, content: bytes) -> list[Document]:
    """The id, run, commit and decision of each of the messages that nobody else gives back now.

    Of two who retry the same one has it: else the later, who read of it before it failed again, would give it back a
    second time. What the first decided stays decided: who comes after one that was cut off carries that out.
    """
    token = secrets.token_hex(8)
    free = [{"claimed": {"$exists": False}}, {"claimed.at": {"$lt": now - GIVING_SECONDS}}]
    claimed = {"$set": {"claimed": {"by": token, "at": now}}}
    async with mongo.asking() as database:
        if not (await database["unprocessed"].update_many({**where, "$or": free}, claimed)).modified_count:
            return []
        mine = {**where, "claimed.by": token}
        undecided = {**mine, "decided": {"$exists": False}}
        await database["unprocessed"].update_many(undecided, {"$set": {"decided": content}})
        shown = {"run_id": 1, "seq": 1, "decided": 1}
        return [each async for each in database["unprocessed"].find({**mine, "decided": {"$exists": True}}, shown)]


async def delete_as_read(mongo: Mongo, messages: Sequence[tuple[str, int]]) -> None:
    """Drop the messages of these ids that are still those of these commits."""
    if not messages:
        return
    operations = [UpdateOne({"_id": name, "seq": seq, "gone": {"$exists": False}}, _GONE) for name, seq in messages]
    async with mongo.asking() as database:
        await database["unprocessed"].bulk_write(operations, ordered=False)


async def page(mongo: Mongo, where: Document, offset: int = 0, limit: int = 1) -> list[Unprocessed]:
    """Messages, newest first."""
    order = [("created", DESCENDING), ("_id", DESCENDING)]
    async with mongo.asking() as database:
        documents = await database["unprocessed"].find(where).sort(order).skip(offset).limit(limit).to_list(limit)
    pieces = await mongo_pieces.read(mongo, [document["messages"] for document in documents])
    return [message_of(each, mongo_pieces.unpack(each["messages"], pieces)) for each in documents]


def those(
    tenant_id: str | None, flow_id: str = "", correlation_id: str = "", narrowing: Narrowing = EVERY_ONE
) -> Document:
    """What finds the messages that are there."""
    given = {
        "tenant_id": tenant_id,
        "flow_id": flow_id,
        "correlation_id": correlation_id,
        "node_id": narrowing.node_id,
    }
    found: Document = {"gone": {"$exists": False}, **{name: value for name, value in given.items() if value}}
    if narrowing.cause:
        found["cause"] = {"$regex": re.escape(narrowing.cause.lower())}
    if narrowing.without:
        found["$nor"] = [{"cause": {"$regex": re.escape(narrowing.without.lower())}}]
    if narrowing.names:
        found["_id"] = {"$in": list(narrowing.names)}
    bounds = {"$lt": narrowing.before, "$gt": narrowing.after}
    if any(value is not None for value in bounds.values()):
        found["created"] = {operator: value for operator, value in bounds.items() if value is not None}
    return found


async def ids(mongo: Mongo, where: Document, limit: int) -> tuple[list[str], int]:
    """The ids of messages, oldest first, and how many there are."""
    order = [("created", ASCENDING), ("_id", ASCENDING)]
    async with mongo.asking() as database:
        total = await database["unprocessed"].count_documents(where)
        found = database["unprocessed"].find(where, {"_id": 1}).sort(order).limit(limit)
        return [each["_id"] async for each in found], total


def document_of(message: Unprocessed, messages: mongo_pieces.Kept) -> Document:
    return {"_id": message.message_id, **_values(message, messages)}


def message_of(document: Document, messages: bytes) -> Unprocessed:
    return Unprocessed(message_id=document["_id"], messages=messages, **{name: document[name] for name in _PLAIN})


def _values(message: Unprocessed, messages: mongo_pieces.Kept) -> Document:
    return {**{name: getattr(message, name) for name in _PLAIN}, "cause": message.cause, "messages": messages}
