"""Short rotations of S5, S7 and S15; the whole of them is `make chaos BAR=S7 LEVEL=ci` and so on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from headrace_runner import landlock

from tests.chaos import s5, s7, s15

from .confined import Verdict

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(landlock.release_of_kernel() < 6, reason="This kernel has no Landlock, or an old one."),
]


def drawn() -> int:
    return random.SystemRandom().randrange(1 << 30)


def explained(verdict: Verdict, seed: int) -> str:
    return f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"


async def test_nothing_reaches_the_inner_network(tmp_path: Path) -> None:
    seed = drawn()
    verdict = await s5.run(tmp_path, s5.LEVELS["short"], seed)

    assert verdict.holds, explained(verdict, seed)


async def test_a_component_reaches_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    seed = drawn()
    verdict = await s7.run(tmp_path, s7.LEVELS["short"], seed)

    assert verdict.holds, explained(verdict, seed)


async def test_a_bundle_is_what_was_published_and_calls_whom_it_declares(tmp_path: Path) -> None:
    seed = drawn()
    verdict = await s15.run(tmp_path, s15.LEVELS["short"], seed)

    assert verdict.holds, explained(verdict, seed)


async def test_a_broken_product_turns_each_bar_red(tmp_path: Path) -> None:
    """One of the ten addresses at least leads there by some way."""
    verdicts = [
        await s5.run(tmp_path / "s5", s5.Level(10), drawn(), "open_network"),
        await s7.run(tmp_path / "s7", s7.LEVELS["short"], drawn(), "open_files"),
        await s15.run(tmp_path / "s15", s15.LEVELS["short"], drawn(), "any_host"),
    ]

    assert [each.bar for each in verdicts if each.holds] == []
