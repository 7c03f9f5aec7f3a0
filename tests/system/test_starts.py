"""A backing server that is missing, refuses us or is the wrong one: a line for each try, no trace, no secret."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pymongo import MongoClient

from tests.doors import door
from tests.servers import Elasticsearch, Mongo, Redis
from tests.servers.places import free_port

from .process import wait_for
from .services import is_serving

pytestmark = pytest.mark.system

SECRET = "a-secret-of-mine"
EXIT_SECONDS = 5

ON_MONGO = """
import os
from headrace_runtime import lifecycle
from headrace_runtime.mongo import open_mongo

async def main(stack, stopping):
    mongo = await open_mongo(os.environ["HEADRACE_MONGO_URL"], "starts", [])
    stack.push_async_callback(mongo.close)
    print("up", flush=True)
    await stopping.wait()

lifecycle.run_service("keeper", main)
"""
"""The least service that keeps something in MongoDB."""


class Starting:
    """One service's process that has not come up yet."""

    def __init__(self, folder: Path, service: str, *, script: str = "", **environ: str) -> None:
        self.log = folder / f"{service}.log"
        self.address = f"127.0.0.1:{free_port()}"
        given = {
            "HEADRACE_DATA_DIR": str(folder / "data"),
            f"HEADRACE_{service.upper()}_LISTEN": self.address,
            "HEADRACE_DRAIN_DELAY": "0s",
        }
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, *(["-c", script] if script else ["-m", f"headrace_{service}"])],
                env={**os.environ, **given, **environ},
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        """All that it printed, with what no process may print."""
        text = self.log.read_text()
        assert "Traceback" not in text, text
        assert SECRET not in text
        return text

    def lines(self, word: str) -> list[str]:
        """The lines that hold the word."""
        return [line for line in self.said().splitlines() if word in line]

    def waits_because(self, word: str) -> None:
        """Return when it has told twice what it waits for: it goes on trying, and tells less and less often."""
        wait_for(lambda: len(self.lines(word)) >= 2, 20)
        assert self.child.poll() is None, self.said()

    def comes_up(self) -> None:
        """Return when it says that it serves."""
        with grpc.insecure_channel(self.address) as channel:
            wait_for(lambda: is_serving(channel), 30)

    def stops_at_once(self) -> None:
        """SIGTERM ends it with status 0."""
        began = time.monotonic()
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(EXIT_SECONDS) == 0, self.said()
        assert time.monotonic() - began < EXIT_SECONDS

    def refusal(self) -> str:
        """The one line with which it ended, with status 1."""
        assert self.child.wait(30) == 1, self.said()
        [line] = self.lines("cannot run")
        return line


@contextlib.contextmanager
def starting(folder: Path, service: str, *, script: str = "", **environ: str) -> Iterator[Starting]:
    process = Starting(folder, service, script=script, **environ)
    try:
        yield process
    finally:
        process.child.kill()
        process.child.wait(EXIT_SECONDS)


def test_a_scheduler_without_redis_waits_and_stops_when_asked(tmp_path: Path) -> None:
    with starting(tmp_path, "scheduler", HEADRACE_REDIS_URL=f"redis://:{SECRET}@127.0.0.1:{free_port()}") as process:
        process.waits_because("does not answer")
        process.stops_at_once()


def test_a_scheduler_comes_up_by_itself_when_redis_does(tmp_path: Path) -> None:
    server = Redis(tmp_path / "redis")
    with starting(tmp_path, "scheduler", HEADRACE_REDIS_URL=server.url) as process:
        process.waits_because("does not answer")
        with server:
            process.comes_up()
            process.stops_at_once()


def test_a_redis_that_refuses_the_password_is_told_with_the_setting(tmp_path: Path) -> None:
    with Redis(tmp_path / "redis", "requirepass another") as server:
        for credentials in ("", f"default:{SECRET}@", f":{SECRET}@"):
            url = server.url.replace("redis://", f"redis://{credentials}")
            folder = tmp_path / str(len(credentials))
            folder.mkdir()
            with starting(folder, "scheduler", HEADRACE_REDIS_URL=url) as process:
                process.waits_because("refuses the user or password of HEADRACE_REDIS_URL")
                process.stops_at_once()


