"""What the log service asks of the place where records are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from headrace_core import Json

from headrace_logging.model import Found, LogRecord, Scope, Search, StoredRecord, Written
from headrace_logging.query.aggregation_tree import Aggregations


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What a round of trimming removed, and whether another has something to do."""

    removed: int
    more: bool


class LogStore(Protocol):
    """Keeps cleaned records, finds them again, and forgets the oldest."""

    async def write(self, records: Sequence[LogRecord], now: datetime) -> Written:
        """Store records and return once they are durable. A record whose tenant has that id is passed over.

        Of equal ids in one batch the first is stored. Raises Unavailable when not everything was stored: writing the
        batch again is safe then.
        """
        ...

    async def search(self, search: Search, *, within: timedelta) -> Found:
        """The page, the total and the histogram of what is asked for, all of one moment.

        What is found is exactly what `query.matching.matches` is true of, once it shows. Total and histogram do not
        depend on the page. Raises DeadlineExceeded when it takes longer than `within`.
        """
        ...

    async def aggregate(self, search: Search, asked: Aggregations, *, within: timedelta) -> dict[str, Json]:
        """What `query.aggregating` makes of all that is asked for; its page and order do not matter.

        Raises BadRequest when that is more than can be looked at, or would be too long an answer, and
        DeadlineExceeded when it takes longer than `within`.
        """
        ...

    async def get(self, scope: Scope, record_id: str) -> StoredRecord | None:
        """The record; None when the scope has none of that id. What was written just now may take a second to show."""
        ...

    async def trim(self, *, before: datetime, max_bytes: int) -> Trimmed:
        """Remove some of the oldest records that were stored before `before` or are too much for `max_bytes`.

        One call is short, so that writes get their turn between two of them. Whole stretches go, of arrival or of
        the time when records happened, so a record may stay up to a day longer than asked; the last one always stays.
        """
        ...

    async def forget(self, tenant_id: str, limit: int) -> Trimmed:
        """Remove up to about `limit` records of the tenant, and what they are searched by. Again, it goes on."""
        ...

    async def size_bytes(self) -> int:
        """How much room the records and what they are searched by take."""
        ...
