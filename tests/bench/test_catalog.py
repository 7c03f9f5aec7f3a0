"""The benchmark of many published components starts what it says it starts."""

from __future__ import annotations

from bench.catalog import line, measure


async def test_a_flow_is_started_beside_other_components() -> None:
    assert await measure(3, starts=2) > 0


def test_both_are_shown_beside_each_other() -> None:
    assert line(10.0, 12.5, 1_000) == "start of a flow: 10.0 ms alone, 12.5 ms beside 1,000 published components"
