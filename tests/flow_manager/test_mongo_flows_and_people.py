"""What is particular to flows and people in MongoDB: round trips, lost answers, a server that dies or freezes."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from headrace_core.errors import AlreadyExists, Conflict, Unavailable
from headrace_core.ids import new_id
from headrace_flow_manager.flows import model
from headrace_flow_manager.flows.model import Flow, Turn
from headrace_flow_manager.people.model import ADMIN, AttemptKey, Token, User, UserChange
from headrace_flow_manager.stores import mongo
from headrace_flow_manager.stores.bundle import Stores
from headrace_runtime.mongo import Mongo, open_mongo

from tests import servers

from .losing import losing_way

Result = TypeVar("Result")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = "a" * 24
SOON = 3.0
"""Seconds within which a caller hears that MongoDB is away, on a busy machine."""


@pytest.fixture
async def opened(mongo_url: str) -> AsyncIterator[Mongo]:
    database = await open_mongo(mongo_url, f"test_{new_id()}", mongo.VERSIONS)
    yield database
    await database.database.client.drop_database(database.database.name)
    await database.close()


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Mongo]:
    """A server of these tests' own, to be hurt."""
    with servers.Mongo(tmp_path_factory.mktemp("mongo")) as server:
        yield server


@pytest.fixture
async def hurt(mortal: servers.Mongo) -> AsyncIterator[Stores]:
    """Stores over the server that is hurt, as a flow manager opens them."""
    mortal.start()
    database = await open_mongo(mortal.url, f"test_{new_id()}", mongo.VERSIONS, patience=mongo.PATIENCE)
    stores = mongo.stores_of(database)
    yield stores
    mortal.resume()
    await stores.close()


def flow(flow_id: str = "f") -> Flow:
    return Flow(flow_id, ANN, {"name": flow_id}, {"n": {"type": "a.b.c.D"}}, NOW, NOW)


def user(name: str = "ann") -> User:
    return User(f"{name:0>24}", name, f"{name}@example.com", NOW, scopes=(ADMIN,))


def token(owner: User, content: bytes = b"t") -> Token:
    return Token(content, owner.user_id, NOW, NOW + timedelta(days=1))


async def trips(opened: Mongo, work: Awaitable[object]) -> int:
    """How many commands the work sends."""
    before = sum(opened.sent.values())
    await work
    return sum(opened.sent.values()) - before


async def test_what_every_run_and_every_request_asks_is_one_round_trip(opened: Mongo) -> None:
    stores, running = mongo.stores_of(opened), model.activated(model.starting(flow(), "id"), NOW)
    await stores.flows.add(ANN, flow())
    await stores.flows.save(ANN, flow(), running)
    await stores.people.add(user(), "hash", token(user()))

    assert await trips(opened, stores.directory.executable("f", 0)) == 1
    assert await trips(opened, stores.directory.executable("f", 1)) == 1
    assert await trips(opened, stores.tokens.find(b"t")) == 1
    assert await trips(opened, stores.tokens.find(b"none")) == 2, "it could be a personal one"
    assert await trips(opened, stores.flows.get(ANN, "f")) == 1


async def test_a_change_of_a_stage_and_a_turn_are_few_round_trips(opened: Mongo) -> None:
    stores = mongo.stores_of(opened)
    await stores.flows.add(ANN, flow())
    starting = model.starting(flow(), "id")

    assert await trips(opened, stores.flows.save(ANN, flow(), starting)) == 1
    assert await trips(opened, stores.turns.take("f", Turn("me"), None)) == 1
    assert await trips(opened, stores.turns.end("f", "me")) == 1
    for _ in range(2):
        assert await trips(opened, stores.people.claim_attempt([AttemptKey("login", "a", 5)], NOW, timedelta(1))) == 1


async def test_a_write_whose_answer_was_lost_is_sent_again_and_counts_once(mongo_url: str) -> None:
    window = timedelta(minutes=1)
    async with losing_way(mongo_url) as way:
        database = await open_mongo(way.url, f"test_{new_id()}", mongo.VERSIONS)
        stores = mongo.stores_of(database)

        async def losing(word: bytes, work: Awaitable[Result]) -> Result:
            way.lose = word
            return await work

        await losing(b"insert\0", stores.flows.add(ANN, flow()))
        newer = replace(flow(), version=2, descriptor={"new": {}})
        saved = await losing(b"update\0", stores.flows.save(ANN, flow(), newer))
        await losing(b"insert\0", stores.flows.save(ANN, saved, replace(saved, version=3)))
        await losing(b"insert\0", stores.people.add(user(), "hash", token(user())))
        await losing(b"update\0", stores.people.add_token(token(user(), b"more"), 10))
        is_first = await losing(b"insert\0", stores.people.add_first(user("bob"), "hash"))
        standing = await losing(b"insert\0", stores.turns.take("f", Turn("me"), None))
        taken_over = await losing(b"update\0", stores.turns.take("f", Turn("you"), Turn("me")))
        claimed = await losing(b"update\0", stores.people.claim_attempt([AttemptKey("login", "a", 5)], NOW, window))
        await losing(b"update\0", stores.documents.put(ANN, "x", {"a": 1}, NOW))

        versions = await stores.flows.versions(ANN, "f", 0, 10)
        assert [(each.version, each.descriptor) for each in versions.items[1:]] == [
            (2, {"new": {}}),
            (1, flow().descriptor),
        ]
        assert (await stores.flows.get(ANN, "f")).revision == 3
        assert (is_first, standing, taken_over, claimed) == (False, None, None, None)
        assert await stores.people.remove_tokens(user().user_id) == 2
        assert await stores.documents.get("x") == {"a": 1}
        assert way.lost == 9  # one was never asked: there was a user already
        await database.database.client.drop_database(database.database.name)
        await database.close()


