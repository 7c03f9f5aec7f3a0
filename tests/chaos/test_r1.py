"""A short rotation of R1; the whole of it is `make chaos BAR=R1 LEVEL=ci`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .r1 import LEVELS, run


@pytest.mark.system
@pytest.mark.timeout(300)
def test_nothing_accepted_is_lost_or_doubled_when_the_process_is_killed(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    verdict = run(tmp_path, *LEVELS["short"], seed)
    assert verdict.holds, f"seed={seed} {verdict.line()}"
