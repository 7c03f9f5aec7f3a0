"""What is particular to published bundles in MongoDB: lost answers, and flows that an earlier release saved."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from headrace_core.ids import new_id
from headrace_flow_manager.catalog.publication import PIECE_BYTES, Publication
from headrace_flow_manager.catalog.store import Content, Published
from headrace_flow_manager.flows.model import Flow, UsingFlow
from headrace_flow_manager.stores import mongo
from headrace_runtime.mongo import Mongo, open_mongo

from .losing import losing_way

Result = TypeVar("Result")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = "a" * 24
CONTENT = Content("1" * 64, "zoo.mail", {"components": []})
ARCHIVE = b"x" * PIECE_BYTES + b"rest"


@pytest.fixture
async def opened(mongo_url: str) -> AsyncIterator[Mongo]:
    database = await open_mongo(mongo_url, f"test_{new_id()}", mongo.VERSIONS)
    yield database
    await database.database.client.drop_database(database.database.name)
    await database.close()


def flow(flow_id: str, *types: str) -> Flow:
    return Flow(flow_id, ANN, {"name": flow_id}, {f"n{n}": {"type": each} for n, each in enumerate(types)}, NOW, NOW)


async def test_a_write_whose_answer_was_lost_is_sent_again_and_counts_once(mongo_url: str) -> None:
    async with losing_way(mongo_url) as way:
        database = await open_mongo(way.url, f"test_{new_id()}", mongo.VERSIONS)
        stores = mongo.stores_of(database)

        async def losing(word: bytes, work: Awaitable[Result]) -> Result:
            way.lose = word
            return await work

        await losing(b"insert\0", stores.bundles.add(CONTENT, ARCHIVE, NOW))
        await losing(b"insert\0", stores.bundles.publish(Published(0, {}), "zoo.mail", CONTENT.content_id))
        await losing(b"update\0", stores.bundles.publish(await stores.bundles.published(), "zoo.chat", "2" * 64))
        await losing(b"update\0", stores.publications.open(Publication("t", ANN, NOW, NOW)))
        await losing(b"update\0", stores.publications.write(ANN, "t", 0, b"piece"))
        await stores.flows.add(ANN, flow("f"))
        pins = await losing(b"update\0", stores.directory.pin("f", 1, ("c1",)))

        assert await stores.bundles.piece(CONTENT.content_id, 0) == ARCHIVE[:PIECE_BYTES]
        assert await stores.bundles.piece(CONTENT.content_id, 1) == b"rest"
        published = {"zoo.chat": "2" * 64, "zoo.mail": CONTENT.content_id}
        assert await stores.bundles.published() == Published(2, published)
        assert await stores.publications.archive("t") == b"piece"
        assert pins == ("c1",)
        assert way.lost == 6
        await database.database.client.drop_database(database.database.name)
        await database.close()


async def test_what_flows_of_an_earlier_release_use_is_found(opened: Mongo) -> None:
    stores = mongo.stores_of(opened)
    for each in (flow("f1", "zoo.mail.core.Send"), flow("f2", "zoo.mail.core.Read"), flow("f3", "zoo.mailer.a.B")):
        await stores.flows.add(ANN, each)
    before = {"$unset": {"types": "", "pins": ""}}
    await opened.database["flows"].update_many({"_id": {"$in": ["f1", "f3"]}}, before)

    assert await stores.directory.using("zoo.mail", 10) == [UsingFlow(ANN, "f1", "f1"), UsingFlow(ANN, "f2", "f2")]
    assert await stores.directory.using("zoo.mail", 1) == [UsingFlow(ANN, "f1", "f1")]
    kept = await stores.flows.get(ANN, "f1")
    assert kept.pins == ()
    assert (await stores.flows.save(ANN, kept, replace(kept, pins=("c1",)))).pins == ("c1",)
