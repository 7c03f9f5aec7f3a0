"""A person in a browser: `ui/test/browser` plays it against a platform of its own; screenshots are kept."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from pathlib import Path

import pytest
from headrace_embedded.platform import open_platform

from .conftest import PATIENCE_SECONDS, ROOT

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 60)

LOGIN, PASSWORD = "admin@headrace.local", "a-password-for-the-browser"
SHOTS = ROOT / ".artifacts" / "ui"
LOADER_BYTES, DESIGNER_BYTES = 3 * 1024, 110 * 1024


async def test_a_browser_draws_starts_watches_and_mends_flows(chromium: Path, build: Path, tmp_path: Path) -> None:
    environ = {
        "HEADRACE_DATA_DIR": str(tmp_path),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_ADMIN_EMAIL": LOGIN,
        "HEADRACE_ADMIN_PASSWORD": PASSWORD,
        "HEADRACE_UI_DIR": str(build),
    }
    async with open_platform(environ) as serving:
        told = {
            **os.environ,
            "HEADRACE_URL": serving.url,
            "HEADRACE_LOGIN": LOGIN,
            "HEADRACE_PASSWORD": PASSWORD,
            "HEADRACE_SHOTS": str(SHOTS),
            "CHROMIUM": str(chromium),
        }
        vitest = ROOT / "ui" / "node_modules" / "vitest" / "vitest.mjs"
        process = await asyncio.create_subprocess_exec(
            shutil.which("node") or "node",
            str(vitest),
            "run",
            "--config",
            "test/browser/vitest.config.ts",
            cwd=ROOT / "ui",
            env=told,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert process.returncode == 0, said.decode()[-6000:]


def test_what_a_page_loads_stays_within_its_budget(build: Path) -> None:
    """The loader alone, and all that the designer needs together."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in (build / "sdk").iterdir()}

    assert sizes["headrace.js"] <= LOADER_BYTES
    assert sum(size for name, size in sizes.items() if not name.startswith("app")) <= DESIGNER_BYTES, sizes
