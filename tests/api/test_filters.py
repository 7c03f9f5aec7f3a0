"""Filters of lists find what going through everything finds, however hostile they are, in both modes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.system.services import Services

from .conftest import open_people, served_people
from .filtering import MUTANTS, PLACES, ask_everything, filtered_paths

pytestmark = pytest.mark.timeout(300)

QUESTIONS = 1_000


async def test_hostile_filters_find_what_brute_force_finds(tmp_path: Path, server: Services) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    async with open_people(tmp_path) as embedded, served_people(server) as served:
        report = await ask_everything({"embedded": embedded, "server": served}, QUESTIONS, seed)

    assert report.holds, f"{report.explained()}\n{report.line()}"
    assert report.questions == 2 * QUESTIONS
    assert report.statuses[200] > QUESTIONS / 2 and report.statuses[400] > QUESTIONS / 10, report.line()
    assert report.found > QUESTIONS, report.line()


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_filters_that_are_not_looked_at_turn_it_red(mutant: str, tmp_path: Path) -> None:
    async with open_people(tmp_path) as embedded:
        report = await ask_everything({"embedded": embedded}, 200, 1, mutant=mutant)

    assert not report.holds, report.line()


def test_every_list_that_takes_filters_is_asked() -> None:
    assert filtered_paths() - {"/system/audit/export"} == set(PLACES) | {count for _, count in PLACES.values() if count}
