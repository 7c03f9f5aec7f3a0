"""A short rotation of S9; the whole of it is `make chaos BAR=S9 LEVEL=ci`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos import s9

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


async def test_only_what_was_signed_makes_a_run(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    verdict = await s9.run(tmp_path, s9.LEVELS["short"], seed)

    assert verdict.holds, f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"


async def test_an_open_door_turns_the_bar_red(tmp_path: Path) -> None:
    verdict = await s9.run(tmp_path, s9.Level(2, 2), 7, "open_door")

    assert not verdict.holds
    assert "no signature" in "\n".join(verdict.wrong)
