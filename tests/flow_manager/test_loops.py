"""Loops work at once, then in their time or when they are woken, and survive what may happen."""

import asyncio
from datetime import timedelta

import pytest
from headrace_core.clock import TestClock
from headrace_core.errors import Unavailable
from headrace_flow_manager.locks import KeyedLocks
from headrace_flow_manager.loops import Loop, Loops


class Work:
    """Counts its rounds; says that more is waiting, or fails, as it is told."""

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.rounds = 0
        self._outcomes = list(outcomes)

    async def __call__(self) -> bool:
        self.rounds += 1
        outcome = self._outcomes.pop(0) if self._outcomes else False
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def loops_of(work: Work, clock: TestClock, wake: asyncio.Event | None = None) -> Loops:
    return Loops([Loop("work", work, timedelta(seconds=10), wake or asyncio.Event())], clock)


async def test_a_loop_works_at_once_and_then_in_its_time() -> None:
    work, clock = Work(), TestClock()
    loops = loops_of(work, clock)
    counts = []

    async with asyncio.TaskGroup() as tasks:
        loops.start(tasks)
        loops.start(tasks)
        for seconds in (0, 9, 1, 10):
            await clock.elapse(seconds)
            counts.append(work.rounds)
        loops.stop()

    assert counts == [1, 1, 2, 3]


async def test_more_work_follows_at_once_and_waking_does_not_wait() -> None:
    work, clock, wake = Work(True, True), TestClock(), asyncio.Event()
    loops = loops_of(work, clock, wake)

    async with asyncio.TaskGroup() as tasks:
        loops.start(tasks)
        await clock.elapse(0)
        at_once = work.rounds
        wake.set()
        await clock.elapse(0)
        loops.stop()

    assert (at_once, work.rounds) == (3, 4)


async def test_a_failure_that_was_to_be_expected_ends_no_loop() -> None:
    work, clock = Work(Unavailable("away")), TestClock()
    loops = loops_of(work, clock)

    async with asyncio.TaskGroup() as tasks:
        loops.start(tasks)
        await clock.elapse(10)
        loops.stop()

    assert work.rounds == 2


async def test_a_mistake_of_ours_is_not_hidden() -> None:
    loops = loops_of(Work(ZeroDivisionError()), TestClock())

    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.TaskGroup() as tasks:
            loops.start(tasks)
            await asyncio.Event().wait()

    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)


async def test_keys_are_held_one_at_a_time_and_forgotten() -> None:
    locks, inside, most = KeyedLocks(), 0, 0

    async def hold(key: str) -> None:
        nonlocal inside, most
        async with locks.hold(key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(hold("one") for _ in range(5)))
    alone = most
    await asyncio.gather(*(hold(key) for key in "ab"))

    assert (alone, most, len(locks)) == (1, 2, 0)
