"""Long journals: what no longer fits into the run's document moves into pages, which the document points at."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from headrace_runtime.mongo import Document, Mongo
from pymongo.errors import DuplicateKeyError

PAGE_BYTES = 128 * 1024
"""A run's document is written anew with each commit, so it holds this much of the journal and some more at most."""


async def turn(mongo: Mongo, run_id: str, epoch: int, seq: int) -> None:
    """Move the journal of a run that still has this fence into a page of its own. Doing it again changes nothing.

    The page is named after the fence, so that a late twin's page is another one, which nothing points at.
    """
    name = f"{run_id}/{epoch}/{seq}"
    fence = {"_id": run_id, "epoch": epoch, "seq": seq, "size": {"$gte": PAGE_BYTES}}
    async with mongo.asking() as database:
        document = await database["runs"].find_one(fence, {"journal": 1})
        if document is None:
            return
        with contextlib.suppress(DuplicateKeyError):  # this very page, from a try that was cut off
            await database["pages"].insert_one({"_id": name, "run_id": run_id, "journal": document["journal"]})
        await database["runs"].update_one(fence, {"$set": {"journal": [], "size": 0}, "$push": {"pages": name}})


async def whole_journals(mongo: Mongo, documents: Sequence[Document]) -> dict[str, list[Document]]:
    """The journals of these runs from their beginning, pages and all."""
    names = [name for document in documents for name in document["pages"]]
    pages: dict[str, list[Document]] = {}
    if names:
        async with mongo.asking() as database:
            async for page in database["pages"].find({"_id": {"$in": names}}):
                pages[page["_id"]] = page["journal"]
    return {
        document["_id"]: [chunk for name in document["pages"] for chunk in pages[name]] + document["journal"]
        for document in documents
    }
