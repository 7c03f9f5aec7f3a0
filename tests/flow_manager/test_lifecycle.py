"""Flows start and stop once, whatever dies in between."""

import asyncio
from pathlib import Path

import pytest
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import AlreadyExists, Conflict, NotFound, Unavailable, ValidationFailed
from headrace_flow_manager.flows import model
from headrace_flow_manager.stores.sqlite import open_stores

from .house import ANN, START, UNKNOWN, House, dump, open_house, scope

STOPPED, STARTING = flow_pb2.FLOW_STAGE_STOPPED, flow_pb2.FLOW_STAGE_STARTING
RUNNING, STOPPING = flow_pb2.FLOW_STAGE_RUNNING, flow_pb2.FLOW_STAGE_STOPPING


async def reconcile(house: House) -> None:
    """What the reconciler does when its time has come."""
    await house.app.lifecycle.reconcile()


async def test_a_flow_starts_and_stops(house: House) -> None:
    flow = await house.create()

    started = await house.begin(flow.flow_id)
    stopped = await house.end(flow.flow_id)

    assert (started.stage, started.running_version) == (RUNNING, 1) and started.HasField("started_at")
    assert (stopped.stage, stopped.running_version) == (STOPPED, 0) and stopped.HasField("stopped_at")
    assert house.execution.verbs == ["activate", "deactivate"]
    assert [call[2] for call in house.execution.calls] == [1, 1]


async def test_starting_and_stopping_twice_changes_nothing(house: House) -> None:
    flow = await house.create()

    assert await house.begin(flow.flow_id) == await house.begin(flow.flow_id)
    assert await house.end(flow.flow_id) == await house.end(flow.flow_id)
    assert house.execution.verbs == ["activate", "deactivate"]


async def test_a_start_in_the_background_is_on_record_at_once_and_done_soon(house: House) -> None:
    flow = await house.create()
    start = pb.StartFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, background=True)

    begun = (await house.flows.StartFlow(start)).flow
    again = (await house.flows.StartFlow(start)).flow
    assert house.execution.calls == []
    await reconcile(house)
    running = await house.get(flow.flow_id)
    stopped = (
        await house.flows.StopFlow(pb.StopFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, background=True))
    ).flow

    assert (begun.stage, again, running.stage, stopped.stage) == (STARTING, begun, RUNNING, STOPPING)
    assert begun.transition_id == running.transition_id != stopped.transition_id
    assert [call[3] for call in house.execution.calls] == [begun.transition_id]


async def test_a_start_in_the_background_is_carried_on_by_the_service_itself(house: House) -> None:
    await house.app.start()
    flow = await house.create()

    await house.flows.StartFlow(pb.StartFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, background=True))
    await asyncio.wait_for(house.execution.called.wait(), 5)

    assert house.execution.verbs == ["activate"]


async def test_a_start_in_the_background_that_fails_says_why_at_the_flow(house: House) -> None:
    flow = await house.create()
    house.execution.failures.append(Conflict("the hook of go failed"))

    begun = await house.flows.StartFlow(pb.StartFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, background=True))
    await reconcile(house)

    kept = await house.get(flow.flow_id)
    assert (begun.flow.stage, kept.stage, kept.stage_error) == (STARTING, STOPPED, "the hook of go failed")


async def test_what_is_not_fit_to_start_is_refused_in_the_background_too(house: House) -> None:
    flow = await house.create(flow=UNKNOWN)

    with pytest.raises(ValidationFailed):
        await house.flows.StartFlow(pb.StartFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, background=True))

    assert (await house.get(flow.flow_id)).stage == STOPPED


