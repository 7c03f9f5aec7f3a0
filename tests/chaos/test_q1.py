"""A short Q1; the whole of it is `make chaos BAR=Q1 LEVEL=ci`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .q1 import LEVELS, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_an_api_with_a_limit_gets_every_message_of_two_tenants_soon_and_fairly(tmp_path: Path) -> None:
    verdict = run(tmp_path, LEVELS["short"])

    assert verdict.holds, f"{verdict.explained()}\n{verdict.line()}"
