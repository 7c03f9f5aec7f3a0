"""The Backoffice in a real browser, over a platform that others use."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import PATIENCE_SECONDS
from .doubting import in_doubt
from .seeding import seeded
from .standing import browse, standing
from .test_designer import SHOTS

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 60)

USERS, FLOWS, DEAD = 12, 40, 30
PATIENCE_MS = 3_000
"""Until a list is painted, on a machine that does something else besides; the bench asks for less, of far more."""


async def test_operators_see_and_steer_everything_and_nobody_else_does(
    chromium: Path, build: Path, node: str, tmp_path: Path
) -> None:
    async with standing(build, tmp_path) as environ:
        url, login, password = (environ[f"HEADRACE_{name}"] for name in ("URL", "LOGIN", "PASSWORD"))
        await seeded(url, tmp_path / "flow_manager.db", users=USERS, flows=FLOWS, dead=DEAD)
        doubts = await in_doubt(url, login, password, 2)
        told = {"HEADRACE_SHOTS": str(SHOTS), "CHROMIUM": str(chromium), "HEADRACE_FIRST_PAINT_MS": str(PATIENCE_MS)}
        told["HEADRACE_DOUBTS"] = ",".join(doubts)
        code, said = await browse(node, {**environ, **told}, PATIENCE_SECONDS, "backoffice")

    assert code == 0, said[-6000:]
