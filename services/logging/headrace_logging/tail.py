"""Readers who follow the log as it is written. A slow reader loses the oldest records and is told how many."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from headrace_core.errors import RateLimited

from headrace_logging import indexing
from headrace_logging.model import Scope, StoredRecord
from headrace_logging.query import matching
from headrace_logging.query.tree import Node

MAX_BATCH = 200


@dataclass(frozen=True, slots=True)
class Following:
    """What a reader wants to see. Trace records are never shown."""

    scope: Scope
    node: Node
    flow_ids: frozenset[str] = field(default_factory=frozenset)

    def wants(self, document: matching.Document) -> bool:
        record = document.stored.record
        if not self.scope.covers(record.tenant_id) or record.fields.get("severity") == "trace":
            return False
        if self.flow_ids and indexing.keyword(str(record.fields.get("flowId", ""))) not in self.flow_ids:
            return False
        return matching.matches(self.node, document)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records since the batch before, and how many were dropped in between."""

    records: tuple[StoredRecord, ...]
    dropped: int


class Reader:
    """One reader's queue."""

    def __init__(self, following: Following, limit: int) -> None:
        self._following = following
        self._limit = limit
        self._waiting: deque[StoredRecord] = deque()
        self._dropped = 0
        self._stirred = asyncio.Event()
        self._closed = False

    def offer(self, documents: Sequence[matching.Document]) -> None:
        """Queue what the reader wants; the oldest gives way when the queue is full."""
        for document in documents:
            if not self._following.wants(document):
                continue
            if len(self._waiting) >= self._limit:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(document.stored)
        if self._waiting or self._dropped:
            self._stirred.set()

    def close(self) -> None:
        """Let the reader have what waits, then end."""
        self._closed = True
        self._stirred.set()

    async def batches(self) -> AsyncIterator[Batch]:
        """What comes, as it comes, until the reader is closed."""
        while True:
            await self._stirred.wait()
            if not self._waiting and not self._dropped:
                return
            count = min(MAX_BATCH, len(self._waiting))
            batch = Batch(tuple(self._waiting.popleft() for _ in range(count)), self._dropped)
            self._dropped = 0
            if not self._waiting and not self._closed:
                self._stirred.clear()
            yield batch


class Tails:
    """All readers of this process."""

    def __init__(self, *, max_readers: int, queue_records: int) -> None:
        self._max_readers = max_readers
        self._queue_records = queue_records
        self._readers: set[Reader] = set()
        self._closed = False

    @contextmanager
    def follow(self, following: Following) -> Iterator[Reader]:
        """A reader for the length of the block. Raises RateLimited when there are too many."""
        if len(self._readers) >= self._max_readers:
            raise RateLimited(f"{self._max_readers} readers follow the log already: close one and try again.")
        reader = Reader(following, self._queue_records)
        if self._closed:
            reader.close()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def offer(self, records: Sequence[StoredRecord]) -> None:
        """Show records that were stored just now to everyone who wants them."""
        if not self._readers:
            return
        documents = [matching.Document(stored) for stored in records]
        for reader in self._readers:
            reader.offer(documents)

    def close(self) -> None:
        """End every reader, present and to come."""
        self._closed = True
        for reader in self._readers:
            reader.close()
