"""A short rotation of R6; the whole of it is `make chaos BAR=R6 LEVEL=ci`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .r6 import LEVELS, Verdict, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def play(folder: Path, mutant: str = "") -> tuple[Verdict, str]:
    seed = random.SystemRandom().randrange(1 << 30)
    verdict = run(folder, LEVELS["short"], seed, mutant)
    return verdict, f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"


def test_timers_fire_once_and_on_time_though_a_scheduler_is_killed_and_another_stands_still(tmp_path: Path) -> None:
    verdict, told = play(tmp_path)

    assert verdict.holds, told


def test_claims_without_a_fence_turn_it_red(tmp_path: Path) -> None:
    verdict, told = play(tmp_path, "no_timer_fence")

    assert not verdict.holds, told
