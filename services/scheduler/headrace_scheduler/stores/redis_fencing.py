"""Numbers that only grow, even after Redis lost everything: where the counter is gone they follow the clock."""

NEXT_TOKEN = """
local function next_token(now)
  local last = tonumber(redis.call('GET', KEYS[1] .. 'fence') or '0')
  local token = string.format('%.0f', math.max(last + 1, tonumber(now)))
  redis.call('SET', KEYS[1] .. 'fence', token)
  return token
end
"""
"""A Lua function; `now` is in microseconds since 1970, so that a token is exact in a double until the year 2255."""
