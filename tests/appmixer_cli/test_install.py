"""Appmixer's command line on machines whose Node.js is too old, or that have none: it gets one from PyPI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .install import NODE_WHEEL, VERSION
from .install import Client as Program

OLD_NODE = "#!/bin/sh\necho v16.20.2\n"
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Path:
    """Where nothing is installed yet; `program` says whether anything can be."""
    return tmp_path_factory.mktemp("cache")


def installed(cache: Path, path: str) -> list[str]:
    """The command, as it is installed on a machine whose PATH is this one."""
    environ = {**os.environ, "PATH": path, "HEADRACE_TEST_CACHE": str(cache)}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.appmixer_cli.install"],
        cwd=Path(__file__).parents[2],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1].split()


def said(*words: str, home: Path) -> str:
    environ = {"HOME": str(home), "NO_UPDATE_NOTIFIER": "1", "GRIDD_URL": "http://127.0.0.1:1"}
    ended = subprocess.run([*words], cwd=home, env=environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.timeout(2 * PATIENCE_SECONDS)
def test_where_node_is_too_old_or_missing_one_from_pypi_runs_it(cache: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name in ("node", "npm"):
        (old / name).write_text(OLD_NODE)
        (old / name).chmod(0o755)

    node, script = installed(cache, f"{old}{os.pathsep}{os.environ['PATH']}")
    without_any = installed(cache, str(tmp_path / "nothing"))

    assert Path(node).is_relative_to(cache) and without_any == [node, script]
    assert said(node, "--version", home=tmp_path) == f"v{NODE_WHEEL}\n"
    assert said(node, script, "-v", home=tmp_path).strip() == VERSION
    said(node, script, "init", "example", "no-auth", "--vendor", "acme", home=tmp_path)
    said(node, script, "pack", "acme/myservice", "-o", "out.zip", home=tmp_path)
    assert (tmp_path / "out.zip").stat().st_size > 0
