"""Bytes that are too many for their document: kept in pieces under the hash of what they hold, once for each run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headrace_runtime.mongo import Document, Mongo, duplicates
from pymongo.errors import BulkWriteError

INLINE_BYTES = 32 * 1024
PIECE_BYTES = 4 * 1024 * 1024

Kept = bytes | list[str]
"""The bytes themselves, or the ids of their pieces in order."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Bytes as a document holds them, and the pieces to write before it."""

    kept: Kept
    pieces: Sequence[Document] = ()


def pack(run_id: str, data: bytes) -> Packed:
    if len(data) <= INLINE_BYTES:
        return Packed(data)
    parts = [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
    names = [f"{run_id}/{hashlib.sha256(part).hexdigest()}" for part in parts]
    pieces = [{"_id": name, "run_id": run_id, "data": part} for name, part in zip(names, parts, strict=True)]
    return Packed(names, pieces)


async def write(mongo: Mongo, packed: Iterable[Packed]) -> None:
    """Keep the pieces. Those that are there already are the same."""
    pieces = [piece for each in packed for piece in each.pieces]
    async with mongo.asking() as database:
        for piece in pieces:  # one by one: together they may be more than a message of the protocol takes
            try:
                await database["pieces"].insert_many([piece])
            except BulkWriteError as error:
                duplicates(error)


async def read(mongo: Mongo, kept: Iterable[Kept]) -> Mapping[str, bytes]:
    """The pieces that these are made of."""
    names = [name for each in kept if isinstance(each, list) for name in each]
    found: dict[str, bytes] = {}
    if names:
        async with mongo.asking() as database:
            async for piece in database["pieces"].find({"_id": {"$in": names}}):
                found[piece["_id"]] = piece["data"]
    return found


def unpack(kept: Kept, pieces: Mapping[str, bytes]) -> bytes:
    return kept if isinstance(kept, bytes) else b"".join(pieces[name] for name in kept)
