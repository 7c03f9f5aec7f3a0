"""Finding records in Elasticsearch: the page, the total and the histogram of one moment."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from elasticsearch import ApiError, AsyncElasticsearch
from headrace_core import Json
from headrace_core.errors import BadRequest, DeadlineExceeded, Unavailable
from headrace_runtime.elasticsearch import translated

from headrace_logging import indexing, model
from headrace_logging.model import Bar, Found, Scope, Search, SortKey, StoredRecord
from headrace_logging.query import aggregating, dates, matching
from headrace_logging.query.aggregation_tree import Aggregations
from headrace_logging.query.tree import Everything, Node
from headrace_logging.stores.elasticsearch_bulk import SHARD_SECONDS
from headrace_logging.stores.elasticsearch_conditions import FIELD_OF, Condition, Query, condition, period
from headrace_logging.stores.elasticsearch_documents import READ_BACK, stored_record

Answer = TypeVar("Answer")

SCAN = 500
"""Records that are asked about one by one, at once."""

_KEEP_ALIVE = "30s"
_SHARD_IS_AWAY = 503
_PAUSE_SECONDS = 0.05
_TOO_LONG = "The query took longer than {:g} s: ask for a shorter time or one flow."


class Searcher:
    """Answers searches over one alias. An alias that is not there holds no records."""

    def __init__(self, client: AsyncElasticsearch, alias: str) -> None:
        self._client = client
        self._alias = alias

    async def search(self, search: Search, within: timedelta) -> Found:
        """As the port says."""
        asked = condition(search.node)
        filters = [*_structured(search), asked.query]
        try:
            async with asyncio.timeout(within.total_seconds()):
                if asked.is_exact:
                    return await self._found(search, filters, within)
                return await self._scanned(search, filters, within)
        except TimeoutError as error:
            raise DeadlineExceeded(_TOO_LONG.format(within.total_seconds())) from error

    async def aggregate(self, search: Search, asked: Aggregations, within: timedelta) -> dict[str, Json]:
        """As the port says."""
        found = condition(search.node)
        tally = aggregating.Tally(asked, within)
        try:
            async with asyncio.timeout(within.total_seconds()):
                async for hits in self._all(search, [*_structured(search), found.query], within):
                    await asyncio.to_thread(_count, tally, None if found.is_exact else search.node, hits)
                return await asyncio.to_thread(tally.result)
        except TimeoutError as error:
            raise DeadlineExceeded(_TOO_LONG.format(within.total_seconds())) from error

    async def get(self, scope: Scope, record_id: str) -> StoredRecord | None:
        """As the port says."""
        filters: list[Query] = [{"term": {"recordId": record_id}}, *_of(scope)]
        answer = await _up(
            lambda: self._client.search(
                index=self._alias,
                ignore_unavailable=True,
                allow_partial_search_results=False,
                query={"bool": {"filter": filters}},
                size=1,
                source_includes=list(READ_BACK),
            )
        )
        hits = answer["hits"]["hits"]
        return stored_record(hits[0]["_source"]) if hits else None

    # What Elasticsearch can say by itself.

    async def _found(self, search: Search, filters: Sequence[Query], within: timedelta) -> Found:
        bounds = await self._bounds(search, filters, within)
        if bounds is None:
            return Found((), 0, ())
        start, end = bounds
        width = model.bar_width(start, end)
        answer = await self._asked(
            [*filters, period("at", dates.microseconds(start), dates.microseconds(end))],
            within,
            size=search.offset + search.size if search.search_after else search.size,
            **({} if search.search_after else {"from_": search.offset}),
            **({"search_after": list(search.search_after)} if search.search_after else {}),
            sort=_sort(search.sort),
            source_includes=list(READ_BACK),
            track_total_hits=True,
            aggs={"bars": {"histogram": {"field": "at", "interval": width // dates.MICROSECONDS, "min_doc_count": 1}}},
        )
        hits = answer["hits"]["hits"][search.offset if search.search_after else 0 :]
        bars = answer.get("aggregations", {}).get("bars", {}).get("buckets", [])
        counts = {int(bar["key"]) // (width // dates.MICROSECONDS): bar["doc_count"] for bar in bars}
        return Found(
            tuple(stored_record(hit["_source"]) for hit in hits),
            answer["hits"]["total"]["value"],
            model.bars_over(start, end, width, counts),
        )

    async def _bounds(
        self, search: Search, filters: Sequence[Query], within: timedelta
    ) -> tuple[datetime, datetime] | None:
        """The range that is asked for, closed where it is open by what there is; None when nothing is in it."""
        start, end = search.start, search.end
        if start is None or end is None:
            ends = {"first": {"min": {"field": "at"}}, "last": {"max": {"field": "at"}}}
            answer = await self._asked(filters, within, size=0, aggs=ends)
            found = answer.get("aggregations", {})
            if found.get("first", {}).get("value") is None:
                return None
            start = start or dates.moment(int(found["first"]["value"]))
            end = end or dates.moment(int(found["last"]["value"]) + 1)
        return (start, end) if start < end else None

    async def _asked(self, filters: Sequence[Query], within: timedelta, **parts: Any) -> dict[str, Any]:
        seconds = within.total_seconds()
        client = self._client.options(request_timeout=seconds)
        index: dict[str, Any] = {} if "pit" in parts else {"index": self._alias, "ignore_unavailable": True}
        try:
            answer = await _up(
                lambda: client.search(
                    query={"bool": {"filter": list(filters)}},
                    allow_partial_search_results=False,
                    timeout=f"{max(1, int(seconds * 1000))}ms",
                    **index,
                    **parts,
                )
            )
        except ApiError as error:
            raise BadRequest(f"Elasticsearch cannot answer this query: make it simpler. It says: {error}") from error
        if answer["timed_out"]:
            raise DeadlineExceeded(_TOO_LONG.format(seconds))
        found: dict[str, Any] = answer.body
        return found

    # What the plain evaluator has to say about every record that is left.

    async def _scanned(self, search: Search, filters: Sequence[Query], within: timedelta) -> Found:
        moments: list[int] = []
        page: list[StoredRecord] = []
        async for hits in self._all(search, filters, within):
            for hit, stored in await asyncio.to_thread(_that_match, search.node, hits):
                moments.append(hit["_source"]["at"])
                if len(page) < search.offset + search.size and _is_after(search, hit["sort"]):
                    page.append(stored)
        return Found(tuple(page[search.offset :]), len(moments), _bars(search, moments))

    async def _all(
        self, search: Search, filters: Sequence[Query], within: timedelta
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Everything that fits the filters, of one moment, in the order that is asked for."""
        if not (await self._asked(filters, within, size=0))["hits"]["total"]["value"]:
            return
        pit = await _up(lambda: self._client.open_point_in_time(index=self._alias, keep_alive=_KEEP_ALIVE))
        try:
            after: list[Any] | None = None
            while True:
                answer = await self._asked(
                    filters,
                    within,
                    size=SCAN,
                    pit={"id": pit["id"], "keep_alive": _KEEP_ALIVE},
                    sort=_sort(search.sort),
                    source_includes=list(READ_BACK),
                    track_total_hits=False,
                    **({"search_after": after} if after else {}),
                )
                hits = answer["hits"]["hits"]
                if hits:
                    yield hits
                if len(hits) < SCAN:
                    return
                after = hits[-1]["sort"]
        finally:
            with translated():
                await self._client.close_point_in_time(id=pit["id"])


