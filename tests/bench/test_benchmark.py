"""The benchmark on the real platform, as short as can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import jobs
from bench.backing import Backing
from bench.benchmark import measure
from bench.operations import KINDS, MONGO
from bench.peers.choice import choose
from bench.peers.headrace import Headrace
from bench.plan import Plan
from bench.results import SERVER


@pytest.mark.system
def test_every_job_is_done_by_the_embedded_platform_and_measured(tmp_path: Path) -> None:
    plan = Plan(rounds=1, seconds=0.5, callers=(1, 4), events=50, burst_callers=4, warm_up=0.2, settle=0, idle=0.2)
    peers = choose(["headrace"], None, tmp_path, Backing())

    results = measure(peers, plan, tmp_path, say=lambda line: None)

    assert {each.job for each in results.measures} == {"F1", "F2", "F3", "F4"}
    assert all(sample.value > 0 for sample in results.samples)
    assert {jobs.answer_rate("F1", 4), jobs.BURST_RATE, jobs.READY} <= set(results.measures)
    assert peers[0].processes() == []
    assert results.mishaps == []


@pytest.mark.system
@pytest.mark.timeout(300)
def test_server_mode_does_every_job_and_tells_what_it_asked_of_its_stores(tmp_path: Path) -> None:
    plan = Plan(rounds=1, seconds=0.5, callers=(4,), events=50, burst_callers=4, warm_up=0.2, settle=0, idle=1)
    with Backing() as backing:
        peers = choose([SERVER], None, tmp_path, backing)

        results = measure(peers, plan, tmp_path, say=lambda line: None)

    assert results.mishaps == []
    assert {each.job for each in results.measures} == {"F1", "F2", "F3", "F4"}
    asked = results.spread(SERVER, jobs.cost("F2", MONGO, 4))
    assert asked is not None
    assert asked.median > 0
    assert {jobs.cost("F2", kind, callers) for kind in KINDS for callers in (1, 4)} <= set(results.measures)


class Broken(Headrace):
    """Ends as soon as it was prepared and is launched again."""

    def launch(self) -> None:
        super().launch()
        if self.echo_url:
            self.processes()[0].stop()


@pytest.mark.system
def test_a_peer_that_fails_loses_its_turn_and_the_report_says_why(tmp_path: Path) -> None:
    plan = Plan(jobs=("F1",), rounds=1, seconds=0.5)

    results = measure([Broken(tmp_path / "broken")], plan, tmp_path, say=lambda line: None)

    assert results.samples == []
    assert [(each.peer, each.round) for each in results.mishaps] == [("headrace", 0)]
    assert "ended with code" in results.mishaps[0].reason


def test_a_peer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no peer 'airflow'"):
        choose(["airflow"], None, tmp_path, Backing())
