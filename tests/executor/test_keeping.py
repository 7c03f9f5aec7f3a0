"""What components keep changes once, and only by who has the run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from headrace_core.errors import BadRequest, Fenced
from headrace_executor.model import NewRun, RunState, StateChange, StateVerb
from headrace_executor.stores.sqlite import SqliteExecutorStore
from headrace_sdk import Component, Context

from .platform import TENANT, HandedFlows, OwnComponent, platform, webhook
from .test_fleet import until
from .test_runs import HOOK, event

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


def verb(change_id: str, epoch: int, key: str = "n", *before: StateChange) -> StateVerb:
    return StateVerb(change_id, "r1", epoch, SCOPE, "inc", key, 1, before)


async def test_a_verb_counts_with_what_was_written_before_it_while_the_run_has_its_epoch(tmp_path: Path) -> None:
    store = await SqliteExecutorStore.open(tmp_path / "executor.db")
    await store.accept([NewRun("r1", TENANT, "keep", 1, HOOK, "webhook", "e", "c", "", b"{}", True)], "me", 1.0)
    ten = StateChange(SCOPE, "set", "n", b"10")

    assert await store.apply_now(verb("c1", 1, "n", ten)) == 11
    assert await store.apply_now(verb("c1", 1, "n", ten)) == 11
    assert await store.apply_now(verb("c2", 1)) == 12
    await store.reclaim("me", "r1", 2.0)
    with pytest.raises(Fenced, match="r1"):
        await store.apply_now(verb("c3", 1, "n", ten))
    with pytest.raises(Fenced, match="r1"):
        await store.apply_now(verb("c1", 1))
    assert await store.apply_now(verb("c1", 2)) == 11
    assert await store.read_state(SCOPE) == {"n": 12}
    await store.close()


async def test_a_verb_that_does_not_fit_leaves_what_was_written_before_it_undone(tmp_path: Path) -> None:
    store = await SqliteExecutorStore.open(tmp_path / "executor.db")
    await store.accept([NewRun("r1", TENANT, "keep", 1, HOOK, "webhook", "e", "c", "", b"{}", True)], "me", 1.0)

    with pytest.raises(BadRequest):
        await store.apply_now(verb("c1", 1, "n", StateChange(SCOPE, "set", "n", b'"text"')))
    assert await store.read_state(SCOPE) == {}
    await store.close()