async def _up(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, asked for again for a moment while a shard is coming up: of a day that was made just now.

    Raises Unavailable.
    """
    until = asyncio.get_running_loop().time() + SHARD_SECONDS
    while True:
        try:
            with translated():
                return await ask()
        except Unavailable as error:
            comes_up = isinstance(error.__cause__, ApiError) and error.__cause__.status_code == _SHARD_IS_AWAY
            if not comes_up or asyncio.get_running_loop().time() >= until:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


def _structured(search: Search) -> list[Query]:
    filters = _of(search.scope)
    start, end = (None if at is None else dates.microseconds(at) for at in (search.start, search.end))
    if start is not None or end is not None:
        filters.append(period("at", start, end))
    if search.flow_ids:
        filters.append({"terms": {"flowId": [indexing.keyword(flow_id) for flow_id in search.flow_ids]}})
    if search.port_type:
        filters.append({"term": {"portType": indexing.keyword(search.port_type)}})
    if not search.trace:
        filters.append(Condition({"bool": {"must_not": [{"term": {"severity": "trace"}}]}}).query)
    return filters


def _of(scope: Scope) -> list[Query]:
    return [] if scope.all_tenants else [{"term": {"tenantId": scope.tenant_id}}]


def _sort(keys: Sequence[SortKey]) -> list[dict[str, Any]]:
    return [{FIELD_OF[key.field]: {"order": "desc" if key.descending else "asc"}} for key in keys]


def _that_match(node: Node, hits: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], StoredRecord]]:
    read = [(hit, stored_record(hit["_source"])) for hit in hits]
    return [(hit, stored) for hit, stored in read if matching.matches(node, matching.Document(stored))]


def _count(tally: aggregating.Tally, node: Node | None, hits: Sequence[dict[str, Any]]) -> None:
    for _, stored in _that_match(node or Everything(), hits):
        tally.add(stored)


def _is_after(search: Search, values: Sequence[int | str]) -> bool:
    """Whether a record with these sort values comes after the last one seen."""
    for key, value, seen in zip(search.sort, values, search.search_after or (), strict=False):
        if value != seen:
            # Texts compare as Elasticsearch does it: by code point.
            later = value > seen if isinstance(value, int) and isinstance(seen, int) else str(value) > str(seen)
            return later is not key.descending
    return search.search_after is None


def _bars(search: Search, moments: Sequence[int]) -> tuple[Bar, ...]:
    if not moments and (search.start is None or search.end is None):
        return ()
    start = search.start or dates.moment(min(moments))
    end = search.end or dates.moment(max(moments) + 1)
    if start >= end:
        return ()
    width = model.bar_width(start, end)
    counts = Counter(moment // (width // dates.MICROSECONDS) for moment in moments)
    return model.bars_over(start, end, width, counts)
