"""What every ExecutorStore promises of its counts: a commit counts once, and counts outlive the runs they are of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from headrace_core.errors import Unavailable
from headrace_executor.counting import CountQuery, DayCount
from headrace_executor.model import Inbound, RunState
from headrace_executor.store import ExecutorStore

from tests.contracts.execution_stores import ADAPTERS, ANN, BOB, ME, OTHER, adapter, adapter_twice, commit, new_run

MINE = CountQuery(ANN)


@pytest.fixture(params=ADAPTERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ExecutorStore]:
    async with adapter(request)(tmp_path) as opened:
        yield opened


@pytest.fixture(params=ADAPTERS)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[ExecutorStore, ExecutorStore]]:
    async with adapter_twice(request)(tmp_path) as opened:
        yield opened


async def test_nothing_was_counted_before_anything_was_committed(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)

    assert await store.count_messages(MINE) == []


async def test_a_commit_counts_with_what_it_writes_and_not_when_it_is_refused(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    first = commit("r", {"k": 1}, messages=(DayCount(7, 2, 20), DayCount(8, 1, 5)))

    written = await store.commit([first])
    again = await store.commit([first, commit("nobody", {"k": 1}, messages=(DayCount(7, 9, 9),))])

    assert (written, again) == ([True], [False, False])
    assert await store.count_messages(MINE) == [DayCount(7, 2, 20), DayCount(8, 1, 5)]


async def test_a_late_twin_counts_nothing(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    [taken] = await store.claim(OTHER, 2.0, 1)

    late = await store.commit([commit("r", {"k": 1}, messages=(DayCount(7, 1, 10),))])
    mine = await store.commit([commit(taken.run, {"k": 1}, messages=(DayCount(7, 1, 10),))])

    assert (late, mine) == ([False], [True])
    assert await store.count_messages(MINE) == [DayCount(7, 1, 10)]


async def test_counts_are_asked_for_by_tenant_flow_and_days(store: ExecutorStore) -> None:
    runs = [new_run("a"), new_run("b", flow_id="other"), new_run("c", tenant_id=BOB, flow_id="bobs")]
    await store.accept(runs, ME, 1.0)
    await store.commit(
        [
            commit("a", {"k": 1}, messages=(DayCount(7, 1, 10), DayCount(9, 1, 10))),
            commit("b", {"k": 1}, messages=(DayCount(7, 2, 20),)),
            commit("c", {"k": 1}, tenant_id=BOB, messages=(DayCount(7, 4, 40),)),
        ]
    )

    async def both() -> list[list[DayCount]]:
        return [
            await store.count_messages(query)
            for query in (
                MINE,
                CountQuery(ANN, "other"),
                CountQuery(ANN, "bobs"),
                CountQuery(None),
                CountQuery(ANN, first_day=8, last_day=9),
                CountQuery(ANN, first_day=8, last_day=8),
            )
        ]

    expected = [
        [DayCount(7, 3, 30), DayCount(9, 1, 10)],
        [DayCount(7, 2, 20)],
        [],
        [DayCount(7, 7, 70), DayCount(9, 1, 10)],
        [DayCount(9, 1, 10)],
        [],
    ]
    assert await both() == expected
    await store.commit([commit(name, None, tenant_id=owner, seq=1, state=RunState.DONE) for name, owner in _OWNERS])
    await store.purge(0.0, 10)  # no run is old enough to go
    assert await both() == expected


_OWNERS = (("a", ANN), ("b", ANN), ("c", BOB))


async def test_counts_stay_when_runs_are_purged_and_when_their_flow_is_forgotten(store: ExecutorStore) -> None:
    await store.accept([new_run("old"), new_run("open"), new_run("others", flow_id="other")], ME, 1.0)
    await store.commit(
        [
            commit("old", {"k": 1}, state=RunState.DONE, pending=0, messages=(DayCount(7, 1, 10),)),
            commit("open", {"k": 1}, messages=(DayCount(7, 2, 20),)),
            commit("others", {"k": 1}, messages=(DayCount(8, 4, 40),)),
        ]
    )

    purged = await store.purge(11.0, 10)
    await store.forget_flow(ANN, "flow")

    assert purged == 1
    assert await store.get(ANN, "old") is None and await store.get(ANN, "open") is None
    assert await store.count_messages(CountQuery(ANN, "flow")) == [DayCount(7, 3, 30)]
    assert await store.count_messages(MINE) == [DayCount(7, 3, 30), DayCount(8, 4, 40)]


async def test_a_run_that_goes_on_after_it_was_over_counts_on(store: ExecutorStore) -> None:
    await store.accept([new_run()], ME, 1.0)
    ended = commit("r", {"k": 1}, state=RunState.FAILED, pending=0, failed=1, messages=(DayCount(7, 1, 10),))
    await store.commit([ended])
    await store.purge(0.0, 10)
    await store.put_inbox(ANN, "r", Inbound(0, "retry", "m", b""), 20.0)
    [taken] = await store.claim(ME, 21.0, 1)

    await store.commit([commit(taken.run, {"k": 1}, state=RunState.DONE, pending=0, messages=(DayCount(9, 1, 12),))])

    assert await store.count_messages(MINE) == [DayCount(7, 1, 10), DayCount(9, 1, 12)]


async def test_the_counts_of_a_tenant_who_leaves_are_forgotten_and_nobody_elses(store: ExecutorStore) -> None:
    await store.accept([new_run("a"), new_run("b"), new_run("c", tenant_id=BOB)], ME, 1.0)
    await store.commit(
        [
            commit("a", {"k": 1}, state=RunState.DONE, pending=0, messages=(DayCount(7, 1, 10),)),
            commit("c", {"k": 1}, tenant_id=BOB, messages=(DayCount(7, 4, 40),)),
        ]
    )
    await store.purge(0.0, 10)
    await store.commit([commit("b", {"k": 1}, messages=(DayCount(7, 2, 20),))])

    await store.forget_counts(ANN)
    await store.forget_counts(ANN)

    assert await store.count_messages(MINE) == []
    assert await store.count_messages(CountQuery(None)) == [DayCount(7, 4, 40)]


async def test_two_who_commit_purge_forget_and_count_at_once_agree(
    stores: tuple[ExecutorStore, ExecutorStore],
) -> None:
    """What is read never falls and never runs ahead of what was committed; in the end it is exactly that."""
    random = Random(20261127)
    committed, begun = 0, 0
    seen: list[tuple[int, int, int]] = []

    async def writing(number: int) -> None:
        nonlocal committed, begun
        store = stores[number % 2]
        for at in range(6):
            name, flow_id = f"r{number}-{at}", f"flow{number % 3}"
            await store.accept([new_run(name, flow_id=flow_id)], ME, 1.0)
            messages = random.randint(1, 3)
            begun += messages
            first = commit(name, {"k": 1}, messages=(DayCount(7, messages, messages * 10),))
            [written] = await store.commit([first])
            committed += messages * written  # its flow may be forgotten by now
            await store.commit([commit(name, {"k": 2}, seq=1, state=RunState.DONE, pending=0)])

    async def tidying(number: int) -> None:
        for at in range(6):
            await stores[number % 2].purge(11.0, 5)
            await stores[number % 2].forget_flow(ANN, f"flow{at % 3}")

    async def reading() -> None:
        for _ in range(8):
            at_least = committed
            counted = sum(each.count for each in await asked(stores[0]))
            seen.append((at_least, counted, begun))

    await asyncio.gather(*(writing(number) for number in range(6)), tidying(0), tidying(1), reading())

    assert all(low <= counted <= high for low, counted, high in seen), seen
    for store in stores:
        assert await asked(store) == [DayCount(7, committed, committed * 10)]


async def asked(store: ExecutorStore) -> list[DayCount]:
    """The days of this tenant; a store that says to ask again, because others add up just now, is asked again."""
    for _ in range(20):
        with contextlib.suppress(Unavailable):
            return await store.count_messages(MINE)
        await asyncio.sleep(0.2)
    return await store.count_messages(MINE)
