"""A short rotation of R9; the whole of it is `make chaos BAR=R9 LEVEL=ci`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .r9 import LEVELS, Verdict, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def play(folder: Path, mutant: str = "") -> tuple[Verdict, str]:
    seed = random.SystemRandom().randrange(1 << 30)
    verdict = run(folder, LEVELS["short"], seed, mutant)
    return verdict, f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"


def test_neighbours_of_poison_finish_and_what_was_poisoned_is_kept_and_repaired(tmp_path: Path) -> None:
    verdict, told = play(tmp_path)

    assert verdict.holds, told
    assert verdict.told["deadly"] == 2, told
