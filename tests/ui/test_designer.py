"""A person in a browser: `ui/test/browser` plays it against a platform of its own; screenshots are kept."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from .conftest import PATIENCE_SECONDS, ROOT
from .standing import browse, standing

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 60)

PLAYED = sorted(
    {path.name.removesuffix(".test.ts") for path in (ROOT / "ui/test/browser").glob("*.test.ts")} - {"backoffice"}
)
"""What is played against a platform of its own; the Backoffice needs one that others use."""
SHOTS = ROOT / ".artifacts" / "ui"
LOADER_BYTES, DESIGNER_BYTES, CODE_BYTES = 3 * 1024, 110 * 1024, 130 * 1024


@pytest.mark.parametrize("played", PLAYED)
async def test_a_browser_plays(played: str, chromium: Path, build: Path, node: str, tmp_path: Path) -> None:
    async with standing(build, tmp_path) as environ:
        told = {**environ, "HEADRACE_SHOTS": str(SHOTS), "CHROMIUM": str(chromium)}
        code, said = await browse(node, told, PATIENCE_SECONDS, played)

    assert code == 0, said[-6000:]


def test_what_a_page_loads_stays_within_its_budget(build: Path) -> None:
    """The loader alone, all that the designer needs together, and the editor of code, which comes when it is wanted."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in (build / "sdk").iterdir()}

    assert sizes["headrace.js"] <= LOADER_BYTES
    code = sum(size for name, size in sizes.items() if name.startswith("code-"))
    page = sum(size for name, size in sizes.items() if name == "app.mjs" or "office" in name)
    assert 0 < code <= CODE_BYTES, sizes
    assert sum(sizes.values()) - code - page <= DESIGNER_BYTES, sizes
