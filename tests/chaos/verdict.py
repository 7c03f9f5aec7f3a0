"""What a bar came to, and the command that plays one."""

from __future__ import annotations

import argparse
import math
import random
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.chaos.oracle import Findings

FIRST = ("lost", "duplicate_runs")
"""What each last line begins with."""


class Outcome(Protocol):
    """What a bar came to."""

    @property
    def holds(self) -> bool:
        """Whether the bar holds."""
        ...

    def explained(self) -> str:
        """What is wrong, line by line; empty when the bar holds."""
        ...

    def line(self) -> str:
        """The counts, in one line."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome; `holds` says whether the bar holds."""

    bar: str
    findings: Findings
    complaints: Sequence[str] = ()
    """Faults that were not proven, and times and counts that were missed."""
    events: int = 0
    kills: int = 0
    told: Mapping[str, object] = field(default_factory=dict)
    """What else the last line says."""

    @property
    def holds(self) -> bool:
        return self.findings.are_none and not self.complaints

    def explained(self) -> str:
        """What is wrong, line by line; empty when the bar holds."""
        return "\n".join(filter(None, [self.findings.explained(), *self.complaints]))

    def line(self) -> str:
        counts = {kind: len(found) for kind, found in self.findings.kinds.items()}
        first = {kind: counts.pop(kind) for kind in FIRST}
        recovered = {"recovered": self.findings.recovered}
        told = {**first, "kills": self.kills, "events": self.events, **counts, **recovered, **self.told}
        return f"{self.bar} " + " ".join(f"{name}={value}" for name, value in told.items())


def command(about: str | None, levels: Collection[str], mutants: str) -> argparse.ArgumentParser:
    """What every bar can be asked for."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", choices=sorted(levels), default="ci")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--mutant", default="", help=f"{mutants}: each must turn this red")
    parser.add_argument("--keep", type=Path, help="folder for data and logs, to look at afterwards; must not be there")
    return parser


def play(chosen: argparse.Namespace, faults: Sequence[object], run: Callable[[], Outcome]) -> int:
    """Print what will be done, do it, print what it came to; the status of the process."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    print(f"seed={chosen.seed} commit={commit} level={chosen.level} mutant={chosen.mutant or 'none'}")
    print("faults:", *faults, flush=True)
    verdict = run()
    if not verdict.holds:
        print(verdict.explained())
    print(verdict.line())
    return 0 if verdict.holds else 1


def percentile(values: Sequence[float], of: float = 0.99) -> float:
    """The smallest value that so many are not above; 0 of none."""
    ordered = sorted(values)
    return ordered[math.ceil(of * len(ordered)) - 1] if ordered else 0.0
