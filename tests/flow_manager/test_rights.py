"""Components that rules withhold: flows with them do not start, and those that run are stopped, whoever dies."""

import asyncio
from typing import Any

import pytest
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace.setting.v1 import setting_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import Forbidden, Unavailable, ValidationFailed
from headrace_flow_manager.rights import LOOK_AGAIN

from tests.contracts.flow_manager import OpenStores

from .house import ANN, SET, START, STARTABLE, ActedExecution, House, open_house, scope
from .test_people import sign_up

NO_START = pb.AccessRule(role="user", resource=START, actions=["!*"])
MAIL: dict[str, Json] = {"go": {"type": START, "source": {}}, "send": {"type": "acme.mail.core.Send", "source": {}}}
LOOPS = 10  # of a flow manager: all of them wait when nothing is to be done
STOPPED, RUNNING = flow_pb2.FLOW_STAGE_STOPPED, flow_pb2.FLOW_STAGE_RUNNING


async def put(house: House, *rules: pb.AccessRule) -> None:
    await house.settings.PutAccessRules(pb.PutAccessRulesRequest(scope=scope(ANN), type="components", rules=rules))


async def give(house: House, user_id: str, *roles: str) -> None:
    await house.people.UpdateUser(people_pb.UpdateUserRequest(user_id=user_id, scopes=roles, replace_scopes=True))


async def user(house: House, name: str = "ann") -> str:
    return str((await sign_up(house, name)).user.user_id)


async def settled(house: House, flow_id: str, tenant: str) -> flow_pb2.Flow:
    """The flow once it is stopped; the round that stops it was woken or is due."""
    async with asyncio.timeout(10):
        while True:
            flow = await house.get(flow_id, tenant)
            if flow.stage == STOPPED:
                return flow
            await asyncio.sleep(0.01)


async def all_loops_wait(house: House) -> None:
    async with asyncio.timeout(10):
        while True:
            if house.clock.sleepers >= LOOPS:
                return
            await asyncio.sleep(0.01)


async def test_a_flow_with_a_withheld_component_does_not_start_and_says_which(house: House) -> None:
    ann = await user(house)
    flow = await house.create(tenant=ann)
    await put(house, NO_START)

    with pytest.raises(Forbidden, match=f"use {START}.*ask an administrator"):
        await house.begin(flow.flow_id, ann)
    request = flow_pb.ValidateFlowRequest(scope=scope(ann), flow_id=flow.flow_id)
    (problem,) = (await house.flows.ValidateFlow(request)).problems

    assert (problem.where, problem.node_id, problem.warning) == ("flow.go", "go", False)
    assert house.execution.verbs == []

    await give(house, ann, "user", "admin")
    assert (await house.begin(flow.flow_id, ann)).stage == RUNNING


async def test_a_running_flow_does_not_take_a_withheld_component_in(house: House) -> None:
    ann = await user(house)
    flow = await house.create(tenant=ann)
    await house.begin(flow.flow_id, ann)
    await put(house, pb.AccessRule(role="user", resource="acme.mail", actions=["!*"]))

    with pytest.raises(Forbidden, match=r"acme\.mail\.core\.Send"):
        await house.update(flow.flow_id, {"flow": MAIL}, ann, force=True)

    assert (await house.get(flow.flow_id, ann)).running_version == 1


async def test_rules_stop_what_runs_at_once_and_nothing_else(house: House) -> None:
    ann, bob = await user(house), await user(house, "bob")
    await give(house, bob, "user", "admin")
    anns, bobs = await house.create(tenant=ann), await house.create(tenant=bob)
    others = await house.create(tenant=ann, flow={"set": {"type": SET, "source": {}}})
    for flow, tenant in ((anns, ann), (bobs, bob)):
        await house.begin(flow.flow_id, tenant)
    await house.app.start()

    await put(house, NO_START)

    stopped = await settled(house, anns.flow_id, ann)
    assert START in stopped.stage_error and "owner" in stopped.stage_error
    assert (await house.get(bobs.flow_id, bob)).stage == RUNNING
    assert (await house.get(others.flow_id, ann)).stage_error == ""


