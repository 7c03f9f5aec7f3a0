"""A short rotation of R6; the whole of it is `make chaos BAR=R6 LEVEL=ci`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .r6 import LEVELS, Verdict, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def play(folder: Path) -> tuple[Verdict, str]:
    seed = random.SystemRandom().randrange(1 << 30)
    verdict = run(folder, LEVELS["short"], seed)
    return verdict, f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"


def test_timers_fire_once_though_a_scheduler_is_killed_and_another_stands_still(tmp_path: Path) -> None:
    verdict, told = play(tmp_path)

    # How late they were, and whether the one that woke up came too late for something, is for `make chaos BAR=R6`.
    assert not any(verdict.fires.kinds.values()), told
    assert (verdict.kills, verdict.freezes) == (1, 1), told
