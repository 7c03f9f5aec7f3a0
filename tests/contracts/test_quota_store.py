"""What every QuotaStore promises."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core import ids
from headrace_scheduler.model import Window
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
    assert await quotas.acquire([window], "a", NOW) is None
    assert await quotas.acquire([window], "b", NOW + 3 * SECOND) is None

    retry_at = await quotas.acquire([window], "c", NOW + 4 * SECOND)

    assert retry_at == NOW + 10 * SECOND
    assert await quotas.acquire([window], "c", retry_at - timedelta(microseconds=1)) == retry_at
    assert await quotas.acquire([window], "c", retry_at) is None


async def test_nothing_is_counted_unless_all_windows_have_room(quotas: QuotaStore) -> None:
    small, large = Window("small", 1, 10 * SECOND), Window("large", 2, 60 * SECOND)
    await quotas.acquire([small, large], "a", NOW)

    assert await quotas.acquire([small, large], "b", NOW + SECOND) == NOW + 10 * SECOND
    assert await quotas.acquire([large], "c", NOW + SECOND) is None
    assert await quotas.acquire([small, large], "b", NOW + 2 * SECOND) == NOW + 60 * SECOND


async def test_asking_again_for_one_request_counts_once(quotas: QuotaStore) -> None:
    window = Window("w", 2, 10 * SECOND)

    for _ in range(5):
        assert await quotas.acquire([window], "a", NOW) is None

    assert await quotas.acquire([window], "b", NOW) is None
    assert await quotas.acquire([window], "c", NOW) is not None


async def test_calls_without_a_request_always_count(quotas: QuotaStore) -> None:
    window = Window("w", 1, 10 * SECOND)
    await quotas.acquire([window], "", NOW)

    assert await quotas.acquire([window], "", NOW) == NOW + 10 * SECOND


async def test_purging_forgets_calls_that_left_their_window_and_no_other(quotas: QuotaStore) -> None:
    await quotas.acquire([Window("short", 1, SECOND), Window("long", 1, 60 * SECOND)], "a", NOW)

    assert await quotas.purge(NOW + SECOND) == 1
    assert await quotas.purge(NOW + SECOND) == 0
    assert await quotas.acquire([Window("long", 1, 60 * SECOND)], "b", NOW + SECOND) == NOW + 60 * SECOND


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
        retry_at = await quotas.acquire([window], f"r{number}", now)
        if retry_at is None:
            granted.append(now)
        recent = [at for at in granted if at > now - window.length]
        assert len(recent) <= limit
        assert (retry_at is None) or (len(recent) == limit and retry_at == recent[0] + window.length)
