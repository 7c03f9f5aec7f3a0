"""Of all processes one moves a flow at a time; who dies or freezes with a turn loses it."""

import asyncio
from datetime import timedelta

import pytest
from headrace_core.clock import TestClock
from headrace_core.errors import Unavailable
from headrace_flow_manager.flows.model import Turn
from headrace_flow_manager.flows.turns import LEASE, Turns
from headrace_flow_manager.stores.process_turns import ProcessTurns

NOT_AT_ALL = timedelta()


class Reachable(ProcessTurns):
    """Turns that a process can be cut off from."""

    is_away = False

    async def renew(self, flow_id: str, holder: str) -> bool:
        if self.is_away:
            raise Unavailable("away")
        return await super().renew(flow_id, holder)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


async def elapse(clock: TestClock, seconds: float) -> None:
    """Let time pass in steps, as it does, so that beats are made."""
    for _ in range(int(seconds)):
        await clock.elapse(1)


async def test_two_processes_take_turns(clock: TestClock) -> None:
    store = ProcessTurns()
    one, two = Turns(store, clock), Turns(store, clock)
    order: list[str] = []

    async def work(turns: Turns, name: str) -> None:
        async with turns.hold("f", LEASE):
            order.append(f"{name} begins")
            await clock.sleep(1)
            order.append(f"{name} ends")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work(one, "one"))
        tasks.create_task(work(two, "two"))
        await elapse(clock, 5)

    assert order == ["one begins", "one ends", "two begins", "two ends"]


async def test_a_turn_lasts_as_long_as_its_work(clock: TestClock) -> None:
    store = ProcessTurns()
    one, two = Turns(store, clock), Turns(store, clock)
    told: list[bool] = []

    async with one.hold("f", NOT_AT_ALL):
        for _ in range(6):
            async with two.hold_if_free("f") as is_free:
                told.append(is_free)
            await elapse(clock, LEASE.total_seconds())
    async with two.hold_if_free("f") as is_free:
        told.append(is_free)

    assert told == [False] * 6 + [True]


async def test_who_waits_longer_than_is_bearable_is_told_to_come_again(clock: TestClock) -> None:
    store = ProcessTurns()
    one, two = Turns(store, clock), Turns(store, clock)

    async with one.hold("f", NOT_AT_ALL):
        with pytest.raises(Unavailable, match="started or stopped"):
            async with two.hold("f", NOT_AT_ALL):
                raise AssertionError("two at once")
        async with two.hold("other", NOT_AT_ALL):
            pass


async def test_the_turn_of_a_process_that_died_is_taken_over_when_it_has_not_moved_for_a_lease(
    clock: TestClock,
) -> None:
    store = ProcessTurns()
    await store.take("f", Turn("dead"), None)
    turns = Turns(store, clock)
    told: list[bool] = []

    for wait in (LEASE.total_seconds() - 1, 1, 0):
        async with turns.hold_if_free("f") as is_free:
            told.append(is_free)
        await elapse(clock, wait)

    assert told == [False, False, True]
    assert await store.renew("f", "dead") is False


async def test_who_is_cut_off_stops_before_anybody_may_take_over(clock: TestClock) -> None:
    store = Reachable()
    one, two = Turns(store, clock), Turns(ProcessTurns(), clock)
    ended: list[float] = []

    async def work() -> None:
        try:
            async with one.hold("f", NOT_AT_ALL):
                await asyncio.Event().wait()
        except Unavailable:
            ended.append(clock.monotonic())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work())
        store.is_away = True
        await elapse(clock, LEASE.total_seconds())

    assert two is not one
    assert ended and ended[0] < LEASE.total_seconds()


async def test_the_work_of_a_process_that_was_frozen_is_cancelled_when_it_wakes(clock: TestClock) -> None:
    store = ProcessTurns()
    turns = Turns(store, clock)
    (asleep, done) = asyncio.Event(), False

    async def work() -> None:
        nonlocal done
        async with turns.hold("f", NOT_AT_ALL):
            asleep.set()
            await clock.sleep(3600)
            done = True

    task = asyncio.create_task(work())
    await asleep.wait()
    (standing,) = [await store.take("f", Turn("two"), None)]
    assert await store.take("f", Turn("two"), standing) is None

    await elapse(clock, LEASE.total_seconds())

    with pytest.raises(Unavailable, match="lost"):
        await task
    assert not done and await store.renew("f", "two")
