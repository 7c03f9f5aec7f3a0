"""A short rotation of R2; the whole of server mode's bars is `make chaos BAR=R2|R3|R5`."""

from __future__ import annotations

import random

import pytest

from .r2 import LEVELS, run
from .served import served_folder

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


def test_nothing_accepted_is_lost_or_doubled_by_kills_of_any_service() -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    with served_folder() as folder:
        verdict = run(folder, LEVELS["short"], seed)

    assert verdict.holds, f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"
