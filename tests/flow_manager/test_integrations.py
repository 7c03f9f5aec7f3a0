"""What is done to a template reaches every instance once, whatever dies in between, and keeps what people filled in."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headrace.execution.v1 import execution_pb2
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.integration.v1 import integration_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import Conflict, NotFound
from headrace_flow_manager.flows.model import Instance
from headrace_flow_manager.stores import sqlite
from headrace_flow_manager.stores.sqlite_flows import TEMPLATES_SCHEMA
from headrace_runtime.sqlite import Database

from tests.contracts.flow_manager import OpenStores

from .house import ANN, BOB, START, UNKNOWN, ActedExecution, House, load, open_house, scope

WAITING = execution_pb2.RUN_STATE_WAITING
MAIL = "acme.mail.core.Send"
SHARED: Json = [{"domain": "example.com", "permissions": ["read"]}]


def descriptor(to: str = "", **more: Json) -> dict[str, Json]:
    """Go, and send a mail; the template leaves open whom to."""
    link: Json = {"in": {"go": ["out"]}}
    return {"go": {"type": START}, "mail": {"type": MAIL, "source": link, "config": {"properties": {"to": to, **more}}}}


async def template(house: House) -> flow_pb2.Flow:
    return await house.create("offer", flow=descriptor(limit=1), type="integration-template", sharedWith=SHARED)


async def instance(house: House, template_id: str) -> flow_pb2.Flow:
    request = flow_pb.CloneFlowRequest(
        scope=scope(ANN), flow_id=template_id, is_template_instance=True, set_component_id_map=True
    )
    made: flow_pb2.Flow = (await house.flows.CloneFlow(request)).flow
    return made


async def fill_in(house: House, flow: flow_pb2.Flow, mail: str = "mail", **fields: Json) -> flow_pb2.Flow:
    """What a person does in the wizard of an instance; `mail` is what the template calls its component."""
    nodes: Any = load(flow.record)["flow"]
    nodes[id_of(flow, mail)]["config"]["properties"] |= fields
    return await house.update(flow.flow_id, {"flow": nodes})


def id_of(flow: flow_pb2.Flow, node_id: str) -> str:
    ids: Any = load(flow.record)["componentIdMap"]
    return str(ids[node_id])


def node(flow: flow_pb2.Flow, node_id: str) -> Mapping[str, Any]:
    nodes: Any = load(flow.record)["flow"]
    found: Mapping[str, Any] = nodes[id_of(flow, node_id)]
    return found


async def update(house: House, template_id: str, **more: Any) -> str:
    request = pb.UpdateInstancesRequest(scope=scope(ANN), template_id=template_id, **more)
    return str((await house.integrations.UpdateInstances(request)).work.ticket)


async def progress(house: House, ticket: str) -> pb.IntegrationWork:
    request = pb.GetIntegrationWorkRequest(scope=scope(ANN), ticket=ticket)
    found: pb.IntegrationWork = (await house.integrations.GetIntegrationWork(request)).work
    return found


async def test_instances_get_what_is_new_and_keep_what_people_filled_in(house: House) -> None:
    offer = await template(house)
    one, other = await instance(house, offer.flow_id), await instance(house, offer.flow_id)
    one = await fill_in(house, one, to="ann@example.com")
    grown: dict[str, Json] = {**descriptor(limit=5), "copy": {"type": MAIL, "source": {"in": {"go": ["out"]}}}}
    await house.update(offer.flow_id, {"flow": grown})

    ticket = await update(house, offer.flow_id)
    assert (await progress(house, ticket)).state == pb.WORK_STATE_IN_PROGRESS
    await house.app.integrations.round()

    done = await progress(house, ticket)
    one, other = await house.get(one.flow_id), await house.get(other.flow_id)
    assert (done.state, done.steps_done, done.steps_total, done.error) == (pb.WORK_STATE_COMPLETED, 2, 2, "")
    assert node(one, "mail")["config"]["properties"] == {"to": "ann@example.com", "limit": 5}
    assert node(other, "mail")["config"]["properties"] == {"to": "", "limit": 5}
    assert node(one, "copy")["source"] == {"in": {id_of(one, "go"): ["out"]}}
    assert id_of(one, "copy") not in ("copy", id_of(other, "copy"))
    assert load(one.record)["templateVersion"] == 2 and one.version == 3


async def test_a_preview_tells_what_an_update_then_does_and_what_stays_but_no_value(house: House) -> None:
    offer = await template(house)
    one, other = await instance(house, offer.flow_id), await instance(house, offer.flow_id)
    one = await fill_in(house, one, to="ann@example.com", limit=7)
    await house.begin(other.flow_id)
    odd: Json = UNKNOWN["go"]
    grown: dict[str, Json] = {**descriptor(limit=5, more=1), "odd": {**odd, "label": "Odd"}}  # type: ignore[dict-item]
    await house.update(offer.flow_id, {"flow": grown})
    before = [await house.get(each.flow_id) for each in (one, other)]

    asked = pb.PreviewUpdateRequest(scope=scope(ANN), template_id=offer.flow_id)
    told = await house.integrations.PreviewUpdate(asked)
    after = [await house.get(each.flow_id) for each in (one, other)]
    page = await house.integrations.PreviewUpdate(
        pb.PreviewUpdateRequest(
            scope=scope(ANN), template_id=offer.flow_id, after_flow_id=told.instances[0].flow_id, limit=1
        )
    )

    by_id = {each.flow_id: each for each in told.instances}
    odd_one, mail = by_id[one.flow_id].components
    assert (told.version, told.total, after) == (2, 2, before)
    assert [each.flow_id for each in page.instances] == [told.instances[1].flow_id]
    assert (odd_one.component_id, odd_one.label, odd_one.change) == ("odd", "Odd", pb.COMPONENT_CHANGE_ADDED)
    assert (mail.component_id, mail.change) == ("mail", pb.COMPONENT_CHANGE_CHANGED)
    assert (mail.fields, mail.kept) == (["config/properties/more"], ["config/properties/limit"])
    assert "ann@example.com" not in str(told)
    assert by_id[one.flow_id].error == "", "a stopped instance takes what cannot run yet"
    assert UNKNOWN["go"]["type"] in by_id[other.flow_id].error
    with pytest.raises(Conflict):
        await house.integrations.PreviewUpdate(pb.PreviewUpdateRequest(scope=scope(ANN), template_id=one.flow_id))
    with pytest.raises(NotFound):
        await house.integrations.PreviewUpdate(pb.PreviewUpdateRequest(scope=scope(BOB), template_id=offer.flow_id))


async def test_an_update_that_was_made_already_changes_nothing(house: House) -> None:
    offer = await template(house)
    flow = await instance(house, offer.flow_id)
    await house.update(offer.flow_id, {"flow": descriptor(limit=5)})
    for _ in range(2):
        await update(house, offer.flow_id)
        await house.app.integrations.round()
        updated = await house.get(flow.flow_id)

        assert (updated.version, updated.revision) == (2, 2)


async def test_a_running_instance_goes_on_running_with_the_new_version(house: House) -> None:
    offer = await template(house)
    flow = await instance(house, offer.flow_id)
    await house.begin(flow.flow_id)
    await house.update(offer.flow_id, {"flow": descriptor(limit=5)})
    house.execution.open_runs = [
        execution_pb2.Run(run_id=name, flow_id=flow.flow_id, flow_version=version, state=WAITING)
        for name, version in (("old", 1), ("new", 2))
    ]

    await update(house, offer.flow_id)
    await house.app.integrations.round()
    kept = list(house.execution.open_runs)
    await house.update(offer.flow_id, {"flow": descriptor(limit=6)})
    house.execution.open_runs[1].flow_version = 3
    await update(house, offer.flow_id, cancel_runs=True)
    await house.app.integrations.round()

    running = await house.get(flow.flow_id)
    assert (running.stage, running.running_version) == (flow_pb2.FLOW_STAGE_RUNNING, 3)
    assert [each.run_id for each in kept] == ["old", "new"]
    assert [each.run_id for each in house.execution.open_runs] == ["new"]


async def test_an_instance_that_cannot_run_the_new_version_is_named_and_the_others_are_updated(house: House) -> None:
    offer = await template(house)
    running, stopped = await instance(house, offer.flow_id), await instance(house, offer.flow_id)
    await house.begin(running.flow_id)
    await house.update(offer.flow_id, {"flow": {**descriptor(limit=5), **{"odd": UNKNOWN["go"]}}})

    ticket = await update(house, offer.flow_id)
    await house.app.integrations.round()

    done = await progress(house, ticket)
    assert (done.state, done.steps_done, done.steps_failed) == (pb.WORK_STATE_FAILED, 2, 1)
    assert done.error.startswith(running.flow_id)
    assert (await house.get(running.flow_id)).running_version == 1
    assert node(await house.get(stopped.flow_id), "mail")["config"]["properties"]["limit"] == 5


async def test_accounts_of_the_template_reach_no_instance_and_those_of_an_instance_stay(house: House) -> None:
    offer = await template(house)
    flow = await instance(house, offer.flow_id)
    nodes: Any = load(flow.record)["flow"]
    nodes[id_of(flow, "mail")]["config"]["auth"] = {"accountId": "anns"}
    await house.update(flow.flow_id, {"flow": nodes})
    new: Any = {**descriptor(limit=5), "copy": {"type": MAIL, "config": {"auth": {"accountId": "theirs"}}}}
    new["mail"]["config"]["auth"] = {"accountId": "theirs"}
    await house.update(offer.flow_id, {"flow": new})

    await update(house, offer.flow_id)
    await house.app.integrations.round()

    updated = await house.get(flow.flow_id)
    assert node(updated, "mail")["config"]["auth"] == {"accountId": "anns"}
    assert "auth" not in node(updated, "copy")["config"]


async def test_work_that_was_broken_off_goes_on_where_it_was(open_stores: OpenStores, tmp_path: Path) -> None:
    execution = ActedExecution()  # type: ignore[abstract]  # what the flow manager never asks is not acted
    async with open_stores(tmp_path) as stores:
        async with open_house(stores, execution=execution) as house:
            offer = await template(house)
            flows = sorted([await instance(house, offer.flow_id) for _ in range(3)], key=lambda flow: flow.flow_id)
            for flow in flows:
                await house.begin(flow.flow_id)
                run = execution_pb2.Run(run_id=flow.flow_id, flow_id=flow.flow_id, flow_version=1, state=WAITING)
                execution.open_runs.append(run)
            await house.update(offer.flow_id, {"flow": descriptor(limit=5)})
            ticket = await update(house, offer.flow_id, cancel_runs=True)
            execution.refused_cancels = {flows[1].flow_id}
            await house.app.integrations.round()
            assert (await progress(house, ticket)).steps_done == 1
            assert [run.run_id for run in execution.open_runs] == [flow.flow_id for flow in flows[1:]]

        execution.refused_cancels = set()
        async with open_house(stores, execution=execution) as again:
            await again.app.integrations.round()
            done = await progress(again, ticket)
            versions = [(await again.get(flow.flow_id)).running_version for flow in flows]

    assert (done.state, done.steps_done, done.steps_total) == (pb.WORK_STATE_COMPLETED, 3, 3)
    assert versions == [2, 2, 2] and execution.open_runs == []
    assert execution.verbs.count("cancel") == 3


async def test_a_template_is_removed_with_its_instances(house: House) -> None:
    offer = await template(house)
    flows = [await instance(house, offer.flow_id) for _ in range(3)]
    other = await house.create("other")
    await house.begin(flows[0].flow_id)

    request = pb.DeleteIntegrationRequest(scope=scope(ANN), flow_id=offer.flow_id)
    ticket = (await house.integrations.DeleteIntegration(request)).work.ticket
    await house.delete(flows[1].flow_id)
    await house.app.integrations.round()

    done = await progress(house, ticket)
    assert (done.state, done.steps_done, done.steps_total) == (pb.WORK_STATE_COMPLETED, 3, 3)
    for flow_id in (offer.flow_id, *(flow.flow_id for flow in flows)):
        with pytest.raises(NotFound):
            await house.get(flow_id)
    assert await house.get(other.flow_id) == other
    assert house.execution.verbs.count("deactivate") == 1


async def test_only_a_template_of_ones_own_updates_instances(house: House) -> None:
    plain = await house.create()

    with pytest.raises(Conflict, match="template"):
        await update(house, plain.flow_id)


async def test_work_begins_by_itself_and_is_forgotten_a_week_after_its_end(house: House) -> None:
    offer = await template(house)
    ticket = await update(house, offer.flow_id)
    await house.app.integrations.round()
    house.clock.advance(6 * 24 * 3600)
    await house.app.integrations.prune()
    assert (await progress(house, ticket)).state == pb.WORK_STATE_COMPLETED

    house.clock.advance(2 * 24 * 3600)
    await house.app.integrations.prune()

    with pytest.raises(NotFound):
        await progress(house, ticket)


async def test_an_instance_of_another_tenant_is_updated_too(house: House) -> None:
    offer = await template(house)
    flow = await instance(house, offer.flow_id)
    ids = load(flow.record)["componentIdMap"]
    theirs = await house.create(
        "theirs", BOB, flow=load(flow.record)["flow"], templateId=offer.flow_id, templateVersion=1, componentIdMap=ids
    )
    await house.update(offer.flow_id, {"flow": descriptor(limit=5)})

    await update(house, offer.flow_id)
    await house.app.integrations.round()

    assert node(await house.get(theirs.flow_id, BOB), "mail")["config"]["properties"]["limit"] == 5


async def test_instances_of_a_file_from_an_earlier_release_are_found(tmp_path: Path) -> None:
    file, before = tmp_path / "flow_manager.db", sqlite.MIGRATIONS[: sqlite.MIGRATIONS.index(TEMPLATES_SCHEMA)]
    await (await Database.open(file, before)).close()
    values = ("i", ANN, "i", "stopped", '{"name":"i","templateId":"t"}')
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO flows (flow_id, tenant_id, name, stage, version, running_version, activated_version,"
            " activation_id, revision, record, created_at, modified_at, stage_error, removed, settled)"
            " VALUES (?, ?, ?, ?, 1, 0, 0, '', 1, ?, 0, 0, '', 0, 1)",
            values,
        )

    stores = await sqlite.open_stores(file)

    assert await stores.directory.instances("t", "", 10) == [Instance(ANN, "i")]
    await stores.close()
