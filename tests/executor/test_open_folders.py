"""Folders that are opened to published components, and what becomes of them where a kernel cannot keep files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from headrace_runner import landlock

from .platform import HandedFlows, platform
from .published import Shelf
from .test_runner_poison import STRICT
from .test_runners import WORKER, put, run, sent

needs_landlock = pytest.mark.skipif(
    landlock.release_of_kernel() < 3, reason="This kernel has no Landlock, or an old one."
)


JAVASCRIPT = """
const fs = require('fs');
module.exports = {
    async receive(context) {
        fs.writeFileSync('FOLDER/out', 'written');
        await context.sendJson(fs.readFileSync('FOLDER/in', 'utf8'), 'out');
    }
};
"""
PYTHON = """
import pathlib
from headrace_sdk import Component

class Own(Component):
    async def receive(self, context):
        pathlib.Path("FOLDER/out").write_text("written")
        await context.send_json(pathlib.Path("FOLDER/in").read_text())
"""


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_a_folder_that_is_opened_is_there(tmp_path: Path, language: str) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "in").write_text("read")
    shelf, flows = Shelf(), HandedFlows()
    publish, code = (shelf.publish, PYTHON) if language == "python" else (shelf.publish_javascript, JAVASCRIPT)
    put(flows, publish(code.replace("FOLDER", str(shared))))

    runners = replace(STRICT, folders=(str(shared),))
    async with platform(tmp_path, flows, shelf=shelf, runners=runners) as here:
        detail = await run(here)

    assert sent(detail) == ["read"]
    assert (shared / "out").read_text() == "written"


@needs_landlock
async def test_nothing_is_refused_where_the_kernel_confines_both_languages(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript("module.exports = { receive: (context) => context.sendJson(1, 'out') };"), "js")
    put(flows, shelf.publish(WORKER), "py")

    async with platform(tmp_path, flows, shelf=shelf, runners=replace(STRICT, isolation="refuse")) as here:
        assert sent(await run(here, "js")) == [1]
        assert sent(await run(here, "py"))


@pytest.mark.parametrize(("refuses", "code"), [(True, os.EX_CONFIG), (False, 0)])
def test_a_launcher_says_what_the_kernel_lacks(tmp_path: Path, refuses: bool, code: int) -> None:
    """A kernel that lacks both is played: one call has a number that no kernel knows, the other no machine."""
    orders = {
        "parent": os.getpid(), "cpu_seconds": 60, "open_files": 64, "file_bytes": 1024, "read": [], "write": [],
        "sockets": [], "refuses": refuses, "command": ["/bin/true"], "fence": -1,
    }  # fmt: skip
    launcher = (
        "import sys, json, socket\n"
        "kept = socket.socketpair()\n"
        "sys.argv[1] = sys.argv[1].replace('-1', str(kept[0].detach()))\n"
        "from headrace_runner import confinement, landlock, launching\n"
        "landlock._CREATE = 100_000\n"
        "confinement._MACHINES.clear()\n"
        "launching.main()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", launcher, json.dumps(orders)], capture_output=True, timeout=60, cwd=tmp_path
    )

    assert told.returncode == code, told.stderr
    assert b"Landlock" in told.stderr
    assert (b"HEADRACE_RUNNER_ISOLATION" in told.stderr) is refuses
