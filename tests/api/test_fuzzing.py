"""HTTP never breaks: hostile requests of three roles get refusals in the one shape, and nobody else has to wait."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .fuzzing import MUTANTS, fuzz
from .hostile import Gunner

pytestmark = pytest.mark.timeout(300)


async def test_no_hostile_request_breaks_the_platform(tmp_path: Path) -> None:
    report = await fuzz(tmp_path, 2_000, random.SystemRandom().randrange(1 << 30))

    assert report.holds, f"seed={report.seed}\n{report.explained()}\n{report.line()}"
    assert report.requests == 2_000
    assert {200, 400, 401, 403, 404} <= set(report.statuses), report.line()


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_platform_that_breaks_turns_it_red(mutant: str, tmp_path: Path) -> None:
    report = await fuzz(tmp_path, 200, 1, mutant=mutant)

    assert not report.holds, report.line()


def test_one_seed_makes_one_series_of_requests() -> None:
    first, second = (Gunner(random.Random(7), ["a"], ["/flows/a/components/b"], ["user"]) for _ in range(2))

    assert [first.shot() for _ in range(50)] == [second.shot() for _ in range(50)]
