"""What every QuotaStore promises."""

import heapq
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core import ids
from headrace_scheduler import pace
from headrace_scheduler.model import Caller, Window
from headrace_scheduler.store import QuotaStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.scheduler import scheduler_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite", "redis"])
async def quotas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[QuotaStore]:
    async with scheduler_store(request, tmp_path) as store:
        yield store.quotas


async def test_a_window_lets_so_many_through_and_says_exactly_when_there_is_room_again(quotas: QuotaStore) -> None:
    window = Window("w", 2, 10 * SECOND)
    assert await quotas.acquire([window], Caller("a"), NOW) is None
    assert await quotas.acquire([window], Caller("b"), NOW + 3 * SECOND) is None

    retry_at = await quotas.acquire([window], Caller("c"), NOW + 4 * SECOND)

    assert retry_at == NOW + 10 * SECOND
    assert await quotas.acquire([window], Caller("c"), retry_at - timedelta(microseconds=1)) == retry_at
    assert await quotas.acquire([window], Caller("c"), retry_at) is None


async def test_nothing_is_counted_unless_all_windows_have_room(quotas: QuotaStore) -> None:
    small, large = Window("small", 1, 10 * SECOND), Window("large", 2, 60 * SECOND)
    await quotas.acquire([small, large], Caller("a"), NOW)

    assert await quotas.acquire([small, large], Caller("b"), NOW + SECOND) == NOW + 10 * SECOND
    assert await quotas.acquire([large], Caller("c"), NOW + SECOND) is None
    assert await quotas.acquire([small, large], Caller("b"), NOW + 2 * SECOND) == NOW + 60 * SECOND


async def test_asking_again_for_one_request_counts_once(quotas: QuotaStore) -> None:
    window = Window("w", 2, 10 * SECOND)

    for _ in range(5):
        assert await quotas.acquire([window], Caller("a"), NOW) is None

    assert await quotas.acquire([window], Caller("b"), NOW) is None
    assert await quotas.acquire([window], Caller("c"), NOW) is not None


async def test_calls_without_a_request_always_count(quotas: QuotaStore) -> None:
    window = Window("w", 1, 10 * SECOND)
    await quotas.acquire([window], Caller(""), NOW)

    assert await quotas.acquire([window], Caller(""), NOW) == NOW + 10 * SECOND


async def test_purging_forgets_calls_that_left_their_window_and_no_other(quotas: QuotaStore) -> None:
    await quotas.acquire([Window("short", 1, SECOND), Window("long", 1, 60 * SECOND)], Caller("a"), NOW)

    assert await quotas.purge(NOW + SECOND) == 1
    assert await quotas.purge(NOW + SECOND) == 0
    assert await quotas.acquire([Window("long", 1, 60 * SECOND)], Caller("b"), NOW + SECOND) == NOW + 60 * SECOND


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pauses=st.lists(st.integers(0, 4), min_size=1, max_size=25),
    limit=st.integers(1, 4),
    length=st.integers(1, 8),
)
async def test_no_stretch_of_a_window_ever_holds_more_than_its_limit(
    quotas: QuotaStore, pauses: list[int], limit: int, length: int
) -> None:
    window = Window(ids.new_id(), limit, length * SECOND)
    now, granted = NOW, []
    for number, pause in enumerate(pauses):
        now += pause * SECOND
        retry_at = await quotas.acquire([window], Caller(f"r{number}"), now)
        if retry_at is None:
            granted.append(now)
        recent = [at for at in granted if at > now - window.length]
        assert len(recent) <= limit
        assert retry_at is None or retry_at > now


async def test_no_two_who_wait_are_told_the_same_turn(quotas: QuotaStore) -> None:
    window = Window("w", 2, SECOND)
    for name in ("a", "b"):
        assert await quotas.acquire([window], Caller(name), NOW) is None

    turns = [await quotas.acquire([window], Caller(f"waits {number}"), NOW + SECOND / 2) for number in range(4)]

    assert turns == [NOW + SECOND + number * window.step for number in range(4)]
    assert await quotas.acquire([window], Caller("waits 3"), NOW + SECOND * 0.6) == turns[3], "it stays the same"


