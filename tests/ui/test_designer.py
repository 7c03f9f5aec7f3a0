"""A person in a browser: `ui/test/browser` plays it against a platform of its own; screenshots are kept."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from .conftest import PATIENCE_SECONDS, ROOT
from .standing import browse, standing

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 60)

SHOTS = ROOT / ".artifacts" / "ui"
LOADER_BYTES, DESIGNER_BYTES = 3 * 1024, 110 * 1024


async def test_a_browser_draws_starts_watches_and_mends_flows(
    chromium: Path, build: Path, node: str, tmp_path: Path
) -> None:
    async with standing(build, tmp_path) as environ:
        told = {**environ, "HEADRACE_SHOTS": str(SHOTS), "CHROMIUM": str(chromium)}
        code, said = await browse(node, told, PATIENCE_SECONDS)

    assert code == 0, said[-6000:]


def test_what_a_page_loads_stays_within_its_budget(build: Path) -> None:
    """The loader alone, and all that the designer needs together."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in (build / "sdk").iterdir()}

    assert sizes["headrace.js"] <= LOADER_BYTES
    assert sum(size for name, size in sizes.items() if not name.startswith("app")) <= DESIGNER_BYTES, sizes
