"""A person in a browser: `ui/test/browser` plays it against a platform of its own; screenshots are kept."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from .conftest import PATIENCE_SECONDS, ROOT
from .standing import browse, standing

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 60)

PLAYED = sorted(path.name.removesuffix(".test.ts") for path in (ROOT / "ui/test/browser").glob("*.test.ts"))
SHOTS = ROOT / ".artifacts" / "ui"
LOADER_BYTES, CORE_BYTES, KIT_BYTES, DESIGNER_BYTES, WIDGET_BYTES, CODE_BYTES = (
    each * 1024 for each in (3, 14, 40, 110, 25, 130)
)
WIDGETS = ("flow-manager", "runs", "accounts", "storage", "files", "people-tasks", "connectors")


@pytest.mark.parametrize("played", PLAYED)
async def test_a_browser_plays(played: str, chromium: Path, build: Path, node: str, tmp_path: Path) -> None:
    async with standing(build, tmp_path) as environ:
        told = {**environ, "HEADRACE_SHOTS": str(SHOTS), "CHROMIUM": str(chromium)}
        code, said = await browse(node, told, PATIENCE_SECONDS, played)

    assert code == 0, said[-6000:]


def test_what_a_page_loads_stays_within_its_budget(build: Path) -> None:
    """The loader, what every page needs, what all widgets share, and what each needs beyond it."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in (build / "sdk").iterdir()}

    def of(name: str) -> int:
        found = [size for file, size in sizes.items() if re.fullmatch(rf"{name}-[\w-]{{8}}\.js", file)]
        assert len(found) == 1, (name, sorted(sizes))
        return found[0]

    assert sizes["headrace.js"] <= LOADER_BYTES
    assert of("core") + sizes["headrace.mjs"] <= CORE_BYTES
    assert of("kit") <= KIT_BYTES
    assert of("core") + of("kit") + of("widget") <= DESIGNER_BYTES
    assert of("code") <= CODE_BYTES
    assert {name: of(name) for name in WIDGETS if of(name) > WIDGET_BYTES} == {}
