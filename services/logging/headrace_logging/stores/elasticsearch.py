"""Records in Elasticsearch: one index a day behind an alias, forgotten by dropping whole days."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError
from headrace_core import Json
from headrace_core.errors import Unavailable
from headrace_runtime.elasticsearch import RETRY_HINT, open_elasticsearch, translated
from headrace_runtime.metrics import Metrics

from headrace_logging.model import Found, LogRecord, Scope, Search, StoredRecord, Written
from headrace_logging.query.aggregation_tree import Aggregations
from headrace_logging.store import Trimmed
from headrace_logging.stores import elasticsearch_bulk as bulk
from headrace_logging.stores.elasticsearch_bulk import Item, Outcome
from headrace_logging.stores.elasticsearch_documents import (
    Layout,
    Names,
    day_of,
    document,
    document_id,
    template,
)
from headrace_logging.stores.elasticsearch_search import Searcher

WRITE_TIME = timedelta(seconds=8)
"""How long one write tries again what the cluster does not take just now."""
FIRST_PAUSE = timedelta(milliseconds=100)
LONGEST_PAUSE = timedelta(seconds=2)
REST = timedelta(seconds=10)
"""How long a cluster that blocks writes is left alone."""
DAY = timedelta(days=1)
FURTHEST = 7 * DAY
"""Records that happen further ahead are refused: a wild clock would make an index of each of its days."""

_log = logging.getLogger(__name__)


class ElasticsearchLogStore:
    """LogStore in the indices of one prefix. Many log services may share them.

    What is written can be searched when the index is refreshed next, a second later by default.
    """

    def __init__(
        self, client: AsyncElasticsearch, names: Names, layout: Layout, *, is_seen_at_once: bool = False
    ) -> None:
        self.names = names
        self._client = client
        self._layout = layout
        self._is_seen_at_once = is_seen_at_once
        self._searcher = Searcher(client, names.alias)
        self._laid_out: set[str] = set()
        self._rests_until = 0.0
        self._block = ""

    async def write(self, records: Sequence[LogRecord], now: datetime) -> Written:
        """As the port says. Raises Unavailable unless every record is there or refused; writing again is safe."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WRITE_TIME.total_seconds()
        pause = FIRST_PAUSE.total_seconds()
        items, refused = prepared(records, now, self.names)
        stored: list[StoredRecord] = []
        known = 0
        while True:
            outcome = await self._create(items)
            stored += (StoredRecord(item.record, now) for item in outcome.created)
            known += len(outcome.known)
            refused += (item.record.record_id for item in outcome.refused)
            _tell(outcome)
            items = [*outcome.homeless, *outcome.again]
            if not items:
                return Written(tuple(stored), known, tuple(refused))
            if loop.time() + pause > until:
                raise Unavailable(
                    f"Elasticsearch did not take {len(items)} of {len(records)} log records: {outcome.reason}",
                    retry_after=RETRY_HINT,
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE.total_seconds())

    async def search(self, search: Search, *, within: timedelta) -> Found:
        return await self._searcher.search(search, within)

    async def aggregate(self, search: Search, asked: Aggregations, *, within: timedelta) -> dict[str, Json]:
        return await self._searcher.aggregate(search, asked, within)

    async def get(self, scope: Scope, record_id: str) -> StoredRecord | None:
        return await self._searcher.get(scope, record_id)

    async def trim(self, *, before: datetime, max_bytes: int) -> Trimmed:
        days = await self._days()
        if len(days) < 2:
            return Trimmed(0, more=False)
        oldest = days[0]
        if oldest.begins + DAY > before and sum(day.size_bytes for day in days) <= max_bytes:
            return Trimmed(0, more=False)
        with translated():
            await self._client.options(ignore_status=404).indices.delete(index=oldest.index)
        self._laid_out.discard(day_of(oldest.begins))
        return Trimmed(oldest.records, more=True)

    async def forget(self, tenant_id: str, limit: int) -> Trimmed:
        """As the port says. The index is refreshed before, so that fresh records are met, and after.

        Found and removed by id: deleting by a query is a module that not every cluster has.
        """
        alias = self.names.alias
        with translated():
            client = self._client.options(ignore_status=404)
            await client.indices.refresh(index=alias)
            found = await client.search(
                index=alias, query={"term": {"tenantId": tenant_id}}, source=False, size=limit, track_total_hits=False
            )
            hits = found.body.get("hits", {}).get("hits", ())
            if hits:
                orders = [{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits]
                answer = await self._client.bulk(operations=orders, refresh=True)
                if answer.body["errors"]:
                    raise Unavailable("Elasticsearch did not remove all log records it was told.", retry_after=REST)
        return Trimmed(len(hits), more=len(hits) == limit)

    async def size_bytes(self) -> int:
        return sum(day.size_bytes for day in await self._days())

    async def lay_out(self) -> None:
        """Put the index template, in place of an older one. Raises Unavailable."""
        try:
            with translated():
                await self._client.indices.put_index_template(
                    name=self.names.alias, **template(self.names, self._layout), master_timeout="5s"
                )
        except ApiError as error:
            why = f"Elasticsearch takes no index template {self.names.alias}: {error}"
            raise Unavailable(why, retry_after=REST) from error

    async def make_days(self, days: set[str]) -> None:
        """Make the indices of these days where they are missing, for others to write to. Raises Unavailable."""
        for day in sorted(days & self._laid_out):
            with translated():
                if not await self._client.indices.exists_alias(name=self.names.write_alias(day)):
                    self._laid_out.discard(day)
        await self._make_days(days)

    async def _create(self, items: Sequence[Item]) -> Outcome:
        if not items:
            return Outcome()
        if asyncio.get_running_loop().time() < self._rests_until:
            raise Unavailable(self._block, retry_after=REST)
        await self._make_days({item.day for item in items})
        outcome = await bulk.create(self._client, items, refresh=self._is_seen_at_once)
        if outcome.blocked:
            self._block = f"Elasticsearch blocks writes: {outcome.blocked}"
            self._rests_until = asyncio.get_running_loop().time() + REST.total_seconds()
            _log.error("%s. Log records wait; the next try is in %d s", self._block, REST.total_seconds())
            raise Unavailable(self._block, retry_after=REST)
        # Somebody dropped the index, or the whole cluster was wiped.
        self._laid_out -= {item.day for item in outcome.homeless}
        return outcome

    async def _make_days(self, days: set[str]) -> None:
        missing = sorted(days - self._laid_out)
        if not missing:
            return
        await self.lay_out()
        for day in missing:
            await self._make_day(day)
            self._laid_out.add(day)

    async def _make_day(self, day: str) -> None:
        """The day's index and its name for writing; either may be there already, by us or by another process."""
        index, alias = self.names.index(day), self.names.write_alias(day)
        try:
            with translated():
                made = await self._client.options(ignore_status=400).indices.create(index=index, aliases={alias: {}})
                if made.meta.status == 400:
                    await self._client.indices.put_alias(index=index, name=alias)
        except NotFoundError as error:
            why = made.body.get("error", {}).get("reason", "")
            raise Unavailable(f"Elasticsearch makes no index {index}: {why}", retry_after=REST) from error

    async def _days(self) -> list["_Day"]:
        with translated():
            answer = await self._client.options(ignore_status=404).indices.stats(
                index=self.names.alias,
                metric=["docs", "store"],
                filter_path=["indices.*.primaries.docs.count", "indices.*.primaries.store.size_in_bytes"],
            )
        days = []
        for index, kept in answer.body.get("indices", {}).items():
            if (begins := self.names.day(index)) is not None:
                primaries = kept["primaries"]
                days.append(_Day(index, begins, primaries["docs"]["count"], primaries["store"]["size_in_bytes"]))
        return sorted(days, key=lambda day: day.begins)


@dataclass(frozen=True, slots=True)
class _Day:
    index: str
    begins: datetime
    records: int
    size_bytes: int


@asynccontextmanager
async def open_store(
    urls: str,
    *,
    prefix: str = "headrace",
    layout: Layout | None = None,
    api_key: str = "",
    ca: str = "",
    patience: timedelta | None = None,
    is_seen_at_once: bool = False,
    metrics: Metrics | None = None,
) -> AsyncIterator[ElasticsearchLogStore]:
    """The log in this cluster while the block runs. Waits for it, and lays out what is missing.

    `is_seen_at_once` refreshes with each write, which is dear. Raises Unavailable, ValidationFailed.
    """
    names = Names(prefix)
    async with open_elasticsearch(urls, api_key=api_key, ca=ca, patience=patience, metrics=metrics) as client:
        store = ElasticsearchLogStore(client, names, layout or Layout(), is_seen_at_once=is_seen_at_once)
        try:
            await store.lay_out()
        except Unavailable as error:
            _log.warning("The first log record lays out the index, for now it could not be done: %s", error)
        yield store


def prepared(records: Sequence[LogRecord], now: datetime, names: Names) -> tuple[list[Item], list[str]]:
    """What is written of these records, and the ids of those that are refused."""
    items = [_item(record, now, names) for record in records if record.at < now + FURTHEST]
    return items, [record.record_id for record in records if record.at >= now + FURTHEST]


def _item(record: LogRecord, now: datetime, names: Names) -> Item:
    day = day_of(record.at)
    return Item(record, day, names.write_alias(day), document_id(record), orjson.dumps(document(record, now)))


def _tell(outcome: Outcome) -> None:
    if outcome.refused:
        first = outcome.refused[0].record.record_id
        _log.warning(
            "Elasticsearch refuses %d log records, the last for this: %s. The first is %r",
            len(outcome.refused),
            outcome.reason,
            first,
        )
