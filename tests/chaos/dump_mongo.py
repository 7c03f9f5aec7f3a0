"""What server mode has in MongoDB, read from the raw collections after its processes have ended."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from pymongo import MongoClient

from tests.chaos.dump import STATES, Dump, RunSeen, steps_of

Document = dict[str, Any]


class _Collections:
    """The executor's database."""

    def __init__(self, url: str, database: str) -> None:
        self._client: MongoClient[Document] = MongoClient(url)
        self._database = self._client[database]
        self.runs = list(self._database["runs"].find())
        self.pages = {page["_id"]: page["journal"] for page in self._database["pages"].find()}
        self.pieces = {piece["_id"]: piece["data"] for piece in self._database["pieces"].find()}
        self._client.close()

    def journal(self, run: Document) -> list[Document]:
        """The run's chunks from the first on, as far as they are there."""
        paged = [chunk for name in run["pages"] for chunk in self.pages.get(name, [])]
        return [*paged, *run["journal"]]

    def records(self, chunk: Document) -> bytes:
        kept = chunk["records"]
        if isinstance(kept, bytes):
            return kept
        return b"".join(self.pieces.get(name, b"") for name in kept)


def read(url: str, namespace: str, trigger: str) -> Dump:
    """All runs that `trigger` started, the steps of all runs, and what points nowhere."""
    found = _Collections(url, f"{namespace}_executor")
    runs = [
        RunSeen(run["_id"], run["event_id"].rpartition(":")[2], STATES[run["state"]], run["error"], run["epoch"])
        for run in found.runs
        if run["trigger_id"] == trigger
    ]
    corrupt = list(_corruption(found))
    if corrupt:  # what cannot be read is not judged any further
        return Dump(runs, [], corrupt)
    chunks = [(run["_id"], found.records(chunk)) for run in found.runs for chunk in found.journal(run)]
    return Dump(runs, list(steps_of(chunks)), [])


def _corruption(found: _Collections) -> Iterator[str]:
    """Journals whose chunks are missing, out of order or not what they were."""
    for run in found.runs:
        for page in run["pages"]:
            if page not in found.pages:
                yield f"run {run['_id']} has no page {page}"
        order = [chunk["seq"] for chunk in found.journal(run)]
        if order != sorted(set(order)):
            yield f"run {run['_id']} has its chunks in the order {order}"
        for chunk in found.journal(run):
            yield from (f"run {run['_id']}: {wrong}" for wrong in _wrong_pieces(found, chunk["records"]))


def _wrong_pieces(found: _Collections, kept: bytes | list[str]) -> Iterator[str]:
    for name in [] if isinstance(kept, bytes) else kept:
        data = found.pieces.get(name)
        if data is None:
            yield f"piece {name} is missing"
        elif hashlib.sha256(data).hexdigest() != name.rpartition("/")[2]:
            yield f"piece {name} is not what it was"
