"""The commands of the tutorial, word for word, in a shell against a fresh platform."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import NO_KEYRING
from tests.system.process import ADMIN, PASSWORD, Process

TUTORIAL = Path(__file__).parents[2] / "docs" / "how-to" / "first-connector.md"
MARK = "=== "


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What each code block printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    process = Process(folder)
    process.start()
    try:
        yield play(re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(), re.DOTALL), folder, process.port)
    finally:
        process.end(signal.SIGTERM)


def play(commands: list[str], folder: Path, port: int) -> list[str]:
    """Run all blocks in one shell, as a reader would, with the address and the sign-in of this platform."""
    script = f"\necho; echo '{MARK}'\n".join(commands)
    for told, known in {
        "http://127.0.0.1:2200": f"http://127.0.0.1:{port}",
        "admin@headrace.local": ADMIN,
        "THE PRINTED PASSWORD": PASSWORD,
    }.items():
        assert told in script
        script = script.replace(told, known)
    work = folder / "work"
    work.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=work,
        env={**os.environ, "PATH": path, "HOME": str(work), **NO_KEYRING},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(MARK)


@pytest.mark.system
def test_the_component_passes_its_own_tests(said: list[str]) -> None:
    assert "2 passed" in said[1]


@pytest.mark.system
def test_it_is_published(said: list[str]) -> None:
    assert "Published: acme.greetings.core.Greet" in said[2]


@pytest.mark.system
def test_a_flow_answers_with_what_it_says(said: list[str]) -> None:
    assert said[3].rstrip().endswith("Hello Ada, you are number 1!")


@pytest.mark.system
def test_it_is_changed_under_the_running_flow_and_removed_once_nothing_uses_it(said: list[str]) -> None:
    assert "Hello Bob, you are number 2!" in said[4]
    assert "Welcome Cleo, you are number 1!" in said[4]
    assert "in use" in said[4]
    assert said[4].rstrip().endswith("Removed: acme.greetings.core.Greet")


@pytest.mark.system
def test_one_in_javascript_does_the_same(said: list[str]) -> None:
    assert "passed  hello" in said[5]
    assert said[5].rstrip().endswith("Hello Ada!")
