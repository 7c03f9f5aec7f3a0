"""A MongoDB that stands still is told within two seconds; one that is slow keeps its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from headrace_core.errors import Unavailable
from headrace_runtime.mongo import Mongo
from headrace_runtime.mongo_silence import Silence

from tests.servers import Mongo as Server

TOLD_SECONDS = 2.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("mongo")) as started:
        yield started


@pytest.fixture
async def mongo(server: Server) -> AsyncIterator[Mongo]:
    made = Mongo(server.url, "silence")
    await made.wait()
    yield made
    server.resume()
    server.start()
    await made.close()


async def insert(mongo: Mongo) -> None:
    async with mongo.asking(prompt=True) as database:
        await database["notes"].insert_one({})


async def refused(mongo: Mongo) -> float:
    """Seconds until an insert is refused."""
    began = time.monotonic()
    with pytest.raises(Unavailable) as told:
        await insert(mongo)
    assert told.value.retry_after == timedelta(seconds=1)
    return time.monotonic() - began


async def accepted(mongo: Mongo) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await insert(mongo)
            except Unavailable:
                await asyncio.sleep(0.1)


async def test_a_frozen_server_is_told_in_time_then_at_once_and_used_again(server: Server, mongo: Mongo) -> None:
    await insert(mongo)

    server.pause()

    assert max(await asyncio.gather(*(refused(mongo) for _ in range(30)))) < TOLD_SECONDS
    assert await refused(mongo) < 0.2

    server.resume()
    await accepted(mongo)


async def test_the_silence_is_noticed_before_anybody_asks(server: Server, mongo: Mongo) -> None:
    await insert(mongo)

    server.pause()
    await asyncio.sleep(TOLD_SECONDS)

    assert await refused(mongo) < 0.2

    server.resume()
    await accepted(mongo)


async def test_a_killed_server_is_told_in_time_and_used_again(server: Server, mongo: Mongo) -> None:
    await insert(mongo)

    server.kill()

    assert max(await asyncio.gather(*(refused(mongo) for _ in range(30)))) < TOLD_SECONDS

    server.start()
    await accepted(mongo)


async def test_a_server_that_answers_the_ping_is_given_its_time() -> None:
    loop = asyncio.get_running_loop()
    pings: asyncio.Queue[None] = asyncio.Queue()

    def ping() -> bool:
        loop.call_soon_threadsafe(pings.put_nowait, None)
        return True

    silence = Silence("here", ping)
    silence.heard.hear()
    silence.begin()
    async with asyncio.timeout(10) as limit:
        with silence.ends(limit):
            for _ in range(3):
                await pings.get()

    assert not limit.expired()
    assert not silence.is_away
    await silence.close()
