"""Tenants take turns, one that floods leaves room and workers to others, and nothing is lost or waits for nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.clock import TestClock
from headrace_executor.fairness import TIMES_WHAT_IS_FREE, FairQueue
from headrace_executor.model import Loaded, Run, RunState
from headrace_sdk import Component, Context
from hypothesis import given, settings
from hypothesis import strategies as st

from .platform import TENANT, HandedFlows, OwnComponent, Platform, node, platform, webhook

OTHER = "b" * 24
NOTHING: dict[str, Any] = dict.fromkeys(("flow_id", "trigger_id", "port", "event_id", "correlation_id", "caller"), "")


def loaded(tenant: str, number: int = 0) -> Loaded:
    counts: dict[str, Any] = dict.fromkeys(("version", "epoch", "seq", "steps", "pending", "failed", "deaths"), 0)
    run = Run(
        run_id=f"{tenant}-{number}",
        tenant_id=tenant,
        content=b"{}",
        state=RunState.RUNNING,
        owner="me",
        created=0.0,
        updated=0.0,
        due=None,
        error="",
        suspect="",
        **NOTHING,
        **counts,
    )
    return Loaded(run, [], [])


def filled(queue: FairQueue, tenants: Mapping[str, int]) -> None:
    for tenant, count in tenants.items():
        for number in range(count):
            queue.put(loaded(tenant, number))


async def taken(queue: FairQueue, count: int) -> list[str]:
    """The next runs, each brought to its end at once."""
    found = []
    for _ in range(count):
        each = await asyncio.wait_for(queue.get(), 1)
        queue.done(each)
        found.append(each.run.run_id)
    return found


async def test_tenants_take_turns_and_each_keeps_its_own_order() -> None:
    queue = FairQueue(1_000, 8, TestClock())
    filled(queue, {"a": 4, "b": 2, "c": 1})

    assert await taken(queue, 7) == ["a-0", "b-0", "c-0", "a-1", "b-1", "a-2", "a-3"]
    assert len(queue) == 0
    await asyncio.wait_for(queue.join(), 1)


async def test_who_comes_late_is_next_but_for_one() -> None:
    queue = FairQueue(10_000, 8, TestClock())
    filled(queue, {"a": 1_000})
    await taken(queue, 500)

    queue.put(loaded("b"))

    assert "b-0" in await taken(queue, 2)


def room_of(queue: FairQueue, tenant: str) -> int:
    """How many runs a tenant gets in, one after the other."""
    count = 0
    while queue.has_room(tenant):
        queue.put(loaded(tenant, count))
        count += 1
    return count


def test_one_that_floods_leaves_room_to_those_who_come() -> None:
    queue = FairQueue(4_000, 8, TestClock())

    alone, late = room_of(queue, "a"), room_of(queue, "b")

    assert alone == pytest.approx(4_000 * 8 / 9, abs=1)
    assert late == pytest.approx((4_000 - alone) * 8 / 9, abs=1)
    assert queue.has_room("c") and queue.left == 4_000 - alone - late > 0
    assert queue.full() == ["a", "b"]


@pytest.mark.parametrize("room", [1, 2, 3, 8])
def test_a_small_room_is_used_up(room: int) -> None:
    assert room_of(FairQueue(room, 1, TestClock()), "a") == room


async def test_one_whose_runs_last_leaves_workers_to_those_who_come() -> None:
    queue = FairQueue(1_000, 18, TestClock())
    filled(queue, {"a": 100})
    workers = [asyncio.create_task(queue.get()) for _ in range(18)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    of_a = sum(each.done() for each in workers)

    queue.put(loaded("b"))
    busy, _ = await asyncio.wait(workers, timeout=0.1)

    assert of_a == 16
    assert Counter(each.result().run.tenant_id for each in busy) == {"a": 16, "b": 1}
    for each in busy:
        queue.done(each.result())
    rest, _ = await asyncio.wait(workers, timeout=1)
    assert len(rest) == 18, "what was kept back goes on as soon as there is room again"


@pytest.mark.parametrize("workers", [1, 2, 8])
async def test_few_workers_are_all_used(workers: int) -> None:
    queue = FairQueue(100, workers, TestClock())
    filled(queue, {"a": 20})

    busy = [await asyncio.wait_for(queue.get(), 1) for _ in range(workers)]

    assert len(busy) == workers


async def test_a_worker_that_leaves_takes_no_run_along() -> None:
    queue = FairQueue(100, 8, TestClock())
    leaves, stays = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)

    queue.put(loaded("a"))  # the one who waited longest is woken, and is cancelled before it looks
    leaves.cancel()

    assert (await asyncio.wait_for(stays, 1)).run.run_id == "a-0"
    assert leaves.cancelled()


async def test_the_longest_wait_is_that_of_the_oldest_of_all_tenants() -> None:
    clock = TestClock()
    queue = FairQueue(100, 8, clock)
    assert queue.longest == 0.0
    for tenant in "abc":
        queue.put(loaded(tenant))
        clock.advance(1.0)

    assert queue.longest == 3.0
    await taken(queue, 1)
    assert queue.longest == 2.0


@settings(max_examples=200, deadline=None)
@given(
    workers=st.integers(1, 30),
    moves=st.lists(st.tuples(st.sampled_from(["put", "put", "done", "leave"]), st.integers(0, 3)), max_size=120),
)
async def test_whatever_happens_no_run_is_lost_and_none_waits_beside_a_worker_it_may_have(
    workers: int, moves: Sequence[tuple[str, int]]
) -> None:
    queue = FairQueue(10_000, workers, TestClock())
    getting = {asyncio.create_task(queue.get()) for _ in range(workers)}
    busy: list[Loaded] = []
    put, seen = Counter[str](), Counter[str]()

    async def settle() -> None:
        for _ in range(2 * workers + 4):
            await asyncio.sleep(0)
        for each in [each for each in getting if each.done()]:
            getting.discard(each)
            found = each.result()
            busy.append(found)
            seen[found.run.tenant_id] += 1

    for move, number in moves:
        if move == "put":
            queue.put(loaded(f"t{number}"))
            put[f"t{number}"] += 1
        elif move == "done" and busy:
            queue.done(busy.pop(number % len(busy)))
            getting.add(asyncio.create_task(queue.get()))
        elif move == "leave" and getting:
            leaver = getting.pop()
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
            getting.add(asyncio.create_task(queue.get()))
        await settle()
        held = Counter(each.run.tenant_id for each in busy)
        free = workers - len(busy)
        waits = {tenant for tenant in put if put[tenant] > seen[tenant]}
        assert len(queue) == put.total() - seen.total()
        assert all(held[tenant] >= TIMES_WHAT_IS_FREE * free for tenant in waits)

    for each in getting:
        each.cancel()
    await asyncio.gather(*getting, return_exceptions=True)


class Lasting(Component):
    """Goes on when it is let."""

    async def receive(self, context: Context) -> None:
        await GATES[0].wait()


GATES: list[asyncio.Event] = []
LASTING = OwnComponent(Lasting)


async def test_a_tenant_whose_runs_last_holds_up_nobody_else(tmp_path: Path) -> None:
    GATES[:] = [asyncio.Event()]
    flows = HandedFlows()
    own = {"type": LASTING.type, "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": {}}
    flows.put("slow", {"hook": webhook(), "own": own})
    reply = node("http.Response", {"hook": "request"}, {"lambda": {"body": "ok", "statusCode": 200}, "modifiers": {}})
    flows.put("quick", {"hook": webhook(), "reply": reply})
    of_other = replace(flows.sources["quick"], tenant_id=OTHER)
    flows.sources["quick"] = flows._versions["quick", 1] = of_other

    async with platform(tmp_path, flows, own=[LASTING], workers=18, backlog=30) as here:
        slow = [(await here.send("slow", "hook", {"n": number}))[0] for number in range(100)]
        await _until_busy(here, 16)
        for _ in range(20):
            _, answer = await here.send("quick", "hook", {"n": 1}, wait=True)
            assert answer is not None and answer.status == 200
        busy = here.engine.active_count
        GATES[0].set()
        ends = [(await here.service.get_run(TENANT, each)).run.state for each in slow if await here.rest(each)]

    assert busy in (16, 17), "the last quick one may not have put its end on record yet"
    assert ends == [RunState.DONE] * 100


async def _until_busy(here: Platform, count: int) -> None:
    async with asyncio.timeout(10):
        while here.engine.active_count < count:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.01)


class Again(Component):
    """Fails in a way that passes, so that its runs wait to be tried again."""

    async def receive(self, context: Context) -> None:
        raise ConnectionError("Not yet.")


async def test_what_is_due_and_has_to_stay_is_not_asked_for_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows, again = HandedFlows(), OwnComponent(Again)
    own = {"type": again.type, "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": {}}
    flows.put("slow", {"hook": webhook(), "own": own})

    async with platform(tmp_path, flows, own=[again], retry_first=timedelta(milliseconds=300)) as here:
        run_id, _ = await here.send("slow", "hook", {"n": 1})
        await here.until(run_id, RunState.WAITING)
        here.engine.hold()
        await asyncio.sleep(0.4)
        asked, next_due = 0, here.store.next_due

        async def counted() -> float | None:
            nonlocal asked
            asked += 1
            return await next_due()

        monkeypatch.setattr(here.store, "next_due", counted)
        await asyncio.sleep(1.0)
        still = (await here.service.get_run(TENANT, run_id)).run.state
        here.engine.resume()
        await here.rest(run_id)

    assert still is RunState.WAITING
    assert asked <= 20
