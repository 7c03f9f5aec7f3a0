"""Asks Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import exceptions
from redis.asyncio import Redis

from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.rules import clocks
from headrace_runtime.doctor.rules import redis as rules
from headrace_runtime.doctor.running import Check, Subject
from headrace_runtime.redis import connect, shown

NAME = "Redis"

_INFO = "Let the user call INFO, EVALSHA, EVAL, SCRIPT and TIME, and read and write the keys of Headrace."


def redis(url: str, prefix: str) -> Subject:
    """The Redis at this URL, in which our keys begin with the prefix as a hash tag."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        client = connect(url)
        try:
            yield _Asking(client, shown(url), f"{{{prefix}}}:doctor").checks()
        finally:
            await client.aclose()

    return Subject(NAME, opening)


class _Asking:
    def __init__(self, client: Redis, address: str, key: str) -> None:
        self._client = client
        self._address = address
        self._key = key

    def checks(self) -> list[Check]:
        return [
            Check("connection", self._connection, "Start it, or correct HEADRACE_REDIS_URL.", is_needed=True),
            Check("version", self._version, _INFO),
            Check("role", self._role, _INFO, is_needed=True),
            Check("maxmemory-policy", self._eviction, _INFO),
            Check("memory", self._memory, _INFO),
            Check("persistence", self._persistence, _INFO),
            Check("scripts", self._scripts, _INFO),
            Check("clock", self._clock, _INFO),
        ]

    async def _connection(self) -> Finding:
        try:
            await self._client.ping()
        except (exceptions.AuthenticationError, exceptions.NoPermissionError) as refused:
            advice = "Correct user and password in HEADRACE_REDIS_URL."
            return error("connection", f"{self._address} refuses the credentials: {refused}", advice)
        except (exceptions.BusyLoadingError, exceptions.ReadOnlyError) as busy:
            return error("connection", f"{self._address} does not serve yet: {busy}", "Wait until it has loaded.")
        except (exceptions.RedisError, OSError, TimeoutError) as away:
            advice = "Start it, or correct HEADRACE_REDIS_URL."
            return error("connection", f"{self._address} does not answer: {away}", advice)
        return ok("connection", self._address)

    async def _version(self) -> list[Finding]:
        return rules.version(await self._info("server"))

    async def _role(self) -> Finding:
        return rules.role(await self._info("replication"), await self._info("cluster"))

    async def _eviction(self) -> Finding:
        return rules.eviction(await self._info("memory"))

    async def _memory(self) -> Finding:
        return rules.memory(await self._info("memory"))

    async def _persistence(self) -> Finding:
        return rules.persistence(await self._info("persistence"), await self._fsync())

    async def _scripts(self) -> Finding:
        """A script over a key of ours, which it does not make."""
        try:
            await self._client.eval("return redis.call('EXISTS', KEYS[1])", 1, self._key)
        except exceptions.MovedError as moved:
            advice = "Take a Redis without cluster mode."
            return error("scripts", f"our keys lie on another node of the cluster: {moved}", advice)
        return ok("scripts", "Lua works")

    async def _clock(self) -> Finding:
        before = datetime.now(UTC)
        seconds, microseconds = await self._client.time()
        told = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
        return clocks.skew(told - (before + (datetime.now(UTC) - before) / 2))

    async def _info(self, section: str) -> Mapping[str, Any]:
        told: Mapping[str, Any] = await self._client.info(section)
        return told

    async def _fsync(self) -> str:
        """How its file is brought to the disk; "" where CONFIG is closed to us, as hosters like it."""
        try:
            return str((await self._client.config_get("appendfsync")).get("appendfsync", ""))
        except exceptions.ResponseError:
            return ""
