"""The results as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.machine import Calibration
from bench.plan import Plan
from bench.results import Results, number
from bench.targets import Verdict, judge

GENERATOR = "bench/load.py (asyncio on uvloop, one process, keep-alive), the same for all"


@dataclass(frozen=True, slots=True)
class Setting:
    """Under which circumstances the results came about. `versions` is by peer."""

    began: str
    machine: Mapping[str, str]
    calibration: Calibration
    load_average: float
    versions: Mapping[str, str]
    plan: Plan


def markdown(results: Results, setting: Setting) -> str:
    """Circumstances, the table of all measures with our ratios, and the aims."""
    pairs = results.comparisons
    heading = ["job", "measure", *results.peers, *(f"{one} / {other}" for one, other in pairs)]
    rows = [
        [
            measure.job,
            measure.name,
            *(_text(results.spread(name, measure)) for name in results.peers),
            *(_times(results.ratio(one, other, measure)) for one, other in pairs),
        ]
        for measure in results.measures
    ]
    verdicts = list(judge(results, setting.plan.callers))
    return "\n".join([*_circumstances(results, setting), "", *markdown_table(heading, rows), "", *_aims(verdicts), ""])


def write_json(path: Path, results: Results, setting: Setting) -> None:
    """Everything, down to the single samples. What the file held before is gone."""
    verdicts = [{**asdict(each), "holds": each.holds} for each in judge(results, setting.plan.callers)]
    content = {
        "setting": asdict(setting),
        "samples": [asdict(sample) for sample in results.samples],
        "mishaps": [asdict(mishap) for mishap in results.mishaps],
        "aims": verdicts,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def _circumstances(results: Results, setting: Setting) -> list[str]:
    plan, loop = setting.plan, results.loop_spread()
    return [
        f"* {setting.began}; {', '.join(setting.machine.values())}",
        f"* calibration: loop {loop} ms before the samples, flushed write of 4 KiB "
        f"{number(setting.calibration.flush_ms)} ms, load average at the start {setting.load_average:.1f}",
        *(f"* {name}: {version}" for name, version in setting.versions.items()),
        f"* load: {GENERATOR}; {plan.rounds} rounds, peers in turn, {plan.seconds:g} s each; bursts of up to "
        f"{plan.events:,} events within {plan.burst_seconds:g} s from {plan.burst_callers} callers",
        "* cells: median (min–max) of the rounds",
        *(f"* {each.peer} ended round {each.round + 1} early: {_one_line(each.reason)}" for each in results.mishaps),
    ]


def _aims(verdicts: Sequence[Verdict]) -> list[str]:
    rows = [
        [each.what, f"{each.bound} {number(each.wanted)}", number(each.reached), "yes" if each.holds else "NO"]
        for each in verdicts
    ]
    return markdown_table(["aim", "wanted", "reached", "holds"], rows) if rows else []


def markdown_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [_line(heading), _line(["---"] * len(heading)), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{number(ratio)} ×"
