"""MongoDB as it is, and as it should not be."""

import time
import uuid
from pathlib import Path

import pytest
from headrace_runtime.doctor.mongo import mongo
from pymongo import MongoClient

from tests.doctor.asked import asked, levels
from tests.servers import Mongo
from tests.servers.places import free_port


@pytest.fixture
def name() -> str:
    """A database of our own."""
    return f"doctor_{uuid.uuid4().hex[:8]}"


async def test_a_set_as_it_should_be_has_no_errors_and_keeps_nothing_of_it(mongo_url: str, name: str) -> None:
    found = await asked(mongo(mongo_url, {name: 1}))

    errors = [each for each in found.values() if each.level == "error"]
    assert errors == []
    assert {"connection", "version", "replica set", "clock", "members", "write concern", "write"} <= set(found)
    assert found["write"].level == "ok"
    assert found[f"schema of {name}"].found.startswith("not there yet")
    with MongoClient(mongo_url) as client:
        assert name not in client.list_database_names()


@pytest.mark.parametrize(("kept", "level"), [(1, "ok"), (2, "ok"), (3, "error")])
async def test_a_database_of_a_newer_release_is_an_error(mongo_url: str, name: str, kept: int, level: str) -> None:
    with MongoClient(mongo_url) as client:
        client[name]["schema"].insert_one({"_id": "version", "number": kept})
        found = await asked(mongo(mongo_url, {name: 2}))
        client.drop_database(name)

    assert found[f"schema of {name}"].level == level


async def test_a_single_server_is_told_how_to_become_a_set(tmp_path: Path, name: str) -> None:
    with Mongo(tmp_path, "--standalone") as server:
        found = await asked(mongo(f"mongodb://127.0.0.1:{server.port}/", {name: 1}))

    assert found["replica set"].level == "error"
    assert "rs.initiate()" in found["replica set"].advice
    assert "write" not in found


async def test_wrong_credentials_are_told_without_them(tmp_path: Path, name: str) -> None:
    server = Mongo(tmp_path)
    with server, MongoClient(server.url) as client:
        client.admin.command("createUser", "keeper", pwd="another", roles=["root"])
    with Mongo(tmp_path, "--auth") as guarded:
        for credentials in ("", "keeper:a-secret-of-mine@"):
            url = guarded.url.replace("mongodb://", f"mongodb://{credentials}")
            found = await asked(mongo(url, {name: 1}))

            assert levels(found) == {"connection": "error"}
            assert "refuses the user or password" in found["connection"].found
            assert "a-secret-of-mine" not in str(found)


async def test_one_that_is_away_or_frozen_is_told_in_time(tmp_path: Path, name: str) -> None:
    away = await asked(mongo(f"mongodb://127.0.0.1:{free_port()}/?replicaSet=rs0", {name: 1}))
    with Mongo(tmp_path) as server:
        server.pause()
        began = time.monotonic()
        frozen = await asked(mongo(server.url, {name: 1}))
        took = time.monotonic() - began
        server.resume()

    assert levels(away) == levels(frozen) == {"connection": "error"}
    assert "HEADRACE_MONGO_URL" in away["connection"].advice
    assert took < 8


async def test_an_address_that_is_none_is_told_with_its_setting(name: str) -> None:
    found = await asked(mongo("http://localhost", {name: 1}))

    assert levels(found) == {"settings": "error"}
    assert "HEADRACE_MONGO_URL" in found["settings"].found
