"""Time is a port; tests own it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from headrace_core.clock import Clock, SystemClock, TestClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_system_clock_tells_utc_and_never_runs_back() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()

    await clock.sleep(-1)

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() >= before


async def test_sleepers_wake_in_the_order_they_are_due_then_as_they_came() -> None:
    clock = TestClock(START)
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 3), ("first", 1), ("second", 1), ("never due", 0)):
            tasks.create_task(sleeper(name, seconds))
        await clock.elapse(0)
        assert (woken, clock.sleepers) == (["never due"], 3)

        clock.advance(10)

    assert woken == ["never due", "first", "second", "late"]
    assert clock.now() == START + timedelta(seconds=10)


async def test_a_loop_ticks_as_often_as_time_passes() -> None:
    clock = TestClock(START)
    ticks: list[float] = []

    async def loop() -> None:
        for _ in range(5):
            await clock.sleep(2)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(loop())
    await clock.elapse(timedelta(seconds=7))
    assert ticks == [2, 4, 6]

    await clock.elapse(3)
    await task
    assert clock.now() == START + timedelta(seconds=10)


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = TestClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.elapse(0)

    task.cancel()
    await clock.elapse(0)

    assert clock.sleepers == 0
    clock.advance(10)


def test_time_does_not_go_back_and_has_a_zone() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        TestClock().advance(-1)
    with pytest.raises(ValueError, match="aware"):
        TestClock(datetime(2026, 1, 1))
