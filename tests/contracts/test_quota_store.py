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
from headrace_scheduler.model import Caller, Turn, Window
from headrace_scheduler.store import QuotaStore
from headrace_scheduler.stores.turns import LATE, LEAD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.scheduler import scheduler_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


async def ask(quotas: QuotaStore, windows: list[Window], caller: Caller, now: datetime) -> datetime | None:
    """None when the call may begin at once; else when to ask again, or when it begins."""
    turn = await quotas.acquire(windows, caller, now)
    assert turn.at >= now
    return None if turn == Turn(now, True) else turn.at


@pytest.fixture(params=["sqlite", "redis"])
async def quotas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[QuotaStore]:
    async with scheduler_store(request, tmp_path) as store:
        yield store.quotas


async def test_a_window_lets_so_many_through_and_says_exactly_when_there_is_room_again(quotas: QuotaStore) -> None:
    window = Window("w", 2, 10 * SECOND)
    assert await ask(quotas, [window], Caller("a"), NOW) is None
    assert await ask(quotas, [window], Caller("b"), NOW + 3 * SECOND) is None

    comes_at = await ask(quotas, [window], Caller("c"), NOW + 4 * SECOND)

    assert comes_at == NOW + 10 * SECOND - LEAD * MICROSECOND
    assert await quotas.acquire([window], Caller("c"), comes_at) == Turn(NOW + 10 * SECOND, True), "it is reserved"
    assert await ask(quotas, [window], Caller("c"), NOW + 10 * SECOND) is None


async def test_nothing_is_counted_unless_all_windows_have_room(quotas: QuotaStore) -> None:
    small, large = Window("small", 1, 10 * SECOND), Window("large", 2, 60 * SECOND)
    await ask(quotas, [small, large], Caller("a"), NOW)

    assert await ask(quotas, [small, large], Caller(""), NOW + SECOND) == NOW + 10 * SECOND
    assert await ask(quotas, [large], Caller("c"), NOW + SECOND) is None
    assert await ask(quotas, [small, large], Caller(""), NOW + 2 * SECOND) == NOW + 60 * SECOND


async def test_asking_again_for_one_request_counts_once(quotas: QuotaStore) -> None:
    window = Window("w", 2, 10 * SECOND)

    for _ in range(5):
        assert await ask(quotas, [window], Caller("a"), NOW) is None

    assert await ask(quotas, [window], Caller("b"), NOW) is None
    assert await ask(quotas, [window], Caller("c"), NOW) is not None


async def test_calls_without_a_request_always_count(quotas: QuotaStore) -> None:
    window = Window("w", 1, 10 * SECOND)
    await ask(quotas, [window], Caller(""), NOW)

    assert await ask(quotas, [window], Caller(""), NOW) == NOW + 10 * SECOND


async def test_purging_forgets_calls_that_left_their_window_and_no_other(quotas: QuotaStore) -> None:
    await ask(quotas, [Window("short", 1, SECOND), Window("long", 1, 60 * SECOND)], Caller("a"), NOW)

    assert await quotas.purge(NOW + SECOND) == 1
    assert await quotas.purge(NOW + SECOND) == 0
    assert await ask(quotas, [Window("long", 1, 60 * SECOND)], Caller(""), NOW + SECOND) == NOW + 60 * SECOND


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pauses=st.lists(st.floats(0, 4), min_size=1, max_size=25),
    limit=st.integers(1, 4),
    length=st.integers(1, 8),
    parties=st.integers(1, 3),
)
async def test_no_stretch_of_a_window_ever_holds_more_than_its_limit(
    quotas: QuotaStore, pauses: list[float], limit: int, length: int, parties: int
) -> None:
    window = Window(ids.new_id(), limit, length * SECOND)
    now, granted = NOW, []
    for number, pause in enumerate(pauses):
        now += pause * SECOND
        turn = await quotas.acquire([window], Caller(f"r{number}", str(number % parties)), now)
        assert turn.is_granted or turn.at > now
        granted += [turn.at] if turn.is_granted else []

    for begins in granted:
        assert sum(begins <= at < begins + window.length for at in granted) <= limit


async def test_calls_that_come_soon_are_reserved_and_spread_and_the_others_are_told_when_to_ask(
    quotas: QuotaStore,
) -> None:
    window = Window("w", 2, SECOND)
    for name in ("a", "b"):
        assert await ask(quotas, [window], Caller(name), NOW) is None

    turns = [await quotas.acquire([window], Caller(f"waits {number}"), NOW + SECOND / 2) for number in range(6)]

    assert turns[:4] == [Turn(NOW + (2 + number) * SECOND / 2, True) for number in range(4)]
    lead = LEAD * MICROSECOND
    assert turns[4:] == [Turn(NOW + (6 + number) * SECOND / 2 - lead, False) for number in range(2)]
    again = await quotas.acquire([window], Caller("waits 1"), NOW + SECOND * 0.6)
    assert again == turns[1], "it stays the same"


