"""The pure rules of timers."""

from datetime import UTC, datetime, timedelta

from headrace_core.schedules import Interval, MisfirePolicy
from headrace_scheduler import model
from headrace_scheduler.model import KeptTimer, Timer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(policy: MisfirePolicy, *, caught_up: int = 0) -> KeptTimer:
    timer = Timer("t", "flow", "tenant", Interval(HOUR, NOW), policy, flow_id="flow", node_id="n", port="tick")
    return KeptTimer(timer, NOW + HOUR, caught_up=caught_up)


def test_fire_once_lets_the_latest_stand_for_all() -> None:
    promised = model.promise(hourly("fire_once"), NOW + 5.5 * HOUR)

    assert (promised.next_at, promised.is_promised) == (NOW + 5 * HOUR, True)


def test_fire_all_takes_the_earliest_and_counts_how_far_behind_it_is() -> None:
    promised = model.promise(hourly("fire_all"), NOW + 5.5 * HOUR)

    assert (promised.next_at, promised.is_promised, promised.caught_up) == (NOW + HOUR, True, 1)


def test_fire_all_stops_catching_up_at_the_limit() -> None:
    promised = model.promise(hourly("fire_all", caught_up=model.CATCH_UP_LIMIT), NOW + 5.5 * HOUR)

    assert (promised.next_at, promised.caught_up) == (NOW + 5 * HOUR, 0)


def test_skip_passes_over_what_is_late_and_takes_what_is_on_time() -> None:
    late = model.promise(hourly("skip"), NOW + 5.5 * HOUR)
    on_time = model.promise(hourly("skip"), NOW + 5 * HOUR + timedelta(seconds=30))

    assert (late.next_at, late.is_promised) == (NOW + 6 * HOUR, False)
    assert (on_time.next_at, on_time.is_promised) == (NOW + 5 * HOUR, True)


def test_what_is_promised_is_not_chosen_again() -> None:
    promised = model.promise(hourly("fire_once"), NOW + HOUR)

    assert model.promise(promised, NOW + 9 * HOUR) == promised


def test_a_backoff_doubles_up_to_its_longest() -> None:
    waits = [model.backoff(n, first=timedelta(seconds=1), longest=timedelta(seconds=10)) for n in (0, 1, 2, 3, 4, 999)]

    assert [wait.total_seconds() for wait in waits] == [1, 2, 4, 8, 10, 10]
