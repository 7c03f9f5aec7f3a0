"""An instance that waits for accounts goes on once when the last one is there, however it comes, and never before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.integration.v1 import integration_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import Unavailable, ValidationFailed
from headrace_flow_manager.accounts.book import AccountBook
from headrace_flow_manager.accounts.keys import DataKeys
from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.catalog.model import CatalogEntry
from headrace_flow_manager.flows import arrivals
from headrace_flow_manager.stores.bundle import Stores

from tests.contracts.flow_manager import OpenStores, opener

from .house import ANN, CATALOG, START, UNKNOWN, ActedExecution, House, dump, load, open_house, scope

ACTS = {"mail": "acme:mail", "chat": "acme:chat"}
AUTHED = (
    *CATALOG,
    *(
        CatalogEntry(
            f"acme.{kind}.core.Act", {"name": f"acme.{kind}.core.Act", "inPorts": ["in"], "auth": {"service": name}}
        )
        for kind, name in ACTS.items()
    ),
)
LINK: Json = {"in": {"go": ["out"]}}
OLD: dict[str, Json] = {"go": {"type": START}}
NEW: dict[str, Json] = {
    **OLD,
    **{kind: {"type": f"acme.{kind}.core.Act", "label": f"The {kind}", "source": LINK} for kind in ACTS},
}


@pytest.fixture
async def house(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[House]:
    async with open_stores(tmp_path) as stores, furnished(stores) as opened:
        yield opened


@asynccontextmanager
async def furnished(stores: Stores, execution: ActedExecution | None = None) -> AsyncIterator[House]:
    """A flow manager with components that act with accounts, and an account of each of their services."""
    async with open_house(stores, catalog=AUTHED, execution=execution) as opened:
        book = AccountBook(stores.entries, DataKeys(stores.entries, None, opened.clock), opened.clock)
        for kind, name in ACTS.items():
            await book.add(account(f"{kind}-account", name, opened))
        yield opened


def account(account_id: str, service: str, house: House) -> Account:
    now = house.clock.now()
    return Account(
        account_id=account_id,
        tenant_id=ANN,
        service=service,
        auth_type="apiKey",
        name=account_id,
        display_name="",
        profile_info={},
        scope=(),
        state="valid",
        reason="",
        token_id="token",
        expires_at=None,
        refresh_before=timedelta(),
        can_refresh=False,
        token_at=now,
        was_rejected=False,
        created_at=now,
        updated_at=now,
        sealed="",
    )


async def roll_out(house: House, template_id: str, descriptor: dict[str, Json] = NEW) -> pb.IntegrationWork:
    await house.update(template_id, {"flow": descriptor})
    ordered = pb.UpdateInstancesRequest(scope=scope(ANN), template_id=template_id)
    ticket = (await house.integrations.UpdateInstances(ordered)).work.ticket
    await house.app.integrations.round()
    asked = pb.GetIntegrationWorkRequest(scope=scope(ANN), ticket=ticket)
    found: pb.IntegrationWork = (await house.integrations.GetIntegrationWork(asked)).work
    return found


async def instance(house: House, *, runs: bool = True) -> tuple[str, str]:
    """A template, and an instance of it, which runs."""
    template = await house.create("offer", flow=OLD, type="integration-template")
    request = flow_pb.CloneFlowRequest(
        scope=scope(ANN), flow_id=template.flow_id, is_template_instance=True, set_component_id_map=True
    )
    made = (await house.flows.CloneFlow(request)).flow
    if runs:
        await house.begin(made.flow_id)
    return template.flow_id, made.flow_id


async def waiting(house: House) -> str:
    """A running instance whose newest version waits for an account of each service."""
    template_id, flow_id = await instance(house)
    await roll_out(house, template_id)
    return flow_id


async def assign(house: House, flow_id: str, kind: str) -> None:
    ids: Any = load((await house.get(flow_id)).record)["componentIdMap"]
    await house.app.accounts.assign(ANN, flow_id, ids[kind], f"{kind}-account")


def needs(flow: flow_pb2.Flow) -> Json:
    return load(flow.record).get("needsAccounts")


async def test_the_last_account_that_is_assigned_brings_it_on(house: House) -> None:
    flow_id = await waiting(house)
    waits = await house.get(flow_id)
    await assign(house, flow_id, "mail")
    half = await house.get(flow_id)
    await assign(house, flow_id, "chat")
    after = await house.get(flow_id)
    await assign(house, flow_id, "chat")

    assert (waits.version, waits.running_version, needs(waits)) == (2, 1, ["acme:mail", "acme:chat"])
    assert (half.running_version, needs(half)) == (1, ["acme:chat"])
    assert (after.running_version, needs(after), after.stage) == (2, None, flow_pb2.FLOW_STAGE_RUNNING)
    assert await house.get(flow_id) == after, "nothing happens twice"
    assert [call[2] for call in house.execution.calls if call[0] == "activate"] == [1, 2]


async def test_the_ticket_of_a_rollout_says_how_many_wait(house: House) -> None:
    template_id, runs = await instance(house)
    _, stands = await instance(house, runs=False)
    await house.update(stands, {"templateId": template_id})

    done = await roll_out(house, template_id)
    for kind in ACTS:
        await assign(house, runs, kind)
    again = await roll_out(house, template_id)

    assert (done.state, done.steps_done, done.steps_waiting) == (pb.WORK_STATE_COMPLETED, 2, 2)
    assert (again.steps_done, again.steps_waiting) == (2, 1)


async def test_two_accounts_that_come_at_once_bring_it_on_once(house: House) -> None:
    flow_id = await waiting(house)

    await asyncio.gather(*(assign(house, flow_id, kind) for kind in (*ACTS, *ACTS)))

    after = await house.get(flow_id)
    assert (after.running_version, needs(after)) == (2, None)
    assert [call[2] for call in house.execution.calls if call[0] == "activate"] == [1, 2]


async def test_accounts_that_come_at_two_flow_managers_at_once_bring_it_on_once(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    execution = ActedExecution()  # type: ignore[abstract]  # what the flow manager never asks is not acted
    with opener(request, "mongo") as opens:
        async with (
            opens(tmp_path) as stores,
            opens(tmp_path) as same,
            furnished(stores, execution) as one,
            open_house(same, catalog=AUTHED, execution=execution) as two,
        ):
            flow_ids = [await waiting(one) for _ in range(5)]

            await asyncio.gather(
                *(assign(at, each, kind) for each in flow_ids for at, kind in ((one, "mail"), (two, "chat")))
            )

            found = [await one.get(each) for each in flow_ids]
    assert [(each.running_version, needs(each)) for each in found] == [(2, None)] * 5
    begun = sorted((flow_id, version) for verb, flow_id, version, _ in execution.calls if verb == "activate")
    assert begun == sorted((each, version) for each in flow_ids for version in (1, 2))


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("end", [Killed(), Unavailable("The store is away.")])
async def test_one_whose_account_came_just_before_the_process_ended_goes_on_by_another(
    house: House, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    flow_id = await waiting(house)
    await assign(house, flow_id, "mail")

    async def ends(tenant: str, flow_id: str) -> None:
        raise end

    with monkeypatch.context() as patched:
        patched.setattr(house.app.flows, "catch_up", ends)
        with pytest.raises(type(end)):
            await assign(house, flow_id, "chat")
        house.clock.advance(arrivals.GOES_ON)
        if isinstance(end, Unavailable):
            await house.app.arrivals.round()
    cut_short = await house.get(flow_id)
    await house.app.arrivals.round()
    after = await house.get(flow_id)
    await house.app.arrivals.round()

    assert (cut_short.running_version, needs(cut_short)) == (1, ["acme:chat"])
    assert (after.running_version, needs(after), after.stage) == (2, None, flow_pb2.FLOW_STAGE_RUNNING)
    assert await house.get(flow_id) == after
    assert [call[2] for call in house.execution.calls if call[0] == "activate"] == [1, 2]
    assert not await house.app.arrivals._store.all("arrival", ANN)


async def test_nobody_goes_on_for_whoever_is_still_at_it(house: House) -> None:
    flow_id = await waiting(house)
    flow = await house.app.flows.get(ANN, flow_id)
    expected = await house.app.arrivals.expect(flow)

    await house.app.arrivals.round()
    kept = await house.app.arrivals._store.all("arrival", ANN)
    await house.flows.DeleteFlow(flow_pb.DeleteFlowRequest(scope=scope(ANN), flow_id=flow_id))
    house.clock.advance(arrivals.GOES_ON)
    await house.app.arrivals.round()

    assert list(kept) == [expected]
    assert not await house.app.arrivals._store.all("arrival", ANN)


async def test_one_that_its_people_stopped_stays_stopped(house: House) -> None:
    flow_id = await waiting(house)
    await house.end(flow_id)

    for kind in ACTS:
        await assign(house, flow_id, kind)

    after = await house.get(flow_id)
    assert (after.stage, needs(after)) == (flow_pb2.FLOW_STAGE_STOPPED, None)
    assert (await house.begin(flow_id)).running_version == 2


async def test_changes_of_its_owner_are_kept_and_bring_nothing_that_lacks_an_account(house: House) -> None:
    flow_id = await waiting(house)
    ids: Any = load((await house.get(flow_id)).record)["componentIdMap"]
    nodes: Any = load((await house.get(flow_id)).record)["flow"]
    nodes[ids["go"]]["label"] = "Begin"

    parked = await house.update(flow_id, {"flow": nodes}, force=True)
    without_chat = {node_id: each for node_id, each in nodes.items() if node_id != ids["chat"]}
    fewer = await house.update(flow_id, {"flow": without_chat}, force=True)
    await assign(house, flow_id, "mail")
    after = await house.get(flow_id)

    assert (parked.version, parked.running_version, needs(parked)) == (3, 1, ["acme:mail", "acme:chat"])
    assert (fewer.version, fewer.running_version, needs(fewer)) == (4, 1, ["acme:mail"])
    assert (after.running_version, needs(after)) == (4, None)


async def test_one_whose_newest_version_cannot_run_goes_on_as_it_is_and_says_why(house: House) -> None:
    template_id, flow_id = await instance(house)
    await roll_out(house, template_id, {**NEW, "odd": UNKNOWN["go"]})

    for kind in ACTS:
        await assign(house, flow_id, kind)

    after = await house.get(flow_id)
    assert (after.stage, after.running_version, needs(after)) == (flow_pb2.FLOW_STAGE_RUNNING, 1, None)
    assert "acme.no.such.Thing" in after.stage_error


async def test_starting_it_is_refused_with_each_step_and_what_it_waits_for(house: House) -> None:
    template_id, flow_id = await instance(house, runs=False)
    await roll_out(house, template_id)
    await assign(house, flow_id, "mail")
    ids: Any = load((await house.get(flow_id)).record)["componentIdMap"]

    with pytest.raises(ValidationFailed) as refused:
        await house.begin(flow_id)
    found = (await house.flows.ValidateFlow(flow_pb.ValidateFlowRequest(scope=scope(ANN), flow_id=flow_id))).problems
    (problem,) = refused.value.problems
    stopped = await house.get(flow_id)
    await assign(house, flow_id, "chat")
    begun = await house.begin(flow_id)

    assert (problem.node, problem.message) == (ids["chat"], "The chat waits for an account of acme:chat.")
    assert f"PUT /auth/component/{ids['chat']}/" in problem.fix and flow_id in problem.fix
    assert [(each.node_id, each.message) for each in found] == [(problem.node, problem.message)]
    assert (stopped.stage, needs(stopped)) == (flow_pb2.FLOW_STAGE_STOPPED, ["acme:chat"])
    assert (begun.stage, begun.running_version, needs(begun)) == (flow_pb2.FLOW_STAGE_RUNNING, 2, None)


async def test_a_flow_that_waits_for_nothing_starts_without_an_account(house: House) -> None:
    flow = await house.create("own", flow=NEW)

    assert (await house.begin(flow.flow_id)).stage == flow_pb2.FLOW_STAGE_RUNNING


async def test_nobody_but_the_platform_says_that_a_flow_waits(house: House) -> None:
    flow_id = await waiting(house)
    cleared = await house.update(flow_id, {"needsAccounts": None})
    widened = await house.update(flow_id, {"needsAccounts": ["acme:other"], "name": "Mine"})
    made = await house.create("made", needsAccounts=["acme:mail"])
    request = flow_pb.CloneFlowRequest(
        scope=scope(ANN), flow_id=flow_id, additional=dump({"needsAccounts": ["acme:mail"]})
    )
    cloned = (await house.flows.CloneFlow(request)).flow

    assert needs(cleared) == needs(widened) == ["acme:mail", "acme:chat"]
    assert load(widened.record)["name"] == "Mine"
    assert (needs(made), needs(cloned)) == (None, None)
