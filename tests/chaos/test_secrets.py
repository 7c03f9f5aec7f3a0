"""Short rotations of S10, S11 and S12; the whole of them is `make chaos BAR=S10|S11|S12 LEVEL=ci`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos import s10, s11, s12

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


async def test_forged_tokens_and_answers_to_others_open_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    verdict = await s10.run(tmp_path, s10.LEVELS["short"], seed)

    assert verdict.holds, f"seed={seed}\n{verdict.explained()}\n{verdict.line()}"


async def test_states_that_nobody_looks_at_turn_s10_red(tmp_path: Path) -> None:
    verdict = await s10.run(tmp_path, s10.Level(1, 2, 1), 7, "any_state")

    assert "were exchanged for nobody" in "\n".join(verdict.wrong)


async def test_secrets_that_nobody_hides_turn_s11_red(tmp_path: Path) -> None:
    verdict = await s11.run(tmp_path, s11.LEVELS["short"], "no_redaction")

    assert any(each.startswith("the files hold") for each in verdict.wrong)


async def test_keys_change_under_load(tmp_path: Path) -> None:
    verdict = await s12.run(tmp_path, s12.LEVELS["short"])

    assert verdict.holds, f"{verdict.explained()}\n{verdict.line()}"


async def test_what_is_not_sealed_again_turns_s12_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s12, "AGAIN_SECONDS", 2.0)
    monkeypatch.setattr(s12, "REST_SECONDS", 2.0)
    verdict = await s12.run(tmp_path, s12.Level(1, 1.0), "no_reseal")

    assert "sealed with a key that is gone" in "\n".join(verdict.wrong)
