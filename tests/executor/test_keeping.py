"""What components keep changes once, and only by who has the run."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headrace_executor.model import RunState
from headrace_sdk import Component, Context

from .platform import TENANT, HandedFlows, OwnComponent, platform, webhook
from .test_fleet import until
from .test_runs import HOOK, echo_flow, event

SCOPE = f"{TENANT}/flow/keep/node/own"


class Keeper(Component):
    """Writes who it is and counts, once it may."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def receive(self, context: Context) -> None:
        self.began.set()
        await self.may_go_on.wait()
        await context.state.set("by", self.name)
        await context.state.inc("count")


def own_node() -> dict:
    return {"type": "appmixer.own.test.Own", "x": 0, "y": 0, "source": {"in": {HOOK: ["request"]}}, "config": {}}


async def test_the_same_event_that_comes_after_its_answer_and_before_its_commit_gets_that_answer(
    tmp_path: Path,
) -> None:
    flows = HandedFlows()
    flows.put("keep", {**echo_flow(), "own": own_node()})
    slow = Keeper("slow")
    async with platform(tmp_path, flows, own=[OwnComponent(lambda: slow)]) as made:
        _, answer = await made.send("keep", HOOK, event("ada"), event_id="e", wait=True)
        again = asyncio.create_task(made.send("keep", HOOK, event("ada"), event_id="e", wait=True))
        await until(lambda: made.counters.duplicates == 1)
        slow.may_go_on.set()

        assert (await again)[1].body == answer.body == b"ADA"


async def test_a_step_that_was_taken_over_changes_no_state_when_it_wakes_up(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("keep", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    late, next_one = Keeper("late"), Keeper("next")
    next_one.may_go_on.set()
    async with platform(tmp_path, flows, alone=False, own=[OwnComponent(lambda: late)]) as first:
        run, _ = await first.send("keep", HOOK, event("ada"))
        await late.began.wait()
        async with platform(tmp_path, flows, alone=True, own=[OwnComponent(lambda: next_one)]) as second:
            await second.rest(run)

            late.may_go_on.set()
            async with asyncio.timeout(5):
                await until(lambda: first.counters.fenced == 1)

            assert await second.store.read_state(SCOPE) == {"by": "next", "count": 1}
            assert (await second.rest(run)).run.state is RunState.DONE
