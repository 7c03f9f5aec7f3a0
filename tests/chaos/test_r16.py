"""A short R16, which a busy machine holds, too; the whole of it is `make chaos BAR=R16 LEVEL=ci`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import r16

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_a_tenant_that_floods_holds_up_nobody_else(tmp_path: Path) -> None:
    verdict = r16.run(tmp_path, r16.LEVELS["short"])

    assert verdict.holds, f"{verdict.explained()}\n{verdict.line()}"


def test_one_queue_for_all_turns_the_bar_red(tmp_path: Path) -> None:
    verdict = r16.run(tmp_path, r16.LEVELS["short"], "one_queue")

    assert any(each.startswith("the quiet tenant waits") for each in verdict.wrong), verdict.line()
