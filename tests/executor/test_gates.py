"""However long calls are on their way, their service never sees one too many."""

from __future__ import annotations

from datetime import timedelta

from headrace_core.clock import TestClock
from headrace_core.quotas import Allowance
from headrace_executor.gates import Gates
from hypothesis import given, settings
from hypothesis import strategies as st

SECOND = timedelta(seconds=1)
STEP = 0.005


@settings(max_examples=40, deadline=None)
@given(ways=st.lists(st.floats(0, 0.14), min_size=30, max_size=40), limit=st.integers(1, 10))
def test_no_stretch_of_a_window_sees_more_than_its_limit(ways: list[float], limit: int) -> None:
    clock, asked = TestClock(), [Allowance("w", limit, SECOND)]
    gates, arrived, ends = Gates(clock), list[float](), dict[str, float]()

    while len(arrived) < len(ways) or ends:
        now = clock.monotonic()
        for name in [name for name, at in ends.items() if at <= now]:
            gates.leave(name)
            del ends[name]
        if len(arrived) < len(ways) and gates.room_at(asked) <= now:
            name, way = f"c{len(arrived)}", ways[len(arrived)]
            gates.enter(name, asked)
            arrived.append(now + way)
            ends[name] = now + way + STEP
        clock.advance(STEP)

    for begins in arrived:
        assert sum(begins <= at < begins + 1 for at in arrived) <= limit
    assert max(arrived) <= 1.2 * len(ways) / limit + 1, "and it sees nearly as many as it may"


def test_a_call_that_takes_long_has_arrived_all_the_same() -> None:
    clock, asked = TestClock(), [Allowance("w", 1, SECOND)]
    gates = Gates(clock)
    gates.enter("slow", asked)

    assert gates.room_at(asked) == 1.15
    clock.advance(30)
    assert gates.room_at(asked) == 30
    gates.leave("slow")
    gates.leave("slow")
    assert gates.room_at(asked) == 30


def test_windows_of_very_many_calls_are_not_looked_at() -> None:
    gates, asked = Gates(TestClock()), [Allowance("w", 100_000, SECOND)]
    gates.enter("a", asked)

    assert gates.room_at(asked) == 0
