"""A step that ends its executor is kept still before it has ended them all."""

import asyncio
import subprocess
import sys
from pathlib import Path

from .deadly import DIED

SUSPECTED = 5
MOST = 10


async def test_a_component_that_ends_its_process_is_kept_still_after_five_deaths_that_name_it(tmp_path: Path) -> None:
    """The first death names nobody: until then the steps of the run were not put on record before they began."""
    command = [sys.executable, "-m", "tests.executor.deadly", str(tmp_path)]
    lives: list[subprocess.CompletedProcess[str]] = []

    while len(lives) < MOST and (not lives or lives[-1].returncode == DIED):
        lives.append(await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60))

    assert lives[-1].returncode == 0, lives[-1].stderr
    assert len(lives) == 1 + SUSPECTED + 1
    assert "ended 5 executors in a row" in lives[-1].stdout
