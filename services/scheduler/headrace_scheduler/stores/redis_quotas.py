"""Quotas in Redis: the calls of a window are a sorted set by their time, and so are the turns that were given."""

import json
from collections.abc import Sequence
from datetime import datetime

from headrace_core import ids
from headrace_runtime.redis import RedisDatabase

from headrace_scheduler.model import Caller, Turn, Window
from headrace_scheduler.pace import Pace
from headrace_scheduler.stores import instants
from headrace_scheduler.stores.turns import (
    AHEAD,
    BEFORE,
    DUE_FOR,
    LATE,
    LEAD,
    MOST_PARTIES,
    SHARES,
    SLACK,
    SOON,
    pace_of,
    text_of,
)

# `calls` has one entry for each call of any window, by when it leaves: it exists for purging alone. For a window, `q:`
# has its calls, `qp:` those of a party, `t:` all turns, `l:` the line of a party, and `s:` the parties that wait. What
# is not purged expires.
_ACQUIRE = """
local asked = cjson.decode(ARGV[1])
local request, party, call, now = asked.request, asked.party, ARGV[2], tonumber(ARGV[3])
local due_for, most, soon, before = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local ahead, lead, late = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local shares, slack = tonumber(ARGV[11]), tonumber(ARGV[12])
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

local function counted_at(window, length)
  local place = key('q:', window.name)
  local at = tonumber(redis.call('ZSCORE', place, member) or 0)
  if at <= now - length then return nil end
  if at >= math.max(now - late, tonumber(window.opens_at)) then return at end
  redis.call('ZREM', place, member)
  redis.call('ZREM', of_party('qp:', window.name, party), member)
  return nil
end

local function newest(window, length, passed_over)
  local range = {key('q:', window.name), '+inf', after(now - length), 'WITHSCORES', 'LIMIT', passed_over, 1}
  return tonumber(redis.call('ZREVRANGEBYSCORE', unpack(range))[2])
end

local function gives_way(window, room, step)
  local others, parties = {}, 1
  local due = text(room + step)
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', key('t:', window.name), '-inf', due, 'LIMIT', 0, most)) do
    local whose = cjson.decode(each)[1]
    if whose ~= party and not others[whose] then
      others[whose] = true
      parties = parties + 1
    end
  end
  if parties == 1 then return false end
  -- What a party had while it was alone took nothing away from others.
  local waits_since = room
  for whose in pairs(others) do
    local first = redis.call('ZRANGE', of_party('l:', window.name, whose), 0, 0, 'WITHSCORES')
    if first[2] then waits_since = math.min(waits_since, tonumber(first[2])) end
  end
  local begins = math.max(room - math.max(window.limit, shares * parties) * step, waits_since)
  local had = redis.call('ZCOUNT', of_party('qp:', window.name, party), after(begins), '+inf')
  return (had - slack) * parties * step >= room - begins
end

local function offer(window, length, step)
  local leaves = newest(window, length, window.limit - 1)
  local room = math.max(now, tonumber(window.opens_at), leaves and leaves + length or 0)
  if request == '' then return {room = room, turn = room, gives_way = false} end
  local turns = key('t:', window.name)
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', turns, '-inf', text(now - due_for), 'LIMIT', 0, most)) do
    leave(window.name, each)
  end
  local waiting = key('s:', window.name)
  local parties = redis.call('SCARD', waiting)
  if parties > 0 and redis.call('SISMEMBER', waiting, party) == 0 then parties = parties + 1 end
  local last = newest(window, length, 0)
  if last and (room > now or last > now or parties > 0) then room = math.max(room, last + step) end
  local line = of_party('l:', window.name, party)
  local rank = redis.call('ZRANK', line, request) or redis.call('ZCARD', line)
  local gives = gives_way(window, room, step)
  local behind = rank * math.max(1, math.min(parties, most)) + (gives and 1 or 0)
  return {room = room, turn = room + behind * step, gives_way = gives}
end

local function wait(window, offered)
  if request == '' then return offered.room end
  local turns, line, parties = key('t:', window.name), of_party('l:', window.name, party), key('s:', window.name)
  redis.call('ZADD', line, 'NX', text(now), request)
  redis.call('SADD', parties, party)
  redis.call('ZADD', turns, text(offered.turn), me)
  for _, place in ipairs({turns, line, parties}) do keep_until(place, offered.turn) end
  local comes_at = offered.turn
  if comes_at > offered.room + soon then comes_at = offered.room + math.floor((comes_at - offered.room) * before) end
  return math.max(comes_at - lead, now + ahead - lead)
end

local begins, counted, uncounted, worst, waits_for = now, {}, {}, nil, nil
local granted_until = now
if request ~= '' then granted_until = now + ahead end
local is_granted = true

local function ask(window)
  uncounted[#uncounted + 1] = window
  local offered = offer(window, tonumber(window.length), tonumber(window.step))
  begins = math.max(begins, offered.room)
  if offered.gives_way or offered.turn > granted_until then is_granted = false end
  local is_worse = not worst or (offered.gives_way and not worst.gives_way)
  if worst and offered.gives_way == worst.gives_way then is_worse = offered.turn > worst.turn end
  if is_worse then worst, waits_for = offered, window end
end

for _, window in ipairs(asked.windows) do
  local at = counted_at(window, tonumber(window.length))
  if at then
    counted[#counted + 1] = {window, at}
    begins = math.max(begins, at)
  else
    ask(window)
  end
end
-- A call that one window lets begin later only is one of that later moment in all of them.
local first_begins = begins
for _, each in ipairs(counted) do
  if each[2] < first_begins - late then
    redis.call('ZREM', key('q:', each[1].name), member)
    redis.call('ZREM', of_party('qp:', each[1].name, party), member)
    ask(each[1])
  end
end
if not is_granted then return {0, text(wait(waits_for, worst))} end
for _, window in ipairs(uncounted) do
  local length, step, own = tonumber(window.length), tonumber(window.step), of_party('qp:', window.name, party)
  redis.call('ZADD', key('q:', window.name), text(begins), member)
  redis.call('ZADD', own, text(begins), member)
  redis.call('ZREMRANGEBYSCORE', own, '-inf', text(now - length - step * shares * most))
  keep_until(own, begins + length)
  leave(window.name, me)
  redis.call('ZADD', KEYS[1] .. 'calls', text(begins + length), cjson.encode({window.name, member}))
end
return {1, text(begins)}
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

    async def acquire(self, windows: Sequence[Window], caller: Caller, now: datetime) -> Turn:
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
        known = (DUE_FOR, MOST_PARTIES, SOON, str(BEFORE), AHEAD, LEAD, LATE, SHARES, SLACK)
        is_granted, begins = await self._database.run(_ACQUIRE, json.dumps(asked), call, at, *known)
        return Turn(instants.moment(int(begins)), bool(is_granted))

    async def pace(self, name: str) -> Pace | None:
        kept = str(await self._database.run(_PACE, name))
        return pace_of(json.loads(kept)) if kept else None

    async def keep_pace(self, name: str, before: Pace | None, after: Pace) -> bool:
        lasts = (after.ends_at - after.changed_at).total_seconds()
        kept = "" if before is None else text_of(before)
        return bool(await self._database.run(_KEEP_PACE, name, kept, text_of(after), int(lasts * 1000)))

    async def purge(self, now: datetime) -> int:
        return int(await self._database.run(_PURGE, instants.stored(now), PURGE_CALLS))
