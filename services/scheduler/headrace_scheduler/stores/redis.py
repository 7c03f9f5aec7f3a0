"""All that the scheduler keeps, in one Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from headrace_core import ids
from headrace_runtime.metrics import Metrics
from headrace_runtime.redis import RedisDatabase, open_redis

from headrace_scheduler.store import LockStore, QuotaStore, TimerStore
from headrace_scheduler.stores.redis_locks import RedisLockStore
from headrace_scheduler.stores.redis_quotas import RedisQuotaStore
from headrace_scheduler.stores.redis_timers import RedisTimerStore

# A gap is named by the start of the server and by a mark that is gone when everything is gone: what a later FLUSHALL
# takes, while timers come back, is another gap.
_GAP = """
if redis.call('GET', KEYS[1] .. 'whole') == ARGV[1] then return '' end
redis.call('SET', KEYS[1] .. 'gap', ARGV[2], 'NX')
return redis.call('GET', KEYS[1] .. 'gap')
"""
_CLOSE = """
if redis.call('GET', KEYS[1] .. 'gap') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1] .. 'gap')
redis.call('SET', KEYS[1] .. 'whole', ARGV[1])
return 1
"""


class RedisStore:
    """Timers, locks and quotas under one prefix."""

    def __init__(self, database: RedisDatabase, *, fenced: bool) -> None:
        self.timers: TimerStore = RedisTimerStore(database, fenced=fenced)
        self.locks: LockStore = RedisLockStore(database)
        self.quotas: QuotaStore = RedisQuotaStore(database)
        self._database = database

    async def gap(self) -> str:
        """Redis that was started anew may lack its last second, or everything: it has another run id then."""
        run_id = await self._database.run_id()
        mark = str(await self._database.run(_GAP, run_id, ids.new_id()))
        return f"{run_id} {mark}" if mark else ""

    async def close_gap(self, gap: str) -> None:
        run_id, _, mark = gap.partition(" ")
        await self._database.run(_CLOSE, run_id, mark)


@asynccontextmanager
async def open_store(
    url: str,
    *,
    prefix: str,
    patience: timedelta | None = None,
    metrics: Metrics | None = None,
    fenced: bool = True,
) -> AsyncIterator[RedisStore]:
    """The scheduler's part of the Redis at this address, while the block runs; see `open_redis`.

    Only a chaos test opens it unfenced, to see the damage.
    """
    async with open_redis(url, prefix=prefix, patience=patience, metrics=metrics) as database:
        yield RedisStore(database, fenced=fenced)
