"""Timers in Redis: a hash for each, and sorted sets by due time, by id and by group.

What a schedule means is decided here and not in Lua: a claim is taken by one script and its promise written by
another, both guarded by the claim's fence.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from headrace_core.errors import Conflict, HeadraceError, Unavailable
from headrace_runtime.redis import RedisDatabase

from headrace_scheduler import model
from headrace_scheduler.model import Claim, KeptTimer, Retry, Settlement, Timer
from headrace_scheduler.store import Claims
from headrace_scheduler.stores import instants, rows
from headrace_scheduler.stores.redis_fencing import NEXT_TOKEN

PUT_TRIES = 8

_DROP = """
local function drop(id)
  local group = redis.call('HGET', KEYS[1] .. 't:' .. id, 'group_id')
  if not group then return 0 end
  redis.call('DEL', KEYS[1] .. 't:' .. id)
  redis.call('ZREM', KEYS[1] .. 'due', id)
  redis.call('ZREM', KEYS[1] .. 'held', id)
  redis.call('ZREM', KEYS[1] .. 'ids', id)
  redis.call('ZREM', KEYS[1] .. 'g:' .. group, id)
  return 1
end
local function place(id, due, held)
  if due == '' then redis.call('ZREM', KEYS[1] .. 'due', id)
  else redis.call('ZADD', KEYS[1] .. 'due', due, id) end
  if due == '' or not held then redis.call('ZREM', KEYS[1] .. 'held', id)
  else redis.call('ZADD', KEYS[1] .. 'held', due, id) end
end
"""

_READ = """
local found = {}
for place, id in ipairs(cjson.decode(ARGV[1])) do
  found[place] = redis.call('HGETALL', KEYS[1] .. 't:' .. id)
end
return found
"""

# All or none: a put that was decided on other values than are there now writes nothing.
_PUT = (
    _DROP
    + """
local puts = cjson.decode(ARGV[1])
for _, put in ipairs(puts) do
  local is = redis.call('HMGET', KEYS[1] .. 't:' .. put.id, 'tenant_id', 'schedule', 'group_id')
  for place = 1, 3 do
    if (is[place] or '') ~= put.expected[place] then return 0 end
  end
end
for _, put in ipairs(puts) do
  local key = KEYS[1] .. 't:' .. put.id
  local group = put.expected[3]
  if group ~= '' and group ~= put.group then redis.call('ZREM', KEYS[1] .. 'g:' .. group, put.id) end
  redis.call('ZADD', KEYS[1] .. 'ids', 0, put.id)
  redis.call('ZADD', KEYS[1] .. 'g:' .. put.group, 0, put.id)
  redis.call('HSET', key, unpack(put.set))
  if put.due then place(put.id, put.due, false) end
end
return 1
"""
)

_REMOVE = (
    _DROP
    + """
local removed = 0
for _, id in ipairs(cjson.decode(ARGV[1])) do removed = removed + drop(id) end
for _, group in ipairs(cjson.decode(ARGV[2])) do
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. 'g:' .. group, 0, -1)) do removed = removed + drop(id) end
end
return removed
"""
)

_LIST = """
local index = KEYS[1] .. 'ids'
if ARGV[1] ~= '' then index = KEYS[1] .. 'g:' .. ARGV[1] end
local from = '-'
if ARGV[2] ~= '' then from = '(' .. ARGV[2] end
local found = {}
for place, id in ipairs(redis.call('ZRANGEBYLEX', index, from, '+', 'LIMIT', 0, ARGV[3])) do
  found[place] = redis.call('HGETALL', KEYS[1] .. 't:' .. id)
end
return found
"""

_CLAIM = (
    _DROP
    + NEXT_TOKEN
    + """
