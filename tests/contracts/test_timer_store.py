"""What every TimerStore promises."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import Conflict
from headrace_core.schedules import Interval, Once, Schedule
from headrace_scheduler.model import Claim, KeptTimer, Retry, Settlement, Timer
from headrace_scheduler.store import TimerStore

from tests.contracts.scheduler import scheduler_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=5)


@pytest.fixture(params=["sqlite", "redis"])
async def timers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TimerStore]:
    async with scheduler_store(request, tmp_path) as store:
        yield store.timers


def every_minute(name: str = "t", **changes: object) -> Timer:
    plain = Timer(name, "flow", "tenant", Interval(MINUTE, NOW), flow_id="flow", node_id="node", port="tick")
    return replace(plain, **changes)  # type: ignore[arg-type]  # each test names fields of Timer


def wake_up(name: str, at: datetime) -> Timer:
    return Timer(name, "run", "tenant", Once(at), run_id="run")


async def claim(timers: TimerStore, now: datetime, owner: str = "me", limit: int = 100) -> list[Claim]:
    return list((await timers.claim_due(owner, now, LEASE, limit)).claims)


async def listed(timers: TimerStore) -> list[KeptTimer]:
    return await timers.list(group_id="", after_timer_id="", limit=100)


async def test_an_equal_timer_keeps_its_next_time(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)

    again = await timers.put([every_minute(node_id="other")], NOW + timedelta(seconds=90))

    assert again[0].next_at == NOW + MINUTE
    assert (await listed(timers))[0].timer.node_id == "other"


async def test_a_changed_schedule_begins_anew_and_voids_the_claim(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)
    old = await claim(timers, NOW + MINUTE)
    hourly: Schedule = Interval(timedelta(hours=1), NOW)

    kept = await timers.put([every_minute(schedule=hourly)], NOW + MINUTE)

    assert kept[0].next_at == NOW + timedelta(hours=1)
    assert await timers.settle([Settlement(old[0], NOW + 2 * MINUTE)]) == 0
    assert (await listed(timers))[0].next_at == NOW + timedelta(hours=1)


async def test_an_immediate_timer_is_due_when_it_is_new_and_not_when_it_is_put_again(timers: TimerStore) -> None:
    await timers.put([every_minute(immediate=True)], NOW)
    first = await claim(timers, NOW)
    await timers.settle([Settlement(first[0], NOW + MINUTE)])

    await timers.put([every_minute(immediate=True)], NOW + timedelta(seconds=1))

    assert first[0].nominal_at == NOW
    assert await claim(timers, NOW + timedelta(seconds=1)) == []


async def test_a_time_that_has_passed_when_it_is_put_is_due_at_once(timers: TimerStore) -> None:
    await timers.put([wake_up("late", NOW - MINUTE)], NOW)

    assert [each.nominal_at for each in await claim(timers, NOW)] == [NOW - MINUTE]


async def test_an_id_of_another_tenant_is_refused_and_nothing_is_kept(timers: TimerStore) -> None:
    await timers.put([every_minute("a")], NOW)

    with pytest.raises(Conflict):
        await timers.put([every_minute("b"), every_minute("a", tenant_id="other")], NOW)

    assert [kept.timer.timer_id for kept in await listed(timers)] == ["a"]


async def test_nothing_is_claimed_before_its_time(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)

    assert await claim(timers, NOW + MINUTE - timedelta(microseconds=1)) == []
    assert len(await claim(timers, NOW + MINUTE)) == 1


async def test_two_owners_never_hold_one_timer(timers: TimerStore) -> None:
    await timers.put([wake_up(f"t{number:02}", NOW) for number in range(50)], NOW)

    rounds = await asyncio.gather(*(claim(timers, NOW, owner, 7) for owner in ("a", "b") for _ in range(5)))

    held = [each.kept.timer.timer_id for claims in rounds for each in claims]
    assert len(held) == len(set(held)) == 50


async def test_a_claim_that_ran_out_goes_to_the_next_owner_with_the_same_nominal_time(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)
    dead = await claim(timers, NOW + MINUTE, "dead")

    early = await claim(timers, NOW + MINUTE + LEASE - timedelta(microseconds=1), "heir")
    heir = await claim(timers, NOW + 10 * MINUTE, "heir")

    assert early == []
    assert heir[0].nominal_at == dead[0].nominal_at
    assert await timers.settle([Settlement(dead[0], NOW + 2 * MINUTE)]) == 0
    assert await timers.settle([Settlement(heir[0], NOW + 2 * MINUTE)]) == 1


async def test_a_late_settlement_of_the_same_owner_does_not_settle_its_later_claim(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)
    old = await claim(timers, NOW + MINUTE)
    await timers.remove(timer_ids=["t"])
    await timers.put([every_minute()], NOW)
    await claim(timers, NOW + MINUTE)

    assert await timers.settle([Settlement(old[0], NOW + 5 * MINUTE)]) == 0
    assert await timers.drop([old[0]]) == 0
    assert await timers.release([Retry(old[0], NOW)]) == 0


async def test_a_claim_from_before_the_clock_was_set_back_is_void(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)
    await claim(timers, NOW + timedelta(hours=9), "dead")

    assert await timers.next_due(NOW + MINUTE) == NOW + MINUTE
    assert len(await claim(timers, NOW + MINUTE, "heir")) == 1


async def test_a_settled_timer_is_due_at_its_next_time(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)
    claims = await claim(timers, NOW + MINUTE)

    await timers.settle([Settlement(claims[0], NOW + 2 * MINUTE)])

    assert await timers.next_due(NOW) == NOW + 2 * MINUTE
    again = await claim(timers, NOW + 2 * MINUTE)
    assert (again[0].nominal_at, again[0].kept.previous_at) == (NOW + 2 * MINUTE, NOW + MINUTE)


async def test_a_released_timer_waits_until_its_retry_and_counts_attempts(timers: TimerStore) -> None:
    await timers.put([every_minute()], NOW)
    claims = await claim(timers, NOW + MINUTE)

    await timers.release([Retry(claims[0], NOW + 2 * MINUTE)])

    assert await claim(timers, NOW + MINUTE) == []
    again = await claim(timers, NOW + 3 * MINUTE)
    assert (again[0].nominal_at, again[0].attempts) == (NOW + MINUTE, 1)


async def test_a_run_timer_that_ended_is_forgotten_and_a_flow_timer_is_kept_so_that_it_does_not_fire_again(
    timers: TimerStore,
) -> None:
    ended = every_minute("flow", schedule=Once(NOW))
    await timers.put([ended, wake_up("run", NOW)], NOW)

    await timers.settle([Settlement(each, None) for each in await claim(timers, NOW)])
    await timers.put([ended], NOW)

    assert [(kept.timer.timer_id, kept.next_at) for kept in await listed(timers)] == [("flow", None)]
    assert await timers.next_due(NOW) is None


async def test_what_skip_passes_over_is_not_claimed(timers: TimerStore) -> None:
    await timers.put([every_minute(misfire="skip", schedule=Interval(timedelta(hours=1), NOW))], NOW)

    assert await claim(timers, NOW + timedelta(hours=1, minutes=30)) == []
    assert await timers.next_due(NOW) == NOW + timedelta(hours=2)


async def test_timers_are_removed_by_id_and_by_group_and_removing_them_again_changes_nothing(
    timers: TimerStore,
) -> None:
    await timers.put([every_minute("a"), every_minute("b", group_id="g"), every_minute("c", group_id="g")], NOW)

    assert await timers.remove(timer_ids=["a", "nobody"], group_ids=["g"]) == 3
    assert await timers.remove(timer_ids=["a"], group_ids=["g"]) == 0


async def test_pages_go_by_id_within_a_group(timers: TimerStore) -> None:
    await timers.put([every_minute(name, group_id="g") for name in "cab"] + [every_minute("aa")], NOW)

    page = await timers.list(group_id="g", after_timer_id="a", limit=2)

    assert [kept.timer.timer_id for kept in page] == ["b", "c"]
