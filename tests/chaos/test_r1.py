"""A short rotation of R1; the whole of it is `make chaos BAR=R1 LEVEL=ci`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .r1 import LEVELS, run
from .verdict import Verdict

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


ROTATIONS = 4
"""A kill has to come between an answer and its commit, or a twin to write at all: a rotation may miss that."""


def play(folder: Path, mutant: str = "") -> tuple[Verdict, str]:
    folder.mkdir(exist_ok=True)
    seed = random.SystemRandom().randrange(1 << 30)
    verdict = run(folder, LEVELS["short"], seed, mutant)
    return verdict, f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"


def test_nothing_accepted_is_lost_or_doubled_by_kills_and_a_frozen_twin(tmp_path: Path) -> None:
    verdict, told = play(tmp_path)

    assert verdict.holds, told
    assert verdict.told["caught"] != 0, told


def test_an_answer_before_the_commit_turns_it_red(tmp_path: Path) -> None:
    for number in range(ROTATIONS):
        verdict, told = play(tmp_path / str(number), "answer_before_commit")
        if verdict.findings.lost:
            break

    assert verdict.findings.lost, told
    assert not verdict.holds, told


def test_a_store_without_the_fence_turns_it_red(tmp_path: Path) -> None:
    for number in range(ROTATIONS):
        verdict, told = play(tmp_path / str(number), "no_fence")
        if verdict.findings.double_steps:
            break

    assert verdict.findings.double_steps, told
    assert not verdict.holds, told