async def test_starts_and_stops_at_once_end_in_one_consistent_stage(house: House) -> None:
    flow = await house.create()

    await asyncio.gather(*(do(flow.flow_id) for _ in range(5) for do in (house.begin, house.end)))

    kept = await house.get(flow.flow_id)
    verbs = house.execution.verbs
    assert verbs == ["activate", "deactivate"] * (len(verbs) // 2)
    assert kept.stage == STOPPED


async def test_what_is_not_fit_to_start_stays_stopped_and_says_why(house: House) -> None:
    flow = await house.create(flow=UNKNOWN)

    with pytest.raises(ValidationFailed) as refused:
        await house.begin(flow.flow_id)

    assert refused.value.problems[0].node == "go"
    assert await house.get(flow.flow_id) == flow
    assert house.execution.calls == []


async def test_a_start_that_the_executor_refuses_is_taken_back_and_explained(house: House) -> None:
    flow = await house.create()
    house.execution.failures.append(Conflict("the hook of go failed"))

    with pytest.raises(Conflict, match="hook of go"):
        await house.begin(flow.flow_id)

    kept = await house.get(flow.flow_id)
    assert (kept.stage, kept.stage_error, kept.running_version) == (STOPPED, "the hook of go failed", 0)
    assert house.execution.verbs == ["deactivate"]
    assert (await house.begin(flow.flow_id)).stage_error == ""


async def test_a_start_while_the_executor_is_away_is_finished_later_under_the_same_id(house: House) -> None:
    flow = await house.create()
    house.execution.failures.append(Unavailable("away"))

    assert (await house.begin(flow.flow_id)).stage == STARTING
    await reconcile(house)

    assert (await house.get(flow.flow_id)).stage == RUNNING
    assert house.execution.verbs == ["activate"]


async def test_the_app_finishes_what_is_unfinished_as_soon_as_it_starts(house: House) -> None:
    flow = await house.create()
    house.execution.failures.append(Unavailable("away"))
    await house.begin(flow.flow_id)
    house.execution.called.clear()

    await house.app.start()
    await asyncio.wait_for(house.execution.called.wait(), 10)
    await house.app.drain()

    assert house.execution.verbs == ["activate"]


async def test_a_stop_while_the_executor_is_away_is_finished_later(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)
    house.execution.failures.append(Unavailable("away"))

    assert (await house.end(flow.flow_id)).stage == STOPPING
    await reconcile(house)

    assert (await house.get(flow.flow_id)).stage == STOPPED


async def test_a_flow_that_is_still_starting_can_be_stopped(house: House) -> None:
    flow = await house.create()
    house.execution.failures.append(Unavailable("away"))
    await house.begin(flow.flow_id)

    assert (await house.end(flow.flow_id)).stage == STOPPED


async def test_a_flow_that_cannot_stop_yet_cannot_start_either(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)
    house.execution.failures += [Unavailable("away"), Unavailable("away")]
    await house.end(flow.flow_id)

    with pytest.raises(Unavailable, match="still stopping"):
        await house.begin(flow.flow_id)

    assert (await house.begin(flow.flow_id)).stage == RUNNING


@pytest.mark.parametrize(("change", "verb", "stage"), [("start", "activate", RUNNING), ("stop", "deactivate", STOPPED)])
async def test_a_process_that_dies_after_writing_the_stage_is_finished_by_the_next(
    tmp_path: Path, change: str, verb: str, stage: "flow_pb2.FlowStage.ValueType"
) -> None:
    async with open_house(tmp_path) as house:
        flow = await house.create()
        if change == "stop":
            await house.begin(flow.flow_id)

    stores = await open_stores(tmp_path / "flow_manager.db")  # what the process wrote before it died
    before = await stores.flows.get(ANN, flow.flow_id)
    after = model.starting(before, "the-id") if change == "start" else model.stopping(before, "the-id")
    await stores.flows.save(ANN, before, after)
    await stores.close()

    async with open_house(tmp_path) as house:
        await reconcile(house)

        assert house.execution.calls == [(verb, flow.flow_id, 1, "the-id")]
        assert (await house.get(flow.flow_id)).stage == stage


async def test_an_update_that_the_executor_has_not_heard_of_is_finished_later(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)
    house.execution.failures.append(Unavailable("away"))
    descriptor: Json = {"go": {"type": START, "label": "7", "source": {}}}

    updated = await house.update(flow.flow_id, {"flow": descriptor}, force=True)
    await reconcile(house)

    assert (updated.stage, updated.running_version) == (RUNNING, 2)
    assert [(verb, version) for verb, _, version, _ in house.execution.calls] == [("activate", 1), ("activate", 2)]


async def test_an_update_that_the_executor_refuses_goes_back_to_the_version_before(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)
    house.execution.failures.append(Conflict("no such hook"))
    descriptor: Json = {"go": {"type": START, "label": "7", "source": {}}}

    with pytest.raises(Conflict, match="no such hook"):
        await house.update(flow.flow_id, {"flow": descriptor}, force=True)

    kept = await house.get(flow.flow_id)
    assert (kept.stage, kept.version, kept.running_version, kept.stage_error) == (RUNNING, 2, 1, "no such hook")


async def test_deleting_stops_and_forgets(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)

    await house.delete(flow.flow_id)

    assert house.execution.verbs == ["activate", "deactivate", "forget"]
    for call in (house.get, house.begin, house.end, house.delete):
        with pytest.raises(NotFound):
            await call(flow.flow_id)
    with pytest.raises(NotFound):
        await house.flows.ResolveFlow(pb.ResolveFlowRequest(flow_id=flow.flow_id, version=1))


async def test_a_deleted_flow_is_gone_at_once_and_cleaned_up_when_the_executor_is_back(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)
    house.execution.failures.append(Unavailable("away"))

    await house.delete(flow.flow_id)
    with pytest.raises(NotFound):
        await house.get(flow.flow_id)
    kept = await house.flows.ResolveFlow(pb.ResolveFlowRequest(flow_id=flow.flow_id, version=1))
    assert kept.stage == STOPPED and kept.version.version == 1
    with pytest.raises(NotFound):
        await house.flows.ResolveFlow(pb.ResolveFlowRequest(flow_id=flow.flow_id))
    with pytest.raises(AlreadyExists, match="being removed"):
        await house.flows.CreateFlow(pb.CreateFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, record=dump({})))
    await reconcile(house)

    assert house.execution.verbs[-2:] == ["deactivate", "forget"]
    await house.flows.CreateFlow(pb.CreateFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, record=dump({})))


