"""The simulated executor keeps the laws of the real one's group commit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.group_commit import Executor, simulate

ONE = Executor(cpu=0.002, round_trip=0.003, per_document=0.0001)


def test_every_event_that_arrives_is_committed_once() -> None:
    outcome = simulate(ONE, rate=200, seconds=5, seed=1, batch=4)

    assert outcome.events % 4 == 0
    assert outcome.events == len(outcome.latencies)
    assert outcome.events == pytest.approx(1000, rel=0.2)


def test_the_same_seed_is_the_same_run() -> None:
    assert simulate(ONE, rate=100, seconds=2, seed=7) == simulate(ONE, rate=100, seconds=2, seed=7)
    assert simulate(ONE, rate=100, seconds=2, seed=7) != simulate(ONE, rate=100, seconds=2, seed=8)


def test_an_idle_executor_writes_each_event_by_itself() -> None:
    outcome = simulate(ONE, rate=1, seconds=200, seed=1)

    assert outcome.commands_an_event == pytest.approx(3.0, abs=0.1)


def test_the_busier_an_executor_the_fewer_commands_an_event_takes() -> None:
    costs = [simulate(ONE, rate=rate, seconds=20, seed=1).commands_an_event for rate in (10, 100, 400)]

    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 2.0


def test_a_slower_store_gets_fewer_and_larger_writes_and_events_take_longer() -> None:
    fast = simulate(ONE, rate=200, seconds=20, seed=1)
    slow = simulate(replace(ONE, round_trip=0.02), rate=200, seconds=20, seed=1)

    assert slow.commands < fast.commands
    assert slow.median_latency > fast.median_latency
