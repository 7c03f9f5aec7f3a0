"""What an earlier release kept is found by what this one looks up."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace_core import Json
from headrace_flow_manager import json_text
from headrace_flow_manager.flows.model import Flow, Instance
from headrace_flow_manager.flows.sharing import Guest
from headrace_flow_manager.query import ListQuery
from headrace_flow_manager.stores import mongo, sqlite
from headrace_flow_manager.stores.bundle import Stores
from headrace_flow_manager.stores.mongo_flows import fill_in
from headrace_flow_manager.stores.sqlite_flows import SHARES_SCHEMA
from headrace_runtime.mongo import Version, open_mongo
from headrace_runtime.sqlite import Database

from tests.contracts.databases import fresh_database

from .house import ANN, BOB

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = timedelta(seconds=10)
GUEST = Guest("STRASSE@Partner.example", frozenset({"beta"}))
RECORDS: dict[str, dict[str, Json]] = {
    "mail": {"sharedWith": [{"email": "Straße@partner.example", "permissions": ["read"]}]},
    "role": {"sharedWith": [{"scope": "beta", "permissions": ["read"]}], "templateId": "t"},
    "else": {"sharedWith": [{"scope": "Beta", "permissions": ["read"]}, {"permissions": ["read"]}]},
    "none": {"templateId": "u"},
}


async def found(stores: Stores) -> tuple[list[str], Sequence[Instance]]:
    page = await stores.flows.page_shared(BOB, GUEST, ("read",), ListQuery())
    return [each.flow_id for each in page.items], await stores.directory.instances("t", "", 10)


async def test_a_file_of_an_earlier_release_tells_what_is_shared_with_whom(tmp_path: Path) -> None:
    file, before = tmp_path / "flow_manager.db", sqlite.MIGRATIONS[: sqlite.MIGRATIONS.index(SHARES_SCHEMA)]
    await (await Database.open(file, before)).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        for flow_id, record in RECORDS.items():
            values = (
                flow_id,
                ANN,
                flow_id,
                json_text.encode({"name": flow_id, **record}),
                record.get("templateId", ""),
            )
            connection.execute(
                "INSERT INTO flows (flow_id, tenant_id, name, stage, version, running_version, activated_version,"
                " activation_id, revision, record, template_id, created_at, modified_at, stage_error, removed, settled)"
                " VALUES (?, ?, ?, 'stopped', 1, 0, 0, '', 1, ?, ?, 0, 0, '', 0, 1)",
                values,
            )
            connection.execute("INSERT INTO flow_versions VALUES (?, 1, '{}', '', 0)", (flow_id,))

    stores = await sqlite.open_stores(file)

    assert await found(stores) == (["mail", "role"], [Instance(ANN, "role")])
    await stores.close()


async def test_a_database_of_an_earlier_release_tells_of_templates_and_of_what_is_shared(mongo_url: str) -> None:
    before: Sequence[Version] = mongo.VERSIONS[: mongo.VERSIONS.index(fill_in)]
    with fresh_database(mongo_url) as name:
        opened = await open_mongo(mongo_url, name, before, patience=PATIENCE)
        old = mongo.stores_of(opened)
        for flow_id, record in RECORDS.items():
            await old.flows.add(ANN, Flow(flow_id, ANN, {"name": flow_id, **record}, {}, NOW, NOW))
        async with opened.asking() as database:
            await database["flows"].update_many({}, {"$unset": {"template_id": "", "shares": ""}})
        assert await found(old) == ([], [])
        await old.close()

        stores = await mongo.open_stores(mongo_url, name, patience=PATIENCE)
        assert await found(stores) == (["mail", "role"], [Instance(ANN, "role")])
        await stores.close()


async def test_an_upgrade_that_is_done_again_changes_nothing(mongo_url: str) -> None:
    with fresh_database(mongo_url) as name:
        opened = await open_mongo(mongo_url, name, mongo.VERSIONS, patience=PATIENCE)
        stores = mongo.stores_of(opened)
        await stores.flows.add(ANN, Flow("f", ANN, {"name": "f", **RECORDS["role"]}, {}, NOW, NOW))
        async with opened.asking() as database:
            for _ in range(2):
                await fill_in(database)

        assert await found(stores) == (["f"], [Instance(ANN, "f")])
        await stores.close()
