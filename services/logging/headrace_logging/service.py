"""What the log service does: write, search, follow, forget."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, HeadraceError, NotFound
from headrace_runtime.metrics import Metrics

from headrace_logging import indexing, model, tail
from headrace_logging.model import Found, LogRecord, Scope, Search, SortKey, StoredRecord, Written
from headrace_logging.query import aggregation_parser, parser
from headrace_logging.settings import LoggingSettings
from headrace_logging.store import LogStore, Trimmed

MAX_BATCH = 1_000
MAX_FLOWS = 1_000
FORGET_AT_ONCE = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A query as it was asked, before its words are understood."""

    scope: Scope
    query: str = ""
    start: datetime | None = None
    end: datetime | None = None
    flow_ids: tuple[str, ...] = ()
    port_type: str = ""
    size: int = model.DEFAULT_SIZE
    offset: int = 0
    sort: tuple[SortKey, ...] = ()
    search_after: Json = None
    trace: bool = False
    aggregations: Json = None


class LogService:
    """The use cases of the log."""

    def __init__(
        self, store: LogStore, *, clock: Clock, settings: LoggingSettings, metrics: Metrics | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._tails = tail.Tails(max_readers=settings.max_tails, queue_records=settings.tail_queue)
        self._count(metrics or Metrics())

    def _count(self, metrics: Metrics) -> None:
        self._stored = metrics.counter("headrace_log_stored_total", "Log records that were stored.")
        self._known = metrics.counter("headrace_log_known_total", "Log records that came again.")
        self._refused = metrics.counter("headrace_log_refused_total", "Log records that cannot be kept.")

    async def write(self, records: Sequence[LogRecord]) -> Written:
        """Store a batch and show it to its readers. Writing it again changes nothing.

        Records that cannot be kept are refused one by one. Raises BadRequest when the batch is too large.
        """
        if len(records) > MAX_BATCH:
            raise BadRequest(f"A batch holds at most {MAX_BATCH} records, this one has {len(records)}: split it.")
        clean = [(record.record_id, model.cleaned(record)) for record in records]
        refused = tuple(record_id for record_id, kept in clean if kept is None)
        kept = [record for _, record in clean if record is not None]
        written = await self._store.write(kept, self._clock.now()) if kept else Written((), 0, ())
        self._tails.offer(written.stored)
        self._stored.inc(len(written.stored))
        self._known.inc(written.known)
        self._refused.inc(len(refused) + len(written.refused_ids))
        return Written(written.stored, written.known, (*refused, *written.refused_ids))

    async def search(self, question: Question) -> Found:
        """The records that answer the question, and what it asks to be counted about all of them.

        Raises BadRequest that says what of it cannot be understood.
        """
        search, within = self._understood(question), self._settings.query_timeout
        asked = aggregation_parser.parse(question.aggregations or {}, self._clock.now())
        found = await self._store.search(search, within=within)
        if not asked:
            return found
        return replace(found, aggregations=await self._store.aggregate(search, asked, within=within))

    def _understood(self, question: Question) -> Search:
        if not 1 <= question.size <= model.MAX_SIZE:
            raise BadRequest(f"size is {question.size}: ask for 1 to {model.MAX_SIZE} records.")
        if not 0 <= question.offset <= model.MAX_OFFSET:
            raise BadRequest(f"from is {question.offset}: pass over 0 to {model.MAX_OFFSET}, or page with searchAfter.")
        if question.port_type not in ("", "in", "out"):
            raise BadRequest(f"portType is {question.port_type!r}: ask for in or out, or leave it away.")
        now = self._clock.now()
        sort = model.total_order(question.sort)
        after = None if question.search_after is None else model.cursor(sort, question.search_after, now)
        return Search(
            scope=question.scope,
            node=parser.parse(question.query, now),
            start=question.start,
            end=question.end,
            flow_ids=_flows(question.flow_ids),
            port_type=question.port_type,
            trace=question.trace,
            size=question.size,
            offset=question.offset,
            sort=sort,
            search_after=after,
        )

    async def get(self, scope: Scope, record_id: str) -> StoredRecord:
        """One record. Raises NotFound when the scope has none of that id."""
        stored = await self._store.get(scope, record_id)
        if stored is None:
            raise NotFound("log record", record_id)
        return stored

    @contextmanager
    def follow(self, scope: Scope, query: str, flow_ids: Sequence[str]) -> Iterator[tail.Reader]:
        """A reader of what is written from now on. Raises BadRequest for the query, RateLimited for too many."""
        flows = frozenset(indexing.keyword(flow_id) for flow_id in _flows(flow_ids))
        following = tail.Following(scope, parser.parse(query, self._clock.now()), flows)
        with self._tails.follow(following) as reader:
            yield reader

    async def keep_trimming(self) -> None:
        """Forget what is too old or too much, again and again, until cancelled."""
        while True:
            try:
                await self.trim()
            except HeadraceError as error:
                _log.warning("Old log records stay for now: %s", error)
            await self._clock.sleep(self._settings.trim_every.total_seconds())

    async def trim(self) -> int:
        """Forget what is too old or too much; answers how many records that were."""
        removed = 0
        while True:
            before = self._clock.now() - self._settings.retention
            trimmed = await self._store.trim(before=before, max_bytes=self._settings.max_bytes)
            removed += trimmed.removed
            if not trimmed.more:
                return removed

    async def forget(self, tenant_id: str) -> Trimmed:
        """Remove some of the records of a tenant who is gone; whether more are left. Raises BadRequest for nobody."""
        if not tenant_id:
            raise BadRequest("The call names no tenant whose records are to be removed.")
        return await self._store.forget(tenant_id, FORGET_AT_ONCE)

    def stop_following(self) -> None:
        """End every reader."""
        self._tails.close()


def _flows(flow_ids: Sequence[str]) -> tuple[str, ...]:
    if len(flow_ids) > MAX_FLOWS:
        raise BadRequest(f"At most {MAX_FLOWS} flows can be named, here are {len(flow_ids)}: leave them away for all.")
    return tuple(flow_ids)
