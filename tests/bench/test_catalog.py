"""The benchmark of many published components starts what it says it starts."""

from __future__ import annotations

from bench.catalog import measure


async def test_a_flow_is_started_beside_other_components() -> None:
    assert await measure(3, starts=2) > 0
