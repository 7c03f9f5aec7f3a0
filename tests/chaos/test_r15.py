"""A short R15, which a busy machine holds, too; the whole of it is `make chaos BAR=R15 LEVEL=ci`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import r15

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def test_a_constant_load_is_done_and_leaves_memory_flat(tmp_path: Path) -> None:
    verdict = r15.run(tmp_path, r15.LEVELS["short"])

    assert verdict.holds, f"{verdict.explained()}\n{verdict.line()}"


def test_a_process_that_keeps_something_of_each_run_turns_the_bar_red(tmp_path: Path) -> None:
    verdict = r15.run(tmp_path, r15.LEVELS["short"], "hoard")

    assert any(each.startswith("memory grew") for each in verdict.wrong), verdict.line()