async def test_a_call_that_comes_too_late_for_its_moment_is_moved_to_another(quotas: QuotaStore) -> None:
    window = Window("w", 1, SECOND)
    late = LATE * MICROSECOND
    assert await ask(quotas, [window], Caller("a"), NOW) is None
    assert await ask(quotas, [window], Caller("b"), NOW) == NOW + SECOND

    assert await ask(quotas, [window], Caller("b"), NOW + SECOND + late) is None
    assert await ask(quotas, [window], Caller(""), NOW + SECOND + late) == NOW + 2 * SECOND
    assert await ask(quotas, [window], Caller("b"), NOW + SECOND + 2 * late) is None
    assert await ask(quotas, [window], Caller(""), NOW + SECOND + 2 * late) == NOW + 2 * SECOND + 2 * late


async def test_a_turn_that_is_far_away_is_asked_for_before_and_may_have_come_nearer(quotas: QuotaStore) -> None:
    window, lead = Window("w", 1, 10 * SECOND), LEAD * MICROSECOND
    await ask(quotas, [window], Caller("a"), NOW)
    told = [await ask(quotas, [window], Caller(name), NOW) for name in ("1st", "2nd")]
    assert told == [NOW + 10 * SECOND - lead, NOW + 10 * SECOND + 0.75 * window.step - lead]

    later = NOW + 17 * SECOND  # whoever was next did not come
    assert await ask(quotas, [window], Caller("2nd"), later) is None


async def test_who_comes_when_others_are_due_waits_for_them(quotas: QuotaStore) -> None:
    window, turn = Window("w", 1, 10 * SECOND), NOW + 10 * SECOND
    await ask(quotas, [window], Caller("a"), NOW)
    await ask(quotas, [window], Caller("b"), NOW)

    late = await ask(quotas, [window], Caller("newcomer"), turn)

    assert late is not None and late > turn + SECOND
    assert await ask(quotas, [window], Caller("b"), turn) is None


async def test_nobody_waits_for_long_for_somebody_who_does_not_come(quotas: QuotaStore) -> None:
    window = Window("w", 1, 10 * SECOND)
    await ask(quotas, [window], Caller("a"), NOW)
    await ask(quotas, [window], Caller("stays away"), NOW)

    assert await ask(quotas, [window], Caller("newcomer"), NOW + 12 * SECOND) is None


async def test_nothing_is_let_through_before_a_window_opens(quotas: QuotaStore) -> None:
    opens = NOW + SECOND / 2
    window = Window("w", 2, SECOND)
    assert await ask(quotas, [window], Caller("before"), NOW) is None

    paused = Window("w", 2, SECOND, opens)
    turns = [await quotas.acquire([paused], Caller(str(number)), NOW) for number in range(2)]

    assert turns == [Turn(opens, True), Turn(opens + window.step, True)]
    moved = await quotas.acquire([paused], Caller("before"), NOW)
    assert moved.at > opens, "what was granted before the pause was asked for comes after it"


async def test_after_a_pause_calls_are_spread_by_the_windows_that_were_not_paused(quotas: QuotaStore) -> None:
    rule, opens = Window("rule", 2, SECOND), NOW + 1.8 * SECOND
    for number in range(4):
        assert (await quotas.acquire([rule], Caller(str(number)), NOW)).is_granted

    paused = [rule, Window("pause", 100, SECOND, opens)]
    turns = [await quotas.acquire(paused, Caller(str(number)), NOW + SECOND / 10) for number in (2, 3)]

    assert [turn.is_granted for turn in turns] == [True, False]
    assert turns[0].at >= opens
    later = [await quotas.acquire(paused, Caller(str(number)), NOW + 1.5 * SECOND) for number in (2, 3)]
    assert later[0] == turns[0]
    assert later[1].is_granted and later[1].at >= turns[0].at + rule.step


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
        if turn.is_granted:
            granted.append((turn.at, party))
        else:
            heapq.heappush(asking, (turn.at + lateness.random() * SECOND / 5, request_id, party))

    granted.sort()
    length = (granted[-1][0] - NOW).total_seconds()
    both = [party for at, party in granted if NOW + 3 * SECOND < at < NOW + 9 * SECOND]
    assert len(granted) == 2 * calls
    assert length <= 1.1 * (2 * calls) / 10, f"{length} s"
    assert 0.6 <= both.count("b") / max(1, both.count("a")) <= 1.5, Counter(both)
    assert asked.total() <= 5 * len(asked), "few are told to come in vain"


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