local owner, now, until_at, void, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local ids = redis.call('ZRANGEBYSCORE', KEYS[1] .. 'due', '-inf', now, 'LIMIT', 0, limit)
if #ids < limit then
  local voided = redis.call('ZRANGEBYSCORE', KEYS[1] .. 'held', '(' .. void, '+inf', 'LIMIT', 0, limit - #ids)
  for _, id in ipairs(voided) do ids[#ids + 1] = id end
end
if #ids == 0 then return {} end
local fence = next_token(now)
local found = {fence}
for _, id in ipairs(ids) do
  redis.call('HSET', KEYS[1] .. 't:' .. id, 'owner', owner, 'fence', fence)
  place(id, until_at, true)
  found[#found + 1] = redis.call('HGETALL', KEYS[1] .. 't:' .. id)
end
return found
"""
)

# Changes to claimed timers; those whose claim is void by now are passed over.
_AMEND = (
    _DROP
    + """
local amended = 0
for _, change in ipairs(cjson.decode(ARGV[1])) do
  local key = KEYS[1] .. 't:' .. change.id
  local is = redis.call('HMGET', key, 'owner', 'fence')
  if is[1] == change.owner and is[2] == change.fence or ARGV[2] == 'unfenced' and is[2] then
    amended = amended + 1
    if change.drop then
      drop(change.id)
    else
      redis.call('HSET', key, unpack(change.set))
      if change.due then place(change.id, change.due, change.held) end
    end
  end
end
return amended
"""
)

_NEXT_DUE = """
if #redis.call('ZRANGEBYSCORE', KEYS[1] .. 'held', '(' .. ARGV[1], '+inf', 'LIMIT', 0, 1) > 0 then return 'now' end
return redis.call('ZRANGE', KEYS[1] .. 'due', 0, 0, 'WITHSCORES')
"""

_NUMBERS = ("immediate", "is_promised", "caught_up", "attempts")
_INSTANTS = ("next_at", "previous_at")


class RedisTimerStore:
    """TimerStore in Redis."""

    def __init__(self, database: RedisDatabase, *, fenced: bool = True) -> None:
        self._database = database
        self._fenced = "fenced" if fenced else "unfenced"

    async def put(self, timers: Sequence[Timer], now: datetime, *, only_missing: bool = False) -> list[KeptTimer]:
        for attempt in range(PUT_TRIES):
            known = await self._read([timer.timer_id for timer in timers])
            puts = [_put(timer, row, now, only_missing) for timer, row in zip(timers, known, strict=True)]
            if await self._database.run(_PUT, json.dumps([put for _, put in puts if put])):
                return [kept for kept, _ in puts]
            await asyncio.sleep(0.005 * attempt)
        raise Unavailable("The timers are being changed by others all the time: try again.")

    async def _read(self, timer_ids: Sequence[str]) -> list[rows.Row | None]:
        found = await self._database.run(_READ, json.dumps(list(timer_ids)))
        return [_row(timer_id, flat) if flat else None for timer_id, flat in zip(timer_ids, found, strict=True)]

    async def remove(self, *, timer_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> int:
        return int(await self._database.run(_REMOVE, json.dumps(list(timer_ids)), json.dumps(list(group_ids))))

    async def list(self, *, group_id: str, after_timer_id: str, limit: int) -> list[KeptTimer]:
        found = await self._database.run(_LIST, group_id, after_timer_id, limit)
        return [rows.kept(_row(None, flat)) for flat in found]

    async def claim_due(self, owner: str, now: datetime, lease: timedelta, limit: int) -> Claims:
        found = await self._database.run(
            _CLAIM,
            owner,
            instants.stored(now),
            instants.stored(now + lease),
            instants.stored(now + rows.LONGEST_HOLD),
            limit,
        )
        if not found:
            return Claims()
        fence = int(found[0])
        claims: list[Claim] = []
        unreadable: list[str] = []
        changes: list[dict[str, Any]] = []
        for row in [_row(None, flat) for flat in found[1:]]:
            mine = {"id": row["timer_id"], "owner": owner, "fence": str(fence)}
            try:
                kept = model.promise(rows.kept(row), now)
            except HeadraceError:
                unreadable.append(row["timer_id"])
                aside = instants.stored(now + rows.ASIDE)
                changes.append({**mine, "set": ["owner", ""], "due": str(aside), "held": True})
                continue
            if kept.is_promised and kept.next_at is not None:
                claims.append(Claim(kept, kept.next_at, owner, fence, row["attempts"]))
                changes.append({**mine, "set": _flat(_promised(kept))})
            else:
                changes.append({**mine, **_moved_on(kept)})
        promised = await self._amend(changes)
        if promised != len(changes):
            # Somebody changed one of them in between: its claim is void, and which it is nobody here knows.
            return Claims(tuple(await self._still(claims)), tuple(unreadable))
        return Claims(tuple(claims), tuple(unreadable))

    async def _still(self, claims: Iterable[Claim]) -> Sequence[Claim]:
        of_id = {claim.kept.timer.timer_id: claim for claim in claims}
        found = await self._read(list(of_id))
        return [
            claim
            for claim, row in zip(of_id.values(), found, strict=True)
            if row is not None and (row.get("owner"), row.get("fence")) == (claim.owner, str(claim.fence))
        ]

    async def settle(self, settlements: Sequence[Settlement]) -> int:
        return await self._amend(_settled(settlement) for settlement in settlements)

    async def release(self, retries: Sequence[Retry]) -> int:
        return await self._amend(
            {
                **_mine(retry.claim),
                "set": _flat({"owner": "", "attempts": retry.claim.attempts + 1}),
                "due": str(instants.stored(retry.retry_at)),
                "held": True,
            }
            for retry in retries
        )

    async def drop(self, claims: Sequence[Claim]) -> int:
        return await self._amend({**_mine(claim), "drop": True} for claim in claims)

    async def _amend(self, changes: Iterable[Mapping[str, Any]]) -> int:
        return int(await self._database.run(_AMEND, json.dumps(list(changes)), self._fenced))

    async def next_due(self, now: datetime) -> datetime | None:
        found = await self._database.run(_NEXT_DUE, instants.stored(now + rows.LONGEST_HOLD))
        if found == "now":
            return now
        return instants.moment(int(float(found[1]))) if found else None


def _put(
    timer: Timer, row: rows.Row | None, now: datetime, only_missing: bool
) -> tuple[KeptTimer, dict[str, Any] | None]:
    """The timer as it will be kept, and the change that brings that about; None when it stays as it is."""
    if row is None:
        kept = model.put(timer, None, now)
        return kept, _change(timer, ("", "", ""), {**rows.values(kept), "attempts": 0}, due=kept.next_at)
    if row["tenant_id"] != timer.tenant_id:
        raise Conflict(f"The timer id {timer.timer_id!r} is taken by another tenant: choose one of your own.")
    if only_missing:
        return rows.kept(row), None
    expected = (row["tenant_id"], row["schedule"], row["group_id"])
    named = {
        name: value
        for name, value in rows.values(KeptTimer(timer, None)).items()
        if name in ("group_id", "misfire", "flow_id", "node_id", "port", "run_id", "immediate")
    }
    if row["schedule"] == rows.written(timer.schedule):
        return model.put(timer, rows.kept(row), now), _change(timer, expected, named, due="as it is")
    kept = model.put(timer, rows.begun_anew(row), now)
    anew = {
        "schedule": rows.written(timer.schedule),
        "next_at": instants.stored_or_none(kept.next_at),
        "is_promised": 0,
        "caught_up": 0,
        "attempts": 0,
        "owner": "",
    }
    return kept, _change(timer, expected, {**named, **anew}, due=kept.next_at)


def _change(
    timer: Timer, expected: Sequence[str], values: Mapping[str, Any], *, due: datetime | Literal["as it is"] | None
) -> dict[str, Any]:
    change = {"id": timer.timer_id, "group": timer.group_id, "expected": list(expected), "set": _flat(values)}
    if not isinstance(due, str):
        change["due"] = _text(instants.stored_or_none(due))
    return change


def _promised(kept: KeptTimer) -> dict[str, int | None]:
    return {"next_at": instants.stored_or_none(kept.next_at), "is_promised": 1, "caught_up": kept.caught_up}


def _moved_on(kept: KeptTimer) -> dict[str, Any]:
    if kept.next_at is None and kept.timer.run_id:
        return {"drop": True}
    next_at = instants.stored_or_none(kept.next_at)
    return {"set": _flat({"next_at": next_at, "owner": ""}), "due": _text(next_at), "held": False}


def _settled(settlement: Settlement) -> dict[str, Any]:
    claim = settlement.claim
    if settlement.next_at is None and claim.kept.timer.run_id:
        return {**_mine(claim), "drop": True}
    next_at = instants.stored_or_none(settlement.next_at)
    values = {
        "previous_at": instants.stored(claim.nominal_at),
        "next_at": next_at,
        "is_promised": 0,
        "owner": "",
        "attempts": 0,
    }
    return {**_mine(claim), "set": _flat(values), "due": _text(next_at), "held": False}


def _mine(claim: Claim) -> dict[str, Any]:
    return {"id": claim.kept.timer.timer_id, "owner": claim.owner, "fence": str(claim.fence)}


def _flat(values: Mapping[str, Any]) -> list[str]:
    """Names and values in turn, as HSET takes them. Lua never sees a number, so none loses digits."""
    return [text for name, value in values.items() for text in (name, _text(value))]


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _row(timer_id: str | None, flat: Sequence[str]) -> rows.Row:
    """A row as it is kept in memory, from what HGETALL says."""
    row: dict[str, Any] = dict(zip(flat[::2], flat[1::2], strict=True))
    row.update({name: int(row.get(name) or 0) for name in _NUMBERS})
    row.update({name: int(row[name]) if row.get(name) else None for name in _INSTANTS})
    if timer_id is not None:
        row["timer_id"] = timer_id
    return row