async def test_executors_find_the_version_that_new_runs_take(house: House) -> None:
    flow = await house.create(customFields={"a": 1})
    stopped = await house.flows.ResolveFlow(pb.ResolveFlowRequest(flow_id=flow.flow_id))
    await house.begin(flow.flow_id)
    running = await house.flows.ResolveFlow(pb.ResolveFlowRequest(flow_id=flow.flow_id))

    assert stopped.stage == STOPPED and not stopped.HasField("version")
    assert (running.stage, running.tenant_id, running.version.version) == (RUNNING, ANN, 1)
    assert running.version.custom_fields == dump({"a": 1})
    with pytest.raises(NotFound):
        await house.flows.ResolveFlow(pb.ResolveFlowRequest(flow_id=flow.flow_id, version=9))


async def test_active_flows_of_all_tenants_are_paged_by_id(house: House) -> None:
    made = [await house.create(tenant=tenant * 24) for tenant in "abcde"]
    for number, flow in enumerate(made):
        if number != 2:
            await house.begin(flow.flow_id, tenant="abcde"[number] * 24)
    expected = sorted(flow.flow_id for number, flow in enumerate(made) if number != 2)

    found: list[str] = []
    while True:
        request = pb.ListActiveFlowsRequest(after_flow_id=found[-1] if found else "", limit=2)
        page = (await house.flows.ListActiveFlows(request)).flows
        if not page:
            break
        found += [each.flow_id for each in page]

    assert found == expected
