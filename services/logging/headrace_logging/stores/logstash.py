"""Records that Logstash brings to Elasticsearch: they are left in a queue, and searched where they arrive.

A message is a JSON array of documents as `elasticsearch_documents` makes them, each with the alias and the id that it
is to be created under as `_index` and `_id`. Logstash's codec `json` makes an event of each element; a message for
each record would cost a confirmation and an acknowledgement for each.
"""

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson
from headrace_core import Json
from headrace_core.errors import Unavailable
from headrace_runtime.bus.feed import Feed

from headrace_logging.model import Found, LogRecord, Scope, Search, StoredRecord, Written
from headrace_logging.query.aggregation_tree import Aggregations
from headrace_logging.store import Trimmed
from headrace_logging.stores import elasticsearch_bulk as bulk
from headrace_logging.stores.elasticsearch import ElasticsearchLogStore, prepared
from headrace_logging.stores.elasticsearch_bulk import Item

FEED = "log-records"
MESSAGE_BYTES = 1024 * 1024
REMEMBERED = 10_000
LOOK_EVERY = 10.0
LOOK_SECONDS = 4.0

_log = logging.getLogger(__name__)


class LogstashLogStore:
    """LogStore over the indices of `keeper`, which reads and forgets; what is written goes by way of `feed`.

    A record is found once Logstash has brought it and the index is refreshed.
    """

    def __init__(self, keeper: ElasticsearchLogStore, feed: Feed) -> None:
        self._keeper = keeper
        self._feed = feed
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._looked: dict[str, float] = {}

    async def write(self, records: Sequence[LogRecord], now: datetime) -> Written:
        """As the port says: durable in the queue. Raises Unavailable unless the broker confirmed all of them.

        Only the last ten thousand records count as known here; of older ones Elasticsearch refuses the double.
        """
        items, refused = prepared(records, now, self._keeper.names)
        fresh = self._unknown(items)
        await self._make_days({item.day for item in fresh})
        await self._feed.send([message(part) for part in bulk.chunks(fresh, MESSAGE_BYTES)])
        self._remember(fresh)
        stored = tuple(StoredRecord(item.record, now) for item in fresh)
        return Written(stored, len(items) - len(fresh), tuple(refused))

    async def search(self, search: Search, *, within: timedelta) -> Found:
        return await self._keeper.search(search, within=within)

    async def aggregate(self, search: Search, asked: Aggregations, *, within: timedelta) -> dict[str, Json]:
        return await self._keeper.aggregate(search, asked, within=within)

    async def get(self, scope: Scope, record_id: str) -> StoredRecord | None:
        return await self._keeper.get(scope, record_id)

    async def trim(self, *, before: datetime, max_bytes: int) -> Trimmed:
        return await self._keeper.trim(before=before, max_bytes=max_bytes)

    async def forget(self, tenant_id: str, limit: int) -> Trimmed:
        return await self._keeper.forget(tenant_id, limit)

    async def size_bytes(self) -> int:
        return await self._keeper.size_bytes()

    async def _make_days(self, days: set[str]) -> None:
        """See that the days are there: Logstash only writes to aliases, so that it makes no index nobody laid out.

        While Elasticsearch is away records of a day that was there go on to the queue; those of a new one wait.
        """
        moment = asyncio.get_running_loop().time()
        due = {day for day in days if moment - self._looked.get(day, -math.inf) > LOOK_EVERY}
        if not due:
            return
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._keeper.make_days(due)
        except (Unavailable, TimeoutError) as error:
            if not due <= self._looked.keys():
                raise Unavailable("A new day of log records waits for Elasticsearch.") from error
            _log.warning("Log records go to Logstash unseen: Elasticsearch does not answer")
        self._looked.update(dict.fromkeys(due, moment))

    def _unknown(self, items: Sequence[Item]) -> list[Item]:
        """The first of each id that was not sent lately."""
        first: dict[str, Item] = {}
        for item in items:
            if item.document_id not in self._sent:
                first.setdefault(item.document_id, item)
        return list(first.values())

    def _remember(self, items: Sequence[Item]) -> None:
        self._sent.update(dict.fromkeys(item.document_id for item in items))
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)


def message(items: Sequence[Item]) -> bytes:
    """The items as Logstash reads them."""
    return b"[" + b",".join(map(_addressed, items)) + b"]"


def _addressed(item: Item) -> bytes:
    """The document with its address; spliced, since it is JSON already and not small."""
    address = orjson.dumps({"_index": item.alias, "_id": item.document_id})
    return address[:-1] + b"," + item.body[1:]