def test_a_redis_that_throws_keys_away_ends_the_scheduler_with_what_to_do(tmp_path: Path) -> None:
    with (
        Redis(tmp_path / "redis", "maxmemory-policy allkeys-lru") as server,
        starting(tmp_path, "scheduler", HEADRACE_REDIS_URL=server.url) as process,
    ):
        line = process.refusal()

    assert "allkeys-lru" in line and "noeviction" in line


@pytest.mark.parametrize(
    ("service", "variable", "value"),
    [
        ("scheduler", "HEADRACE_REDIS_URL", f"localhost:6379/{SECRET}"),
        ("logging", "HEADRACE_ELASTICSEARCH_URL", f"ftp://a:{SECRET}@localhost"),
        ("scheduler", "HEADRACE_TIMER_BATCH", "many"),
        ("logging", "HEADRACE_LOG_RETENTION", "a while"),
    ],
)
def test_a_setting_that_is_wrong_ends_a_service_with_its_name(
    tmp_path: Path, service: str, variable: str, value: str
) -> None:
    with starting(tmp_path, service, **{variable: value}) as process:
        assert variable in process.refusal()


def test_a_log_service_without_elasticsearch_waits_and_stops_when_asked(tmp_path: Path) -> None:
    url = f"http://someone:{SECRET}@127.0.0.1:{free_port()}"
    with starting(tmp_path, "logging", HEADRACE_ELASTICSEARCH_URL=url) as process:
        process.waits_because("does not serve")
        process.stops_at_once()


def test_a_log_service_comes_up_by_itself_when_elasticsearch_does(tmp_path: Path, servers_folder: Path) -> None:
    server = Elasticsearch(servers_folder / "late")
    with starting(tmp_path, "logging", HEADRACE_ELASTICSEARCH_URL=server.url) as process:
        process.waits_because("does not serve")
        with server:
            process.comes_up()
            process.stops_at_once()


async def test_an_elasticsearch_that_refuses_the_credentials_is_told_with_the_setting(tmp_path: Path) -> None:
    async with door(401, []) as address:
        url = f"http://someone:{SECRET}@{address}"
        with starting(tmp_path, "logging", HEADRACE_ELASTICSEARCH_URL=url) as process:
            await asyncio.to_thread(process.waits_because, "refuses the credentials")
            await asyncio.to_thread(process.stops_at_once)


def test_a_service_comes_up_by_itself_when_mongodb_does(tmp_path: Path) -> None:
    server = Mongo(tmp_path / "mongo")
    with starting(tmp_path, "keeper", script=ON_MONGO, HEADRACE_MONGO_URL=server.url) as process:
        process.waits_because("cannot be reached")
        with server:
            wait_for(lambda: process.lines("up"), 30)
            process.stops_at_once()


def test_a_mongodb_that_refuses_the_password_is_told_with_the_setting(tmp_path: Path) -> None:
    server = Mongo(tmp_path / "mongo")
    with server, MongoClient(server.url) as client:
        client.admin.command("createUser", "keeper", pwd="another", roles=["root"])
    with Mongo(tmp_path / "mongo", "--auth") as guarded:
        for credentials in ("", f"keeper:{SECRET}@"):
            url = guarded.url.replace("mongodb://", f"mongodb://{credentials}")
            folder = tmp_path / str(len(credentials))
            folder.mkdir()
            with starting(folder, "keeper", script=ON_MONGO, HEADRACE_MONGO_URL=url) as process:
                process.waits_because("refuses the user or password of HEADRACE_MONGO_URL")
                process.stops_at_once()


def test_a_mongodb_that_is_no_replica_set_ends_the_service_with_what_to_do(tmp_path: Path) -> None:
    with Mongo(tmp_path / "mongo", "--standalone") as server:
        url = f"mongodb://127.0.0.1:{server.port}/"
        with starting(tmp_path, "keeper", script=ON_MONGO, HEADRACE_MONGO_URL=url) as process:
            assert "rs.initiate()" in process.refusal()
