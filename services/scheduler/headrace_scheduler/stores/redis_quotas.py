"""Quotas in Redis: the calls of a window are a sorted set by their time."""

import json
from collections.abc import Sequence
from datetime import datetime

from headrace_core import ids
from headrace_runtime.redis import RedisDatabase

from headrace_scheduler.model import Window
from headrace_scheduler.stores import instants

# `calls` has one entry for each call of any window, by when it leaves: it exists for purging alone.
_ACQUIRE = """
local request, call, now = ARGV[2], ARGV[3], tonumber(ARGV[4])
local member = call
if request ~= '' then member = 'r:' .. request end
local wait, uncounted = nil, {}
for _, window in ipairs(cjson.decode(ARGV[1])) do
  local key = KEYS[1] .. 'q:' .. window.name
  local length = tonumber(window.length)
  local since = '(' .. string.format('%.0f', now - length)
  local counted_at = redis.call('ZSCORE', key, member)
  if not counted_at or tonumber(counted_at) <= now - length then
    uncounted[#uncounted + 1] = window
    local full = redis.call('ZREVRANGEBYSCORE', key, '+inf', since, 'WITHSCORES', 'LIMIT', window.limit - 1, 1)
    if full[2] then wait = math.max(wait or 0, tonumber(full[2]) + length) end
  end
end
if wait then return string.format('%.0f', wait) end
for _, window in ipairs(uncounted) do
  redis.call('ZADD', KEYS[1] .. 'q:' .. window.name, ARGV[4], member)
  local ends = string.format('%.0f', now + tonumber(window.length))
  redis.call('ZADD', KEYS[1] .. 'calls', ends, cjson.encode({window.name, member}))
end
return ''
"""

_PURGE = """
local calls = redis.call('ZRANGEBYSCORE', KEYS[1] .. 'calls', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, call in ipairs(calls) do
  local named = cjson.decode(call)
  redis.call('ZREM', KEYS[1] .. 'q:' .. named[1], named[2])
  redis.call('ZREM', KEYS[1] .. 'calls', call)
end
return #calls
"""

PURGE_CALLS = 1_000


class RedisQuotaStore:
    """QuotaStore in Redis."""

    def __init__(self, database: RedisDatabase) -> None:
        self._database = database

    async def acquire(self, windows: Sequence[Window], request_id: str, now: datetime) -> datetime | None:
        described = [
            {"name": window.name, "limit": window.limit, "length": str(instants.span(window.length))}
            for window in windows
        ]
        retry_at = await self._database.run(
            _ACQUIRE, json.dumps(described), request_id, f"c:{ids.new_id()}", instants.stored(now)
        )
        return instants.moment(int(retry_at)) if retry_at else None

    async def purge(self, now: datetime) -> int:
        return int(await self._database.run(_PURGE, instants.stored(now), PURGE_CALLS))