async def test_a_turn_that_is_far_away_is_asked_for_before_and_may_have_come_nearer(quotas: QuotaStore) -> None:
    window = Window("w", 1, 10 * SECOND)
    await quotas.acquire([window], Caller("a"), NOW)
    told = [await quotas.acquire([window], Caller(name), NOW) for name in ("1st", "2nd")]
    assert told == [NOW + 10 * SECOND, NOW + 10 * SECOND + 0.75 * window.step]

    later = NOW + 17 * SECOND  # whoever was next did not come
    assert await quotas.acquire([window], Caller("2nd"), later) is None


async def test_who_comes_when_others_are_due_waits_for_them(quotas: QuotaStore) -> None:
    window = Window("w", 1, 10 * SECOND)
    await quotas.acquire([window], Caller("a"), NOW)
    turn = await quotas.acquire([window], Caller("b"), NOW)
    assert turn == NOW + 10 * SECOND

    late = await quotas.acquire([window], Caller("newcomer"), turn)

    assert late is not None and late > turn
    assert await quotas.acquire([window], Caller("b"), turn) is None


async def test_nobody_waits_for_long_for_somebody_who_does_not_come(quotas: QuotaStore) -> None:
    window = Window("w", 1, 10 * SECOND)
    await quotas.acquire([window], Caller("a"), NOW)
    turn = await quotas.acquire([window], Caller("stays away"), NOW)
    assert turn is not None

    assert await quotas.acquire([window], Caller("newcomer"), turn + 2 * SECOND) is None


async def test_nothing_is_let_through_before_a_window_opens(quotas: QuotaStore) -> None:
    opens = NOW + 30 * SECOND
    window = Window("w", 2, SECOND, opens)

    turns = [await quotas.acquire([window], Caller(str(number)), NOW) for number in range(3)]

    assert turns == [opens, opens + window.step, opens + 2 * window.step]
    assert await quotas.acquire([window], Caller("0"), opens) is None


@pytest.mark.parametrize("limit", [1, 10])
async def test_a_window_is_used_up_and_shared_fairly_by_those_who_come_late_to_their_turns(
    limit: int, quotas: QuotaStore
) -> None:
    """Two parties, of which the first has all its calls waiting when the second comes with as many."""
    calls, window = 60, Window(ids.new_id(), limit, limit * SECOND / 10)
    lateness = random.Random(7)
    asking = [(NOW, f"a {number}", "a") for number in range(calls)]
    asking += [(NOW + SECOND, f"b {number}", "b") for number in range(calls)]
    heapq.heapify(asking)
    granted: list[tuple[datetime, str]] = []
    asked: Counter[str] = Counter()
    while asking:
        now, request_id, party = heapq.heappop(asking)
        asked[request_id] += 1
        turn = await quotas.acquire([window], Caller(request_id, party), now)
        if turn is None:
            granted.append((now, party))
        else:
            heapq.heappush(asking, (turn + lateness.random() * SECOND / 20, request_id, party))

    length = (granted[-1][0] - NOW).total_seconds()
    both = [party for at, party in granted if NOW + 2 * SECOND < at < NOW + 7 * SECOND]
    assert len(granted) == 2 * calls
    assert length <= 1.3 * (2 * calls) / 10, f"{length} s"
    assert 0.6 <= both.count("b") / max(1, both.count("a")) <= 1.5, Counter(both)
    assert asked.total() <= 7 * len(asked), "few are told to come in vain"


async def test_a_pace_is_kept_where_it_is_still_what_was_read(quotas: QuotaStore) -> None:
    first = pace.refused(None, NOW, None, 12.0)
    second = pace.refused(first, NOW + 5 * SECOND, 3 * SECOND, 0.0)
    assert await quotas.pace("x") is None

    assert not await quotas.keep_pace("x", first, second)
    assert await quotas.keep_pace("x", None, first)
    assert not await quotas.keep_pace("x", None, second)
    assert await quotas.pace("x") == first
    assert await quotas.keep_pace("x", first, second)
    assert await quotas.pace("x") == second
