"""Quotas in Redis: the calls of a window are a sorted set by their time, and so are the turns that were given."""

import json
from collections.abc import Sequence
from datetime import datetime

from headrace_core import ids
from headrace_runtime.redis import RedisDatabase

from headrace_scheduler.model import Caller, Window
from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants
from headrace_scheduler.stores.turns import BEFORE, DUE_FOR, MOST_PARTIES, SOON, pace_of, text_of

# `calls` has one entry for each call of any window, by when it leaves: it exists for purging alone. For a window, `q:`
# has its calls, `qp:` those of a party, `t:` all turns, `l:` the line of a party, and `s:` the parties that wait. What
# is not purged expires.
_ACQUIRE = """
local asked = cjson.decode(ARGV[1])
local request, party, call, now = asked.request, asked.party, ARGV[2], tonumber(ARGV[3])
local due_for, most, soon, before = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local me = cjson.encode({party, request})
local member = call
if request ~= '' then member = 'r:' .. request end
local function text(number) return string.format('%.0f', number) end
local function after(number) return '(' .. text(number) end
local function key(kind, name) return KEYS[1] .. kind .. name end
local function of_party(kind, name, whose) return key(kind, name .. '\\n' .. whose) end
local function keep_until(place, at)
  local wanted = math.ceil((at - now) / 1000) + 120000
  if redis.call('PTTL', place) < wanted then redis.call('PEXPIRE', place, text(wanted)) end
end

local function leave(name, each)
  local who = cjson.decode(each)
  local line = of_party('l:', name, who[1])
  redis.call('ZREM', key('t:', name), each)
  redis.call('ZREM', line, who[2])
  if redis.call('EXISTS', line) == 0 then redis.call('SREM', key('s:', name), who[1]) end
end

local function gives_way(window, length)
  local turns = key('t:', window.name)
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', turns, '-inf', text(now - due_for), 'LIMIT', 0, most)) do
    leave(window.name, each)
  end
  local line = of_party('l:', window.name, party)
  local mine, rank = redis.call('ZSCORE', turns, me), redis.call('ZRANK', line, request)
  if (not mine or tonumber(mine) > now) and (rank or redis.call('ZCARD', line)) > 0 then return true end
  local others, count = {}, 0
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', turns, '-inf', text(now), 'LIMIT', 0, most)) do
    local whose = cjson.decode(each)[1]
    if whose ~= party and not others[whose] then
      others[whose] = true
      count = count + 1
    end
  end
  if count == 0 then return false end
  local had = redis.call('ZCOUNT', of_party('qp:', window.name, party), after(now - length), '+inf')
  return had >= math.ceil(window.limit / (1 + count))
end

local function room_at(window, length, step)
  local place = key('q:', window.name)
  local since = after(now - length)
  local full = redis.call('ZREVRANGEBYSCORE', place, '+inf', since, 'WITHSCORES', 'LIMIT', window.limit - 1, 1)
  local at = tonumber(window.opens_at)
  if full[2] then at = math.max(at, tonumber(full[2]) + length) end
  if at > now then return at end
  if request == '' or not gives_way(window, length) then return nil end
  return now + math.max(1, step)
end

local function turn(window, step, room)
  if request == '' then return room end
  local turns, line, parties = key('t:', window.name), of_party('l:', window.name, party), key('s:', window.name)
  redis.call('ZADD', line, 'NX', text(now), request)
  redis.call('SADD', parties, party)
  local rank = redis.call('ZRANK', line, request)
  local at = room + rank * math.min(redis.call('SCARD', parties), most) * step
  redis.call('ZADD', turns, text(at), me)
  for _, place in ipairs({turns, line, parties}) do keep_until(place, at) end
  if at <= room + soon then return at end
  return room + math.floor((at - room) * before)
end

local wait, waits_for, uncounted = nil, nil, {}
for _, window in ipairs(asked.windows) do
  local length, step = tonumber(window.length), tonumber(window.step)
  local counted_at = redis.call('ZSCORE', key('q:', window.name), member)
  if not counted_at or tonumber(counted_at) <= now - length then
    uncounted[#uncounted + 1] = window
    local at = room_at(window, length, step)
    if at and (not wait or at > wait) then wait, waits_for = at, window end
  end
end
if wait then return text(turn(waits_for, tonumber(waits_for.step), wait)) end
for _, window in ipairs(uncounted) do
  local length, own = tonumber(window.length), of_party('qp:', window.name, party)
  redis.call('ZADD', key('q:', window.name), text(now), member)
  redis.call('ZADD', own, text(now), member)
  redis.call('ZREMRANGEBYSCORE', own, '-inf', text(now - length))
  keep_until(own, now + length)
  leave(window.name, me)
  redis.call('ZADD', KEYS[1] .. 'calls', text(now + length), cjson.encode({window.name, member}))
end
return ''
"""

_KEEP_PACE = """
local place = KEYS[1] .. 'pace:' .. ARGV[1]
if (redis.call('GET', place) or '') ~= ARGV[2] then return 0 end
redis.call('SET', place, ARGV[3], 'PX', ARGV[4])
return 1
"""
_PACE = "return redis.call('GET', KEYS[1] .. 'pace:' .. ARGV[1]) or ''"

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

    async def acquire(self, windows: Sequence[Window], caller: Caller, now: datetime) -> datetime | None:
        described = [
            {
                "name": window.name,
                "limit": window.limit,
                "length": str(instants.span(window.length)),
                "step": str(instants.span(window.step)),
                "opens_at": "0" if window.opens_at is None else str(instants.stored(window.opens_at)),
            }
            for window in windows
        ]
        asked = {"windows": described, "request": caller.request_id, "party": caller.party}
        call, at = f"c:{ids.new_id()}", instants.stored(now)
        known = (DUE_FOR, MOST_PARTIES, SOON, str(BEFORE))
        turn = await self._database.run(_ACQUIRE, json.dumps(asked), call, at, *known)
        return instants.moment(int(turn)) if turn else None

    async def pace(self, name: str) -> Pace | None:
        kept = str(await self._database.run(_PACE, name))
        return pace_of(json.loads(kept)) if kept else None

    async def keep_pace(self, name: str, before: Pace | None, after: Pace) -> bool:
        lasts = (after.ends_at - after.changed_at).total_seconds()
        kept = "" if before is None else text_of(before)
        return bool(await self._database.run(_KEEP_PACE, name, kept, text_of(after), int(lasts * 1000)))

    async def purge(self, now: datetime) -> int:
        return int(await self._database.run(_PURGE, instants.stored(now), PURGE_CALLS))
