"""What is learned of how often a service may be called."""

from datetime import UTC, datetime, timedelta

import pytest
from headrace_scheduler import pace
from headrace_scheduler.pace import Pace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def window(found: Pace, at: datetime) -> tuple[int, float]:
    made = pace.window_of("x", found, at)
    assert made is not None
    return made.limit, made.length.total_seconds()


def test_the_first_guess_is_what_went_through() -> None:
    found = pace.refused(None, NOW, 2 * SECOND, 100.0)

    assert found.rate == pytest.approx(90)
    assert found.opens_at == NOW + 2 * SECOND
    limit, length = window(found, NOW)
    assert limit / length == pytest.approx(90, rel=1e-3) and length <= 0.25


def test_who_never_got_through_begins_slowly_and_searches() -> None:
    found = pace.refused(None, NOW, None, 0)

    assert found.rate_at(NOW) == pace.FIRST
    assert found.rate_at(NOW + 20 * SECOND) > 10 * pace.FIRST
    assert window(found, NOW) == (1, 1.0)


def test_refusals_of_calls_that_were_under_way_take_nothing_away() -> None:
    first = pace.refused(None, NOW, SECOND, 3.0)
    echo = pace.refused(first, NOW + SECOND / 2, SECOND, 10.0)

    assert echo.rate == pytest.approx(9), "more is known of what goes through"
    assert echo.opens_at == NOW + 1.5 * SECOND


def test_a_refusal_ends_the_search_and_takes_a_tenth() -> None:
    first = pace.refused(None, NOW, SECOND, 10.0)
    at = NOW + 4 * SECOND
    grown = first.rate_at(at)
    second = pace.refused(first, at, None, 10.0)

    assert grown > first.rate
    assert second.rate == pytest.approx(grown * pace.CUT)
    assert second.rate_at(at + 20 * SECOND) == second.rate
    assert second.rate_at(at + 45 * SECOND) == pytest.approx(second.rate * 1.01**2)
    third = pace.refused(second, at + 5 * SECOND, None, 10.0)
    assert third.rate == pytest.approx(second.rate * pace.TRIM), "the limit is about found"


def test_what_is_not_refused_for_a_while_is_forgotten() -> None:
    found = pace.refused(None, NOW, 60 * SECOND, 10.0)

    assert pace.window_of("x", found, NOW + 60 * SECOND + pace.REMEMBERED) is None
    assert pace.refused(found, NOW + 2 * pace.REMEMBERED, None, 50.0).rate == pytest.approx(45)


def test_no_pause_and_no_rate_is_without_a_bound() -> None:
    found = pace.refused(None, NOW, timedelta(days=400), 1e9)

    assert found.opens_at == NOW + pace.LONGEST_PAUSE
    assert found.rate == pace.MOST
    for _ in range(300):
        found = pace.refused(found, found.opens_at + SECOND, SECOND, 0.0)
    assert found.rate == pace.LEAST


@pytest.mark.parametrize("allowed", [3, 10, 50])
def test_a_limit_is_found_and_kept_to(allowed: int) -> None:
    """A service that allows so many calls a second, called as the pace says for five minutes."""
    found, now, passed, refusals = pace.refused(None, NOW, SECOND, 0.0), NOW, 0, 0
    calls: list[datetime] = []
    while now < NOW + timedelta(minutes=5):
        now = max(now, found.opens_at) + SECOND / found.rate_at(now)
        calls = [at for at in calls if at > now - SECOND]
        if len(calls) < allowed:
            calls.append(now)
            passed += 1
        else:
            refusals += 1
            found = pace.refused(found, now, SECOND, float(len(calls)))

    assert passed >= 0.8 * 300 * allowed
    assert refusals <= 0.02 * passed + 15
