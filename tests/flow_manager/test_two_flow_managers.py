"""Two flow managers over one database behave as one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from headrace.execution.v1 import execution_service_pb2 as execution_pb
from headrace.flow.v1 import flow_pb2
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace.store.v1 import store_service_pb2 as store_pb
from headrace_core.clock import TestClock
from headrace_core.errors import RateLimited, Unauthenticated, Unavailable
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.data_stores.model import Listener
from headrace_flow_manager.flows import model
from headrace_flow_manager.flows.model import Turn
from headrace_flow_manager.flows.turns import LEASE
from headrace_flow_manager.stores import mongo
from headrace_flow_manager.stores.bundle import Stores

from tests.contracts.flow_manager import opener

from .house import ANN, START, ActedExecution, House, dump, open_house, scope

RUNNING, STOPPED = flow_pb2.FLOW_STAGE_RUNNING, flow_pb2.FLOW_STAGE_STOPPED


@dataclass
class SlowExecution(ActedExecution):
    """An executor whose calls take a while; it notices when it is asked two things about one flow at once."""

    busy: set[str] = field(default_factory=set)
    overlaps: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def _alone(self, flow_id: str) -> AsyncIterator[None]:
        if flow_id in self.busy:
            self.overlaps.append(flow_id)
        self.busy.add(flow_id)
        for _ in range(20):
            await asyncio.sleep(0)
        try:
            yield
        finally:
            self.busy.discard(flow_id)

    async def ActivateFlow(
        self, request: execution_pb.ActivateFlowRequest, context: object
    ) -> execution_pb.ActivateFlowResponse:
        async with self._alone(request.flow_id):
            return await super().ActivateFlow(request, context)

    async def DeactivateFlow(
        self, request: execution_pb.DeactivateFlowRequest, context: object
    ) -> execution_pb.DeactivateFlowResponse:
        async with self._alone(request.flow_id):
            return await super().DeactivateFlow(request, context)


@dataclass
class Pair:
    """Two flow managers of one installation, each with its own connections, and what they share."""

    one: House
    two: House
    execution: SlowExecution
    clock: TestClock
    stores: Stores

    async def in_time(self, *work: Awaitable[object]) -> list[object]:
        """Do it all at once while time passes, not faster than on the wall; what came of each."""
        doing = asyncio.gather(*work, return_exceptions=True)
        while not doing.done():
            await self.clock.elapse(0.005)
            await asyncio.sleep(0.005)
        return list(doing.result())


@pytest.fixture
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    execution = SlowExecution()  # type: ignore[abstract]  # what the flow manager never asks is not acted
    clock, settings = TestClock(), FlowManagerSettings(attempts_per_login=5)
    with opener(request, "mongo") as opens:
        async with (
            opens(tmp_path) as own,
            opens(tmp_path) as other,
            open_house(own, settings, execution=execution, clock=clock) as one,
            open_house(other, settings, execution=execution, clock=clock) as two,
        ):
            yield Pair(one, two, execution, clock, own)


async def test_two_that_start_at_once_make_one_administrator(pair: Pair) -> None:
    made = await asyncio.gather(
        *(house.app.people.ensure_administrator("admin@x.y", "long enough") for house in (pair.one, pair.two))
    )

    assert sum(each is not None for each in made) == 1
    request = people_pb.SignInRequest(login="admin@x.y", password="long enough")
    tokens = [(await house.people.SignIn(request)).token for house in (pair.one, pair.two)]
    for house in (pair.one, pair.two):
        for token in tokens:
            await house.people.Authenticate(people_pb.AuthenticateRequest(token=token))


async def test_a_token_that_ended_at_one_has_ended_at_the_other(pair: Pair) -> None:
    _, token = await pair.one.app.people.sign_up("ann", "", "long enough", {})

    await pair.two.app.people.sign_out(token)

    with pytest.raises(Unauthenticated):
        await pair.one.app.authenticator.authenticate(token)


async def test_attempts_to_sign_in_count_at_both(pair: Pair) -> None:
    await pair.one.app.people.sign_up("ann", "", "long enough", {})

    tried = await asyncio.gather(
        *(house.app.people.sign_in("ann", "wrong password", "here") for house in (pair.one, pair.two) * 5),
        return_exceptions=True,
    )

    assert sum(isinstance(each, Unauthenticated) for each in tried) == 5
    assert sum(isinstance(each, RateLimited) for each in tried) == 5


async def test_starts_and_stops_at_both_reach_the_executor_one_after_the_other(pair: Pair) -> None:
    flow = await pair.one.create()

    calls = [do(flow.flow_id) for house in (pair.one, pair.two) for _ in range(3) for do in (house.begin, house.end)]
    answers = await pair.in_time(*calls)
    await pair.in_time(pair.two.end(flow.flow_id))

    verbs = pair.execution.verbs
    assert not [each for each in answers if isinstance(each, Exception)]
    assert pair.execution.overlaps == []
    assert verbs == ["activate", "deactivate"] * (len(verbs) // 2)
    assert {(await house.get(flow.flow_id)).stage for house in (pair.one, pair.two)} == {STOPPED}


async def test_two_reconcilers_do_each_thing_once(pair: Pair) -> None:
    flows = [await pair.one.create(str(number)) for number in range(8)]
    for each in flows:
        kept = await pair.stores.flows.get(ANN, each.flow_id)
        await pair.stores.flows.save(ANN, kept, model.starting(kept, f"start of {each.flow_id}"))

    for _ in range(2):
        await pair.in_time(pair.one.app.lifecycle.reconcile(), pair.two.app.lifecycle.reconcile())

    assert sorted(pair.execution.calls) == sorted(
        ("activate", each.flow_id, 1, f"start of {each.flow_id}") for each in flows
    )
    assert pair.execution.overlaps == []
    assert {(await pair.one.get(each.flow_id)).stage for each in flows} == {RUNNING}


async def test_what_one_began_before_it_died_is_finished_by_the_other_after_a_lease(pair: Pair) -> None:
    flow = await pair.one.create()
    kept = await pair.stores.flows.get(ANN, flow.flow_id)
    await pair.stores.turns.take(flow.flow_id, Turn("one that died"), None)
    await pair.stores.flows.save(ANN, kept, model.starting(kept, "the-id"))

    await pair.two.app.lifecycle.reconcile()
    before = list(pair.execution.calls)
    await pair.clock.elapse(LEASE)
    await pair.two.app.lifecycle.reconcile()

    assert before == []
    assert pair.execution.calls == [("activate", flow.flow_id, 1, "the-id")]
    assert (await pair.one.get(flow.flow_id)).stage == RUNNING


async def test_who_calls_while_the_other_is_dead_waits_no_longer_than_a_lease(pair: Pair) -> None:
    flow = await pair.one.create()
    await pair.stores.turns.take(flow.flow_id, Turn("one that died"), None)

    calling = asyncio.create_task(pair.two.begin(flow.flow_id))
    while not calling.done():
        if pair.clock.sleepers and pair.clock.monotonic() < LEASE.total_seconds() + 0.5:
            await pair.clock.elapse(0.1)
        await asyncio.sleep(0.001)  # for MongoDB to answer, in no time of ours

    assert calling.result().stage == RUNNING
    assert pair.clock.monotonic() >= LEASE.total_seconds()


async def test_an_update_while_the_other_moves_the_flow_is_saved_and_finished_later(pair: Pair) -> None:
    flow = await pair.one.create()
    await pair.in_time(pair.one.begin(flow.flow_id))
    await pair.stores.turns.take(flow.flow_id, Turn("other"), None)
    descriptor = {"go": {"type": START, "label": "7", "source": {}}}

    updated = await pair.two.update(flow.flow_id, {"flow": descriptor}, force=True)
    await pair.stores.turns.end(flow.flow_id, "other")
    await pair.two.app.lifecycle.reconcile()

    assert (updated.stage, updated.running_version) == (RUNNING, 2)
    assert [(verb, version) for verb, _, version, _ in pair.execution.calls] == [("activate", 1), ("activate", 2)]


async def test_updates_at_both_are_all_made(pair: Pair) -> None:
    flow = await pair.one.create(customFields={})

    names = ["description", "notes", "templateId", "mode"]
    await asyncio.gather(
        *(house.update(flow.flow_id, {name: "x"}) for house, name in zip((pair.one, pair.two) * 2, names, strict=True))
    )

    kept = await pair.stores.flows.get(ANN, flow.flow_id)
    assert [kept.record.get(name) for name in names] == ["x"] * 4 and kept.revision == 5


async def test_each_change_of_a_store_is_told_whoever_relays_it(pair: Pair) -> None:
    store = await pair.one.app.data_stores.create(ANN, "s")
    await pair.stores.data_stores.listen(ANN, store.store_id, Listener("flow", "node", ("insert",)))
    for number in range(20):
        house = (pair.one, pair.two)[number % 2]
        request = {"scope": scope(ANN), "store_id": store.store_id, "key": str(number), "value": dump(number)}
        await house.stores.PutRecord(store_pb.PutRecordRequest(**request))

    await asyncio.gather(pair.one.app.relay.round(), pair.two.app.relay.round())
    await pair.one.app.relay.round()

    assert len({event.event_id for event in pair.execution.events}) == 20
    assert await pair.stores.outbox.due(pair.clock.now() + timedelta(days=1), 10) == []


async def test_both_work_and_end_together(pair: Pair) -> None:
    flow = await pair.one.create()
    pair.execution.failures.append(Unavailable("away"))
    await pair.in_time(pair.one.begin(flow.flow_id))

    for house in (pair.one, pair.two):
        await house.app.start()
    async with asyncio.timeout(20):
        await pair.execution.called.wait()
    for house in (pair.one, pair.two):
        await house.app.drain()

    assert pair.execution.verbs == ["activate"]
    assert timedelta(seconds=2) >= mongo.PATIENCE
