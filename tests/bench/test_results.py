"""The benchmark's own arithmetic."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bench import jobs, report
from bench.load import Load
from bench.machine import Calibration
from bench.plan import Plan
from bench.results import Measure, Mishap, Results, Sample, Spread, number
from bench.targets import judge

RATE, P50 = jobs.answer_rate("F1", 16), jobs.median_latency("F1", 1)


def results(**values: dict[Measure, list[float]]) -> Results:
    return Results(
        [
            Sample(peer, number, measure, value, loop_ms=30.0 + number)
            for peer, measures in values.items()
            for measure, found in measures.items()
            for number, value in enumerate(found)
        ]
    )


def setting(**versions: str) -> report.Setting:
    machine = {"processor": "2 × Slow", "memory": "4 GiB"}
    return report.Setting("2026-01-02 03:04", machine, Calibration(31.0, 0.5), 1.25, versions, Plan())


def test_a_spread_is_the_median_and_both_ends() -> None:
    found = results(headrace={RATE: [900.0, 100.0, 500.0]})

    assert found.spread("headrace", RATE) == Spread(500.0, 100.0, 900.0)
    assert str(found.spread("headrace", RATE)) == "500 (100–900)"
    assert found.spread("headrace", P50) is None
    assert str(results(headrace={P50: [1.5]}).spread("headrace", P50)) == "1.50"


def test_a_ratio_is_ours_by_theirs() -> None:
    found = results(headrace={RATE: [300.0, 600.0]}, n8n={RATE: [10.0, 20.0], P50: [0.0]})

    assert found.ratio("headrace", "n8n", RATE) == 30.0
    assert found.ratio("headrace", "n8n", P50) is None
    assert found.ratio("headrace", "node-red", RATE) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (99.96, "100.0"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012"), (0.0, "0")],
)
def test_numbers_show_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_percentiles_are_latencies_that_were_measured() -> None:
    load = Load(began=10.0, ended=12.0, latencies_ms=[4.0, 1.0, 3.0, 2.0])

    assert (load.percentile(0.5), load.percentile(0.99), load.rate) == (2.0, 4.0, 2.0)
    assert math.isnan(Load().percentile(0.5))


def test_the_table_has_ours_first_and_a_ratio_for_every_other() -> None:
    found = results(n8n={RATE: [10.0], P50: [100.0]}, headrace={RATE: [200.0], P50: [4.0]})

    lines = report.markdown(found, setting(headrace="Headrace 1", n8n="n8n 2")).splitlines()

    assert "| job | measure | headrace | n8n | headrace / n8n |" in lines
    assert "| F1 | answers/s, 16 callers | 200 | 10.0 | 20.0 × |" in lines
    assert "| F1 p50 ms, 1 caller | ≤ 5.00 | 4.00 | yes |" in lines


def test_an_aim_that_was_missed_is_said_to_be() -> None:
    found = results(headrace={RATE: [140.0], P50: [6.0]}, n8n={RATE: [10.0]})

    verdicts = list(judge(found, callers=(1, 16)))

    assert [(each.reached, each.holds) for each in verdicts] == [(14.0, False), (6.0, False)]
    assert "| 14.0 | NO |" in report.markdown(found, setting())


def test_what_went_wrong_stands_above_the_table() -> None:
    found = results(headrace={P50: [4.0]})
    found.mishaps.append(Mishap("n8n", 1, "it answered 503:\nnot ready"))

    assert "* n8n ended round 2 early: it answered 503: not ready" in report.markdown(found, setting())


def test_the_file_holds_every_sample(tmp_path: Path) -> None:
    report.write_json(tmp_path / "new" / "latest.json", results(headrace={P50: [4.0, 6.0]}), setting())

    content = json.loads((tmp_path / "new" / "latest.json").read_text())
    assert [sample["value"] for sample in content["samples"]] == [4.0, 6.0]
    assert content["aims"][0]["holds"] is True
    assert content["setting"]["plan"]["rounds"] == 3