async def test_a_role_that_is_taken_away_stops_flows_too(house: House) -> None:
    ann = await user(house)
    await give(house, ann, "user", "author")
    flow = await house.create(tenant=ann)
    await put(house, pb.AccessRule(role="*", resource=START, actions=["!*"]))
    await put(house, pb.AccessRule(role="guest", resource=START, actions=["!*"]))
    await house.begin(flow.flow_id, ann)
    await house.app.start()

    await give(house, ann, "user", "guest")

    assert START in (await settled(house, flow.flow_id, ann)).stage_error


async def test_who_dies_before_anything_was_stopped_leaves_it_to_another(
    open_stores: OpenStores, tmp_path: Any
) -> None:
    execution = ActedExecution()  # type: ignore[abstract]  # what the flow manager never asks is not acted
    async with open_stores(tmp_path) as stores:
        async with open_house(stores, execution=execution) as house:
            ann = await user(house)
            flow = await house.create(tenant=ann)
            await house.begin(flow.flow_id, ann)
            await put(house, NO_START)  # its loops never began: as good as dead
            assert (await house.get(flow.flow_id, ann)).stage == RUNNING

        async with open_house(stores, execution=execution) as house:
            await house.app.start()
            assert START in (await settled(house, flow.flow_id, ann)).stage_error


async def test_another_process_looks_again_within_a_minute(open_stores: OpenStores, tmp_path: Any) -> None:
    execution = ActedExecution()  # type: ignore[abstract]  # as above
    async with (
        open_stores(tmp_path) as stores,
        open_house(stores, execution=execution) as dead,
        open_house(stores, execution=execution) as house,
    ):
        ann = await user(house)
        flow = await house.create(tenant=ann)
        await house.begin(flow.flow_id, ann)
        await house.app.start()
        await all_loops_wait(house)
        await put(dead, NO_START)
        assert (await house.get(flow.flow_id, ann)).stage == RUNNING

        house.clock.advance(LOOK_AGAIN)

        assert START in (await settled(house, flow.flow_id, ann)).stage_error


async def test_a_flow_that_cannot_be_stopped_now_is_stopped_later(house: House) -> None:
    ann = await user(house)
    first, second = await house.create(tenant=ann), await house.create(tenant=ann)
    for flow in (first, second):
        await house.begin(flow.flow_id, ann)
    await put(house, NO_START)
    house.execution.failures = [Unavailable("away")]

    await house.app.withdrawal.round()
    await house.app.lifecycle.reconcile()

    for flow in (first, second):
        assert (await house.get(flow.flow_id, ann)).stage == STOPPED


async def test_a_preview_names_what_would_stop_and_changes_nothing(house: House) -> None:
    ann = await user(house)
    flow = await house.create("Orders", ann, flow=STARTABLE)
    await house.create("Stopped", ann)
    await house.begin(flow.flow_id, ann)

    request = pb.PreviewAccessRulesRequest(scope=scope(ANN), rules=[NO_START])
    found = await house.settings.PreviewAccessRules(request)
    none = await house.settings.PreviewAccessRules(pb.PreviewAccessRulesRequest(scope=scope(ANN)))
    wrong = pb.PreviewAccessRulesRequest(scope=scope(ANN), rules=[pb.AccessRule(role="user")])
    with pytest.raises(ValidationFailed):
        await house.settings.PreviewAccessRules(wrong)
    await house.app.withdrawal.round()

    (shown,) = found.flows
    assert (shown.flow_id, shown.tenant_id, shown.name, list(shown.components)) == (
        flow.flow_id,
        ann,
        "Orders",
        [START],
    )
    assert not found.more and not none.flows
    assert (await house.get(flow.flow_id, ann)).stage == RUNNING
