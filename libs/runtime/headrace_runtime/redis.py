"""Redis for the services that keep something there: scripts, deadlines, and errors in words of the house."""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from headrace_core.errors import Unavailable
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript

TIMEOUT_SECONDS = 2.0
MAX_CONNECTIONS = 32
LONGEST_PAUSE = 5.0

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

    async def run(self, script: str, *arguments: str | int) -> Any:
        """Run a Lua script with the prefix as `KEYS[1]`. Raises Unavailable when Redis does not answer in time."""
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._client.register_script(script)
        try:
            return await registered(keys=[self.prefix], args=arguments)
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def run_id(self) -> str:
        """What tells this start of this server from any other. Raises Unavailable."""
        try:
            return str((await self._client.info("server"))["run_id"])
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error


@asynccontextmanager
async def open_redis(url: str, *, prefix: str, patience: timedelta | None = None) -> AsyncIterator[RedisDatabase]:
    """Connect to the Redis at `redis://[user:password@]host:port/number` while the block runs.

    A Redis that is not there yet is waited for, with a line for each try, for `patience` at most (None: for good).
    Raises Unavailable then, and at once when the credentials are wrong.
    """
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        max_connections=MAX_CONNECTIONS,
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[exceptions.ConnectionError],
    )
    try:
        await _wait_for(client, url, patience)
        yield RedisDatabase(client, prefix)
    finally:
        await client.aclose()


async def _wait_for(client: Redis, url: str, patience: timedelta | None) -> None:
    loop = asyncio.get_running_loop()
    until = None if patience is None else loop.time() + patience.total_seconds()
    pause = 0.2
    while True:
        try:
            await client.ping()
            return
        except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
            raise Unavailable(f"Redis at {shown(url)} refuses the credentials: {error}") from error
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            if until is not None and loop.time() + pause > until:
                raise Unavailable(f"Redis at {shown(url)} does not answer: {error}") from error
            logger.warning("Redis at %s does not answer; trying again in %.1f s: %s", shown(url), pause, error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def shown(url: str) -> str:
    """The address without what is secret in it."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}{parts.path}"


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"Redis does not take the call: {error}", retry_after=timedelta(seconds=1))
