"""A browser, and the build that it looks at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.install import Missing, packages

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 300


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The program of a Chromium: the machine's, else Debian's. Skips where none can be had, but in CI."""
    try:
        packages(["chromium"], lambda: shutil.which("chromium") is not None)
    except Missing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return Path(shutil.which("chromium") or "/usr/bin/chromium")


@pytest.fixture(scope="session")
def build() -> Path:
    """The folder of the built user interface, built where it is not or is old."""
    subprocess.run([sys.executable, str(ROOT / "ui/build.py"), "build"], timeout=PATIENCE_SECONDS, check=True)
    return ROOT / "ui" / "dist"


@pytest.fixture(scope="session")
def node(build: Path) -> str:
    """The Node.js that the user interface was built with: the machine's, or the one from PyPI."""
    command = [sys.executable, str(ROOT / "ui/build.py"), "node"]
    found = subprocess.run(command, timeout=PATIENCE_SECONDS, check=True, capture_output=True, text=True)
    return found.stdout.strip()