async def test_many_first_administrators_at_once_are_one(opened: Mongo) -> None:
    stores = mongo.stores_of(opened)

    for name in ("ann", "bob", "carl"):
        made = await asyncio.gather(*(stores.people.add_first(user(f"{name}{each}"), "hash") for each in range(4)))
        assert sum(made) == (1 if name == "ann" else 0)


async def test_of_many_administrators_who_leave_at_once_one_stays(opened: Mongo) -> None:
    stores = mongo.stores_of(opened)
    admins = [user(name) for name in "abcde"]
    for each in admins:
        await stores.people.add(each, "hash", token(each, each.username.encode()))

    results = await asyncio.gather(
        *(stores.people.update(each.user_id, UserChange(scopes=("user",))) for each in admins), return_exceptions=True
    )

    assert sum(isinstance(each, Conflict) for each in results) == 1
    assert sum(isinstance(each, User) for each in results) == 4
    left = [await stores.people.get(each.user_id) for each in admins]
    assert sum(each.is_administrator for each in left) == 1


async def test_what_was_acknowledged_survives_kills_of_the_server(hurt: Stores, mortal: servers.Mongo) -> None:
    acknowledged: dict[str, Flow] = {}
    unknown: dict[str, Flow] = {}
    written, stopping, kills = asyncio.Semaphore(0), asyncio.Event(), mortal.kills

    async def write(name: str) -> None:
        for number in itertools.count():
            if stopping.is_set():
                return
            made = flow(f"{name}{number}")
            newer = replace(made, version=2, descriptor={"new": {}})
            with suppress(Unavailable):
                await hurt.flows.add(ANN, made)
                acknowledged[made.flow_id], unknown[made.flow_id] = made, replace(newer, revision=2)
                acknowledged[made.flow_id] = await hurt.flows.save(ANN, made, newer)
                written.release()

    async def see(count: int) -> None:
        async with asyncio.timeout(60):
            for _ in range(count):
                await written.acquire()

    async with asyncio.TaskGroup() as tasks:
        for name in "abcd":
            tasks.create_task(write(name))
        for _ in range(2):
            await see(30)
            await asyncio.to_thread(mortal.restart)
        await see(10)
        stopping.set()

    assert mortal.kills == kills + 2
    for flow_id, expected in acknowledged.items():
        kept = await hurt.flows.get(ANN, flow_id)
        assert kept in (expected, unknown[flow_id])
        versions = await hurt.flows.versions(ANN, flow_id, 0, 10)
        assert [each.version for each in versions.items] == list(range(kept.version, 0, -1))


async def test_a_frozen_server_is_told_soon_and_nothing_is_said_to_be_written(
    hurt: Stores, mortal: servers.Mongo
) -> None:
    await hurt.flows.add(ANN, flow())
    await hurt.people.add(user(), "hash", token(user()))
    calls = [
        hurt.flows.get(ANN, "f"),
        hurt.flows.save(ANN, flow(), replace(flow(), record={"name": "new"})),
        hurt.flows.add(ANN, flow("g")),
        hurt.tokens.find(b"t"),
        hurt.directory.executable("f", 0),
        hurt.turns.take("f", Turn("me"), None),
        hurt.people.claim_attempt([AttemptKey("login", "ann", 1)], NOW, timedelta(1)),
    ]
    mortal.pause()
    began = time.monotonic()

    answers = await asyncio.gather(*calls, return_exceptions=True)
    took = time.monotonic() - began
    mortal.resume()

    assert [type(each) for each in answers] == [Unavailable] * len(calls)
    assert took < SOON
    kept = await hurt.flows.get(ANN, "f")
    assert kept in (flow(), replace(flow(), record={"name": "new"}, revision=2))
    with suppress(AlreadyExists):
        await hurt.flows.add(ANN, flow("g"))
    assert await hurt.tokens.find(b"t") is not None


async def test_a_server_that_is_gone_is_told_soon_and_used_again_when_it_is_back(
    hurt: Stores, mortal: servers.Mongo
) -> None:
    await hurt.flows.add(ANN, flow())
    mortal.kill()
    began = time.monotonic()

    with pytest.raises(Unavailable) as told:
        await hurt.flows.get(ANN, "f")

    assert time.monotonic() - began < SOON and told.value.retry_after is not None
    await asyncio.to_thread(mortal.start)
    assert await hurt.flows.get(ANN, "f") == flow()
