"""Locks in Redis."""

from datetime import datetime, timedelta

from headrace_runtime.redis import RedisDatabase

from headrace_scheduler.model import Lock
from headrace_scheduler.stores import instants
from headrace_scheduler.stores.redis_fencing import NEXT_TOKEN

_ACQUIRE = (
    NEXT_TOKEN
    + """
local name, holder, now, ends = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = KEYS[1] .. 'l:' .. name
local is = redis.call('HMGET', key, 'holder', 'token', 'expires_at')
local is_held = is[1] and tonumber(is[3]) > tonumber(now)
if is_held and is[1] ~= holder then return {'', is[3]} end
local token = is[2]
if not is_held then token = next_token(now) end
redis.call('HSET', key, 'holder', holder, 'token', token, 'expires_at', ends)
redis.call('ZADD', KEYS[1] .. 'lock_ends', ends, name)
return {token, ends}
"""
)

_EXTEND = """
local name, holder, now, ends = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = KEYS[1] .. 'l:' .. name
local is = redis.call('HMGET', key, 'holder', 'expires_at')
if is[1] ~= holder or tonumber(is[2]) <= tonumber(now) then return 0 end
redis.call('HSET', key, 'expires_at', ends)
redis.call('ZADD', KEYS[1] .. 'lock_ends', ends, name)
return 1
"""

_RELEASE = """
local key = KEYS[1] .. 'l:' .. ARGV[1]
if redis.call('HGET', key, 'holder') ~= ARGV[2] then return 0 end
redis.call('DEL', key)
redis.call('ZREM', KEYS[1] .. 'lock_ends', ARGV[1])
return 1
"""

_PURGE = """
local names = redis.call('ZRANGEBYSCORE', KEYS[1] .. 'lock_ends', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, name in ipairs(names) do
  redis.call('DEL', KEYS[1] .. 'l:' .. name)
  redis.call('ZREM', KEYS[1] .. 'lock_ends', name)
end
return #names
"""

PURGE_LOCKS = 1_000


class RedisLockStore:
    """LockStore in Redis."""

    def __init__(self, database: RedisDatabase) -> None:
        self._database = database

    async def acquire(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lock:
        token, ends = await self._database.run(_ACQUIRE, name, holder, instants.stored(now), instants.stored(now + ttl))
        return Lock(bool(token), int(token or 0), instants.moment(int(ends)))

    async def extend(self, name: str, holder: str, ttl: timedelta, now: datetime) -> datetime | None:
        extended = await self._database.run(_EXTEND, name, holder, instants.stored(now), instants.stored(now + ttl))
        return now + ttl if extended else None

    async def release(self, name: str, holder: str) -> bool:
        return bool(await self._database.run(_RELEASE, name, holder))

    async def purge(self, now: datetime) -> int:
        purged = 0
        while some := int(await self._database.run(_PURGE, instants.stored(now), PURGE_LOCKS)):
            purged += some
        return purged
