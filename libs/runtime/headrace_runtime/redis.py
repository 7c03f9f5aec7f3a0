"""Redis for the services that keep something there: scripts, deadlines, and errors in words of the house."""

from __future__ import annotations

import asyncio
import logging
import re
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from headrace_core.errors import Conflict, Problem, Unavailable, ValidationFailed
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript

from headrace_runtime.metrics import Metrics

TIMEOUT_SECONDS = 2.0
MAX_CONNECTIONS = 32
LONGEST_PAUSE = 5.0
OLDEST_VERSION = (6, 2)

_AWAY = (exceptions.RedisError, OSError, TimeoutError, RuntimeError)
"""The client passes on the RuntimeError that uvloop raises for a connection that was closed and nobody noticed."""

_VERSION = re.compile(r"(\d+)\.(\d+)")

logger = logging.getLogger(__name__)


class RedisDatabase:
    """One Redis, in which everything of ours stands under `prefix`.

    The prefix is a hash tag, so that in a cluster all of it lies in one slot and one script may touch it. Scripts are
    repeated once when the connection broke, so each of them must bear to be run twice.
    """

    def __init__(self, client: Redis, prefix: str) -> None:
        self.prefix = f"{{{prefix}}}:"
        self._client = client
        self._scripts: dict[str, AsyncScript] = {}
        self.calls = 0

    async def run(self, script: str, *arguments: str | int) -> Any:
        """Run a Lua script with the prefix as `KEYS[1]`. Raises Unavailable when Redis does not answer in time."""
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._client.register_script(script)
        self.calls += 1
        try:
            return await registered(keys=[self.prefix], args=arguments)
        except _AWAY as error:
            raise _unavailable(error) from error

    async def run_id(self) -> str:
        """What tells this start of this server from any other. Raises Unavailable."""
        self.calls += 1
        try:
            return str((await self._client.info("server"))["run_id"])
        except _AWAY as error:
            raise _unavailable(error) from error


@asynccontextmanager
async def open_redis(
    url: str, *, prefix: str, patience: timedelta | None = None, metrics: Metrics | None = None
) -> AsyncIterator[RedisDatabase]:
    """Connect to the Redis at `redis://[user:password@]host:port/number` while the block runs.

    A Redis that is not there yet, still loads its data or refuses the credentials is waited for, with a line for
    each try, for `patience` at most (None: for good). Raises Unavailable then. Raises Conflict when it is too old or
    may throw keys away, ValidationFailed when the URL is none: waiting would not help.
    """
    client = connect(url)
    try:
        await _wait_for(client, shown(url), patience)
        database = RedisDatabase(client, prefix)
        if metrics is not None:
            metrics.follow("headrace_redis_calls_total", "Calls of Redis, each a round trip.", lambda: database.calls)
        yield database
    finally:
        await client.aclose()


def connect(url: str) -> Redis:
    """A client that has asked nothing yet. Raises ValidationFailed when the URL is none."""
    try:
        shown(url)
        return Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            max_connections=MAX_CONNECTIONS,
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[exceptions.ConnectionError],
        )
    except ValueError:
        fix = "Write it as redis://user:password@host:6379/0, or rediss:// for TLS."
        raise ValidationFailed([Problem("HEADRACE_REDIS_URL", "It is no address of a Redis.", fix)]) from None


async def _wait_for(client: Redis, address: str, patience: timedelta | None) -> None:
    loop = asyncio.get_running_loop()
    until = None if patience is None else loop.time() + patience.total_seconds()
    pause = 0.2
    while True:
        try:
            return await _check(client, address)
        except _AWAY as error:
            complaint, cause = f"Redis at {address} {_complaint(error)}", error
        if until is not None and loop.time() + pause > until:
            raise Unavailable(f"{complaint}: {cause}") from cause
        logger.warning("Not started yet: %s; trying again in %.1f s: %s", complaint, pause, cause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _complaint(error: Exception) -> str:
    if isinstance(error, exceptions.AuthenticationError | exceptions.NoPermissionError):
        return "refuses the user or password of HEADRACE_REDIS_URL"
    return "does not answer"


async def _check(client: Redis, address: str) -> None:
    """Raises Conflict when this Redis cannot keep what Headrace gives it."""
    server, memory = await client.info("server"), await client.info("memory")
    if is_too_old(server):
        needed = ".".join(map(str, OLDEST_VERSION))
        raise Conflict(f"Redis at {address} is version {server['redis_version']}: {needed} or newer is needed.")
    if may_evict(memory):
        raise Conflict(
            f"Redis at {address} may throw timers away when its memory is full: its maxmemory-policy is "
            f"{memory['maxmemory_policy']}. Set it to noeviction, in redis.conf or by CONFIG SET."
        )


def is_too_old(server: Mapping[str, Any]) -> bool:
    """Whether `INFO server` tells of a Redis that lacks what our scripts need."""
    found = _VERSION.match(str(server.get("redis_version", "")))
    return found is not None and (int(found[1]), int(found[2])) < OLDEST_VERSION


def may_evict(memory: Mapping[str, Any]) -> bool:
    """Whether `INFO memory` tells of a Redis that forgets keys when it is full."""
    return int(memory.get("maxmemory", 0)) > 0 and memory.get("maxmemory_policy", "noeviction") != "noeviction"


def shown(url: str) -> str:
    """The address without what is secret in it."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}{parts.path}"


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"Redis does not take the call: {error}", retry_after=timedelta(seconds=1))
