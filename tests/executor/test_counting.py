"""A message counts once, when its step is on record: whatever is logged, tried again, replayed or broken off."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from headrace_core.clock import SystemClock
from headrace_core.errors import Unavailable
from headrace_executor.counting import CountQuery, DayCount
from headrace_executor.model import HOOK_PORTS, RunState, StepRecord
from headrace_executor.stores.mongo import MongoExecutorStore
from headrace_executor.stores.mongo_counts import Counts
from headrace_runtime.mongo import Mongo
from headrace_sdk import CancelError, Component, Context

from tests.contracts.databases import fresh_database
from tests.contracts.execution_stores import ANN, ME, commit, new_run

from .platform import TENANT, CountingWeb, HandedFlows, OwnComponent, Platform, node, platform, set_variables, webhook
from .test_keeping import own_node
from .test_runs import HOOK, event

MINE = CountQuery(TENANT)


class Stubborn(Component):
    """Fails for now twice, then for good."""

    def __init__(self) -> None:
        self.calls = 0

    async def receive(self, context: Context) -> None:
        self.calls += 1
        if self.calls < 3:
            raise ConnectionError("come again")
        raise CancelError("no")


def size_of(steps: list[StepRecord]) -> int:
    return sum(len(orjson.dumps(step.input)) for step in steps if step.port not in HOOK_PORTS)


async def counted(made: Platform) -> tuple[int, int]:
    days = await made.store.count_messages(MINE)
    return sum(each.count for each in days), sum(each.size for each in days)


@pytest.mark.parametrize("level", ["none", "all"])
async def test_every_step_of_a_run_is_one_message_whatever_is_logged(tmp_path: Path, level: Any) -> None:
    flows = HandedFlows()
    descriptor = {
        HOOK: webhook(),
        "set": set_variables({HOOK: "request"}, name="$.hook.request.data.name"),
        "reply": node("http.Response", {"set": "out"}),
    }
    flows.put("f", descriptor, log_level=level)
    async with platform(tmp_path, flows) as made:
        runs = [(await made.send("f", HOOK, event("ada")))[0] for _ in range(3)]
        details = [await made.rest(run_id) for run_id in runs]

        steps = [step for detail in details for step in detail.steps]
        assert len(steps) == 9
        assert await counted(made) == (9, size_of(steps))
        assert await made.store.count_messages(CountQuery("b" * 24)) == []


async def test_the_same_event_twice_and_a_step_that_is_tried_thrice_count_once(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    async with platform(tmp_path, flows, own=[OwnComponent(Stubborn)]) as made:
        run_id, _ = await made.send("f", HOOK, event("ada"), event_id="e")
        detail = await made.rest(run_id)
        again, _ = await made.send("f", HOOK, event("ada"), event_id="e")

        assert again == run_id
        assert [(step.node_id, step.outcome, step.attempts) for step in detail.steps] == [
            (HOOK, "done", 1),
            ("own", "cancelled", 3),
        ]
        assert await counted(made) == (2, size_of(detail.steps))


async def test_a_message_that_a_person_gives_back_counts_again(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("f", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    async with platform(tmp_path, flows, own=[OwnComponent(Stubborn)], retry_count=0) as made:
        run_id, _ = await made.send("f", HOOK, event("ada"))
        await made.rest(run_id)
        before, _ = await counted(made)
        [message], _ = await made.service.list_unprocessed(TENANT, "f", "", 0, 10)

        await made.service.retry_unprocessed(TENANT, [message.message_id])
        await made.until(run_id, RunState.FAILED)
        while not (await made.service.list_unprocessed(TENANT, "f", "", 0, 10))[1]:
            await made.rest(run_id)

        assert (before, (await counted(made))[0]) == (2, 3)


async def test_what_a_run_does_anew_after_its_executor_is_gone_counts_once(tmp_path: Path) -> None:
    flows = HandedFlows()
    descriptor = {
        HOOK: webhook(immediateResponse=True),
        "set": set_variables({HOOK: "request"}, name="$.hook.request.data.name"),
        "own": node("x", {"set": "out"}) | {"type": "appmixer.own.test.Own"},
    }
    flows.put("f", descriptor)
    web = CountingWeb()
    async with platform(tmp_path, flows, web, own=[OwnComponent(Stubborn)]) as first:
        run_id, _ = await first.send("f", HOOK, event("ada"))
        await first.until(run_id, RunState.WAITING)
    async with platform(tmp_path, flows, web, own=[OwnComponent(Stubborn)]) as second:
        detail = await second.rest(run_id)

        assert await counted(second) == (3, size_of(detail.steps))


# Deaths on the way of a fold, which only MongoDB's store has.


class Dying:
    """A way to MongoDB that is cut off before the call after the next `calls`."""

    def __init__(self, mongo: Mongo, calls: int) -> None:
        self._mongo = mongo
        self.calls = calls

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[Any]:
        self.calls -= 1
        if self.calls < 0:
            raise Unavailable("The process is gone.")
        async with self._mongo.asking() as database:
            yield database


async def test_a_fold_that_dies_anywhere_loses_and_doubles_nothing(mongo_url: str) -> None:
    everything = {"tenant_id": ANN}
    with fresh_database(mongo_url) as name:
        store = await MongoExecutorStore.open(mongo_url, name, SystemClock())
        survived = 0
        for calls in range(40):
            names = [f"{calls}-{at}" for at in range(3)]
            await store.accept([new_run(each) for each in names], ME, 1.0)
            await store.commit(
                [commit(each, {"k": 1}, messages=(DayCount(7, 1, 10), DayCount(8, 2, 5))) for each in names]
            )
            expected = [DayCount(7, 3 * (calls + 1), 30 * (calls + 1)), DayCount(8, 6 * (calls + 1), 15 * (calls + 1))]

            dying: Any = Dying(store.mongo, calls)
            try:
                await Counts(dying, SystemClock()).fold(everything)
                survived += 1
            except Unavailable:
                pass
            if calls % 2:  # a run of a fold that is not done goes on meanwhile
                assert await store.commit([commit(names[0], {"k": 2}, seq=1)]) == [True]

            assert await store.count_messages(CountQuery(ANN)) == expected
        await store.forget_flow(ANN, "flow")

        assert survived > 10
        assert await store.count_messages(CountQuery(ANN)) == expected
        assert await store.mongo.database["runs"].count_documents({}) == 0
        await store.close()
