"""Redis behind a deadline: what is wrong with it is said in a line, and what it lost does not stay lost."""

import asyncio
import logging
import time
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop
from headrace_core.errors import Conflict, Unavailable, ValidationFailed
from headrace_runtime.metrics import Metrics
from headrace_runtime.redis import RedisDatabase, is_too_old, may_evict, open_redis, shown
from redis.asyncio import Connection, ConnectionPool, Redis

from tests.servers import Redis as RedisServer
from tests.servers.places import free_port

ECHO = "return {KEYS[1], ARGV[1]}"
SOON = timedelta(seconds=1)


async def test_a_script_is_found_again_after_redis_forgot_it(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with open_redis(server.url, prefix="p", patience=SOON) as database:
            assert await database.run(ECHO, "x") == ["{p}:", "x"]

            server.restart()

            assert await database.run(ECHO, "y") == ["{p}:", "y"]


async def test_each_call_is_counted(tmp_path: Path) -> None:
    metrics = Metrics()
    with RedisServer(tmp_path) as server:
        async with open_redis(server.url, prefix="p", patience=SOON, metrics=metrics) as database:
            await database.run(ECHO, "x")
            await database.run_id()

            assert metrics.render().endswith("headrace_redis_calls_total 2\n")


async def test_a_redis_that_went_away_is_unavailable_in_time_and_serves_again_when_it_is_back(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with open_redis(server.url, prefix="p", patience=SOON) as database:
            server.kill()
            with pytest.raises(Unavailable, match="Redis"):
                await database.run(ECHO, "x")

            server.start()
            assert await database.run(ECHO, "y") == ["{p}:", "y"]

            server.pause()
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await database.run(ECHO, "z")
            server.resume()
            assert time.monotonic() - began < 6


class ClosedAtOnce(Connection):
    """A connection that the server closed before anything was said."""

    async def _connect(self) -> None:
        await super()._connect()
        assert self._writer is not None
        self._writer.transport.abort()


def test_a_connection_that_was_closed_unnoticed_is_unavailable_on_the_loop_of_our_services(tmp_path: Path) -> None:
    async def ask(port: int) -> None:
        pool = ConnectionPool(connection_class=ClosedAtOnce, host="127.0.0.1", port=port)
        async with Redis(connection_pool=pool) as client:
            with pytest.raises(Unavailable):
                await RedisDatabase(client, "p").run(ECHO, "x")

    with RedisServer(tmp_path) as server:
        uvloop.run(ask(server.port))


async def test_a_redis_that_is_not_there_yet_is_waited_for_with_a_line_for_each_try(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path)
    opening = asyncio.ensure_future(_echo(server.url))
    await asyncio.sleep(0.5)
    with server:
        assert await opening == ["{p}:", "here"]
    lines = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert lines
    assert all(str(server.port) in line and "trying again" in line for line in lines)


async def _echo(url: str) -> list[str]:
    async with open_redis(url, prefix="p", patience=timedelta(seconds=20)) as database:
        return list(await database.run(ECHO, "here"))


async def test_waiting_has_an_end_where_one_is_given() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        async with open_redis(f"redis://127.0.0.1:{free_port()}/0", prefix="p", patience=SOON):
            pass


async def test_wrong_credentials_are_waited_for_and_stay_unsaid(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer(tmp_path) as server:
        secret = "a-secret-of-mine"
        url = server.url.replace("redis://", f"redis://nobody:{secret}@")
        with pytest.raises(Unavailable, match="refuses the user or password of HEADRACE_REDIS_URL") as refused:
            async with open_redis(url, prefix="p", patience=SOON):
                pass
        assert "trying again" in caplog.text
        assert secret not in str(refused.value) + caplog.text
        assert shown(url) == f"127.0.0.1:{server.port}/0"


async def test_a_redis_that_throws_keys_away_is_refused_with_what_to_set(tmp_path: Path) -> None:
    forgetful = RedisServer(tmp_path, "maxmemory-policy allkeys-lru")
    with forgetful as server, pytest.raises(Conflict, match=r"allkeys-lru.*noeviction"):
        await _echo(server.url)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://host:port/0", "redis://host:99999"])
async def test_what_is_no_address_of_a_redis_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ValidationFailed, match="HEADRACE_REDIS_URL"):
        async with open_redis(url, prefix="p"):
            pass


@pytest.mark.parametrize(
    ("version", "told"), [("6.0.16", True), ("5.0", True), ("6.2.0", False), ("7.0.15", False), ("10.1", False)]
)
def test_a_redis_older_than_6_2_is_too_old(version: str, told: bool) -> None:
    assert is_too_old({"redis_version": version}) is told


@pytest.mark.parametrize(
    ("maxmemory", "policy", "told"),
    [(0, "allkeys-lru", False), (1, "noeviction", False), (1, "volatile-ttl", True), (1, "allkeys-random", True)],
)
def test_only_a_redis_with_a_limit_and_a_policy_of_forgetting_may_evict(
    maxmemory: int, policy: str, told: bool
) -> None:
    assert may_evict({"maxmemory": maxmemory, "maxmemory_policy": policy}) is told
