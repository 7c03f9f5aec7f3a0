"""The model of scale follows from its numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.claiming import claim_all
from bench.scaling import SPREAD_LOAD, Assumed, Measured, row, spread, tables

PAGE = Path(__file__).parents[2] / "docs/concepts/scaling.md"


def test_work_grows_with_the_executors_and_an_event_costs_the_same() -> None:
    ten, hundred = (row(size, Measured(), Assumed()) for size in (10, 100))

    assert hundred.events == pytest.approx(10 * ten.events)
    assert hundred.commands_an_event == ten.commands_an_event
    assert hundred.channels > 50 * ten.channels


def test_dearer_runs_need_more_executors_for_the_same_events() -> None:
    dear = replace(Measured(), executor=replace(Measured().executor, cpu=0.05))

    assert row(10, dear, Assumed()).events < row(10, Measured(), Assumed()).events


def test_a_load_spread_over_more_executors_is_written_in_smaller_groups() -> None:
    few, many = spread(10, Measured()), spread(100, Measured())

    assert SPREAD_LOAD / 100 < SPREAD_LOAD / 10
    assert few[0] < many[0]


def test_every_run_is_claimed_once_and_alone_no_claim_is_in_vain() -> None:
    alone = claim_all(executors=1, ready=1_000, limit=200, window=0.01, seed=1)

    assert (alone.sweeps, alone.useful) == (5, 1.0)


def test_executors_that_sweep_at_once_get_in_each_others_way() -> None:
    found = [claim_all(executors=size, ready=1_000, limit=200, window=0.01, seed=1).useful for size in (1, 10, 100)]

    assert found == sorted(found, reverse=True)
    assert found[2] < 0.5


def test_the_page_shows_what_the_model_says() -> None:
    text = PAGE.read_text()

    assert [line for line in tables(Measured(), Assumed()).splitlines() if line not in text] == []
