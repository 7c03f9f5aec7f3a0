"""The firing loop: never early, never missed, never twice for one nominal time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import hypothesis
import pytest
from headrace_core.clock import TestClock
from headrace_core.schedules import Interval, MisfirePolicy, Once
from headrace_scheduler import model
from headrace_scheduler.firing import Firing
from headrace_scheduler.model import Timer
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.store import Store
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.contracts.scheduler import scheduler_store
from tests.scheduler.sink import Sink

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = SchedulerSettings().lease


@pytest.fixture(params=["sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with scheduler_store(request, tmp_path) as store:
        yield store


@pytest.fixture
def clock() -> TestClock:
    return TestClock(NOW)


@pytest.fixture
def sink(clock: TestClock) -> Sink:
    return Sink(clock)


@pytest.fixture
def firing(store: Store, sink: Sink, clock: TestClock) -> Firing:
    return Firing(store.timers, sink, clock=clock, settings=SchedulerSettings())


def every(seconds: int, name: str = "t", misfire: MisfirePolicy = "fire_once", *, immediate: bool = False) -> Timer:
    return Timer(
        timer_id=name,
        group_id="flow",
        tenant_id="tenant",
        schedule=Interval(seconds * SECOND, NOW),
        misfire=misfire,
        flow_id="flow",
        node_id="node",
        port="tick",
        immediate=immediate,
    )


def once(name: str, at: datetime) -> Timer:
    return Timer(name, "run", "tenant", Once(at), run_id=f"run of {name}")


async def fire_all_due(firing: Firing) -> None:
    while await firing.fire_due():
        pass


async def test_a_fire_names_its_neighbours(store: Store, firing: Firing, sink: Sink, clock: TestClock) -> None:
    await store.timers.put([every(10, immediate=True)], NOW)

    for _ in range(3):
        await fire_all_due(firing)
        clock.advance(10)

    fires = list(sink.recorded.values())
    assert [fire.nominal_at for fire in fires] == [NOW, NOW + 10 * SECOND, NOW + 20 * SECOND]
    assert [fire.previous_at for fire in fires] == [None, NOW, NOW + 10 * SECOND]
    assert [fire.next_at for fire in fires] == [NOW + 10 * SECOND, NOW + 20 * SECOND, NOW + 30 * SECOND]


async def test_while_the_executor_is_away_timers_are_late_and_not_missed(
    store: Store, firing: Firing, sink: Sink, clock: TestClock
) -> None:
    await store.timers.put([once("a", NOW), every(10, misfire="fire_all")], NOW)
    sink.is_away = True
    for _ in range(10):
        await fire_all_due(firing)
        clock.advance(10)

    sink.is_away = False
    await fire_all_due(firing)

    assert sink.order[:2] in ([("a", NOW), ("t", NOW + 10 * SECOND)], [("t", NOW + 10 * SECOND), ("a", NOW)])
    assert [at for name, at in sink.order if name == "t"] == [NOW + n * 10 * SECOND for n in range(1, 11)]


async def test_a_lost_answer_is_asked_for_again_with_the_same_nominal_time(
    store: Store, firing: Firing, sink: Sink, clock: TestClock
) -> None:
    await store.timers.put([every(10)], NOW)
    clock.advance(10)
    sink.answers_get_lost = True
    await firing.fire_due()

    sink.answers_get_lost = False
    clock.advance(25)
    await fire_all_due(firing)

    assert [at for _, at in sink.order] == [NOW + 10 * SECOND, NOW + 30 * SECOND]
    assert sink.sent == 3


async def test_what_is_gone_is_removed_and_what_is_refused_is_tried_again(
    store: Store, firing: Firing, sink: Sink, clock: TestClock
) -> None:
    await store.timers.put([once("gone", NOW), once("refused", NOW), once("fine", NOW)], NOW)
    sink.gone, sink.refuses = {"gone"}, {"refused"}
    await fire_all_due(firing)

    left = await store.timers.list(group_id="", after_timer_id="", limit=10)
    sink.refuses = set()
    clock.advance(1)
    await fire_all_due(firing)

    assert [kept.timer.timer_id for kept in left] == ["refused"]
    assert [name for name, _ in sink.order] == ["fine", "refused"]


async def test_one_fire_at_which_the_executor_fails_does_not_hold_up_the_others(
    store: Store, firing: Firing, sink: Sink
) -> None:
    await store.timers.put([once(f"t{number}", NOW) for number in range(20)], NOW)
    sink.fails_at = {"t7"}

    await fire_all_due(firing)

    assert {name for name, _ in sink.order} == {f"t{number}" for number in range(20)} - {"t7"}


async def test_the_loop_sleeps_until_something_is_due_or_it_is_woken(
    store: Store, firing: Firing, sink: Sink, clock: TestClock
) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(firing.run())
        await store.timers.put([once("woken", NOW)], NOW)
        firing.wake()
        await until(lambda: len(sink.recorded) == 1, clock, step=0)
        await store.timers.put([once("due", NOW + 90 * SECOND)], NOW)
        await until(lambda: len(sink.recorded) == 2, clock, step=0.5)
        firing.stop()

    assert clock.now() >= NOW + 90 * SECOND


async def test_stopping_ends_the_loop_after_what_is_under_way(store: Store, firing: Firing, sink: Sink) -> None:
    await store.timers.put([once("a", NOW)], NOW)

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(firing.run())
        await until(lambda: sink.sent > 0, TestClock(NOW), step=0)
        firing.stop()

    assert await store.timers.list(group_id="", after_timer_id="", limit=10) == []


async def until(holds: Callable[[], bool], clock: TestClock, *, step: float) -> None:
    """Let time pass in steps, and the database's threads work in between, until it holds."""
    while not holds():
        clock.advance(step)
        await asyncio.to_thread(int)


