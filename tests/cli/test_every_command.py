"""Laws of every command: an example in its help, a test that runs it, a place in the reference; and completion."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from headrace_cli.failures import MEANINGS, Status
from headrace_cli.main import app

from docs.generate import command_line

HERE = Path(__file__).parent


def commands(found: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command by the words that call it."""
    below: dict[str, Any] | None = getattr(found, "commands", None)
    if below is None:
        return {path: found}
    return {words: each for name in below for words, each in commands(below[name], (*path, name)).items()}


COMMANDS = commands(typer.main.get_command(app))


def words_in_tests() -> set[tuple[str, ...]]:
    """The words that tests give to commands: what is called `run`, `json`, `end`, `start`, `rpc`, `doctor` or `up`."""
    found: set[tuple[str, ...]] = set()
    for file in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                words = tuple(each.value for each in node.args if isinstance(each, ast.Constant))
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                found.add((name, *words) if name in ("rpc", "doctor", "up") else words)
            elif isinstance(node, ast.Tuple) and file.name == "test_rpc.py":
                found.add(("rpc", *(each.value for each in node.elts if isinstance(each, ast.Constant))))
    return found


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(words: tuple[str, ...]) -> None:
    told = str(COMMANDS[words].help)

    assert re.search(r"Examples?:", told)
    assert f"headrace {' '.join(words)}" in told


def test_every_command_is_run_by_a_test() -> None:
    seen = words_in_tests()

    assert [words for words in COMMANDS if not any(each[: len(words)] == words for each in seen)] == []


def test_every_command_and_status_is_in_the_reference() -> None:
    page = command_line()

    assert [words for words in COMMANDS if f"\n## headrace {' '.join(words)}\n" not in page] == []
    assert set(MEANINGS) == set(Status)
    assert [each for each in Status if f"| {int(each)} |" not in page] == []


def test_no_command_takes_a_password_as_an_argument() -> None:
    named = [(words, each.name) for words, found in COMMANDS.items() for each in found.params]

    assert [each for each in named if "password" in str(each[1])] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell: str) -> None:
    said = headrace("completion", shell)

    assert "_HEADRACE_COMPLETE" in said and "headrace" in said


def test_a_line_is_completed() -> None:
    asked = {"_HEADRACE_COMPLETE": "complete_bash", "COMP_WORDS": "headrace flow st", "COMP_CWORD": "2"}

    assert headrace(**asked).split() == ["start", "stop"]


def headrace(*words: str, **environ: str) -> str:
    command = [str(Path(sys.executable).with_name("headrace")), *words]
    ended = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
