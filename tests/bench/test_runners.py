"""The benchmark of runners calls what it says it calls."""

from __future__ import annotations

from bench.runners import Cost, measure, rows


async def test_both_places_are_measured() -> None:
    built_in = await measure(8, "built in")
    published = await measure(8, "python")

    assert 0 < built_in.p50 < published.p50
    assert min(built_in.calls, published.calls, built_in.runs, published.runs) > 0


def test_each_place_has_a_row_with_what_it_costs_beside_built_in() -> None:
    found = rows({"built in": Cost(0.25, 1.0, 9e5, 900.0), "python": Cost(1.0, 2.0, 2e3, 400.0)})

    assert found == [
        ["built in", "0.250", "1.000", "0.000", "900000", "1.000", "900", "1.00"],
        ["python", "1.000", "2.000", "0.750", "2000", "0.002", "400", "0.44"],
    ]