Act = Literal["fire", "die after claiming", "die after sending", "lose", "away"]
ACTS: list[Act] = ["fire", "die after claiming", "die after sending", "lose", "away"]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@hypothesis.settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(ACTS), st.integers(0, 9)), min_size=1, max_size=20
    ),
    batch=st.integers(1, 4),
)
async def test_of_two_schedulers_that_may_die_at_any_moment_no_timer_fires_twice_and_none_is_missed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    steps: list[tuple[str, Act, int]],
    batch: int,
) -> None:
    clock = TestClock(NOW)
    sink = Sink(clock)
    async with scheduler_store(request, tmp_path_factory.mktemp("twins"), kind) as store:
        timers = [every(3, "all", "fire_all"), every(4, "latest", "fire_once")]
        timers += [once(f"once{number}", NOW + number * SECOND) for number in range(6)]
        await store.timers.put(timers, NOW)
        twins = {
            name: Firing(store.timers, sink, clock=clock, settings=SchedulerSettings(batch=batch)) for name in "ab"
        }

        for name, act, pause in steps:
            clock.advance(pause)
            sink.is_away, sink.answers_get_lost = act == "away", act == "lose"
            if act == "die after claiming":
                await store.timers.claim_due(f"dead {name}", clock.now(), LEASE, batch)
                continue
            if act == "die after sending":
                claims = await store.timers.claim_due(f"dead {name}", clock.now(), LEASE, batch)
                await sink.fire([model.fire_of(claim) for claim in claims.claims], LEASE)
                continue
            await twins[name].fire_due()
        sink.is_away = sink.answers_get_lost = False
        clock.advance(LEASE + 120 * SECOND)
        ended = clock.now()
        for twin in (*twins.values(), *twins.values()):
            await fire_all_due(twin)

    fired = {name: [at for each, at in sink.order if each == name] for name in [t.timer_id for t in timers]}
    whole = [NOW + n * 3 * SECOND for n in range(1, (ended - NOW) // (3 * SECOND) + 1)]
    assert fired["all"] == whole, "every time once, in order"
    assert fired["latest"] == sorted(set(fired["latest"]))
    assert fired["latest"][-1] == NOW + (ended - NOW) // (4 * SECOND) * 4 * SECOND
    for number in range(6):
        assert fired[f"once{number}"] == [NOW + number * SECOND]


class JumpingClock(TestClock):
    """A clock whose wall can be set while its monotonic time goes on."""

    offset = timedelta()

    def now(self) -> datetime:
        return super().now() + self.offset


async def test_setting_the_clock_back_and_forth_fires_no_nominal_time_twice(store: Store) -> None:
    clock = JumpingClock(NOW)
    sink = Sink(clock)
    twins = [Firing(store.timers, sink, clock=clock, settings=SchedulerSettings()) for _ in range(2)]
    await store.timers.put([every(60)], NOW)

    for turn, hours in enumerate([0, 2, -0.5, 0, 3, 3, 3]):
        clock.offset = timedelta(hours=hours)
        clock.advance(61)
        await fire_all_due(twins[turn % 2])

    assert [at for _, at in sink.order] == sorted({at for _, at in sink.order})
    assert sink.sent == len(sink.order)
