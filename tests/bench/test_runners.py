"""The benchmark of runners calls what it says it calls."""

from __future__ import annotations

from bench.runners import Cost, measure, table


async def test_both_places_are_measured_and_shown_beside_each_other() -> None:
    built_in = await measure(8, is_published=False)
    published = await measure(8, is_published=True)

    assert 0 < built_in.p50 < published.p50
    assert min(built_in.per_second, published.per_second) > 0


def test_the_overhead_is_what_a_call_takes_longer() -> None:
    assert table(Cost(0.25, 1.0, 900.0), Cost(1.0, 2.0, 400.0)).endswith("overhead      0.750 ms")
