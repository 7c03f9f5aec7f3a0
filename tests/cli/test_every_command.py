"""Laws of every command: an example in its help that is one, `--json`, a test that runs it, a place in the docs."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
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


PROMISED = """
    up | login | logout | whoami | doctor | completion
    flow ls | get | new | apply | diff | start | stop | logs | run | replay | export | import | rm
    connector new | test | pack | publish | ls | pull | rm
    run ls | show | retry | edit | decide
    dead ls | show | retry | rm
    store ls | new | get | set | rm | export
    token ls | new | rm
    user ls | show | new | set | password | rm
    profile ls | use | rm
    rpc list | describe | call | health
"""
"""What the command line is said to have; it may have more."""

WITHOUT_JSON = {("up",), ("completion",), ("rpc", "call")}
"""A server, a script for a shell, and what prints JSON anyway."""

RUNNERS = frozenset({"run", "json", "end", "start", "command", "at_terminal", "headrace", "rpc", "doctor", "up"})
"""What tests run the real command by."""


def promised() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for line in PROMISED.strip().splitlines():
        first, *others = (each.split() for each in line.split(" | "))
        found += [tuple(first), *((*first[:-1], *each) for each in others)]
    return found


def words_in_tests() -> set[tuple[str, ...]]:
    """The words that tests give to the real command."""
    found: set[tuple[str, ...]] = set()
    for file in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                words = tuple(each.value for each in node.args if isinstance(each, ast.Constant))
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name not in RUNNERS:
                    continue
                found.add((name, *words) if name in ("rpc", "doctor", "up") else words)
            elif isinstance(node, ast.Tuple) and file.name == "test_rpc.py":
                found.add(("rpc", *(each.value for each in node.elts if isinstance(each, ast.Constant))))
    return found


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(words: tuple[str, ...]) -> None:
    told = str(COMMANDS[words].help)

    assert re.search(r"Examples?:", told)
    assert f"headrace {' '.join(words)}" in told


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_examples_of_a_command_are_lines_that_it_takes(words: tuple[str, ...]) -> None:
    for line in re.findall(r"^(?:.*Example: )?\s*headrace (.*)$", str(COMMANDS[words].help), re.MULTILINE):
        given = shlex.split(re.split(r" [<>|] ", line)[0])  # what comes then is for the shell
        assert tuple(given[: len(words)]) == words
        with COMMANDS[words].make_context(words[-1], given[len(words) :]):
            pass


def test_every_promised_command_is_there() -> None:
    assert [words for words in promised() if words not in COMMANDS] == []


def test_every_command_speaks_json() -> None:
    without = {words for words, found in COMMANDS.items() if "--json" not in {o for p in found.params for o in p.opts}}

    assert without == WITHOUT_JSON


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


def test_the_version_is_that_of_the_package_and_help_has_a_short_form() -> None:
    assert headrace("--version") == f"headrace {version('headrace')}\n"
    assert headrace("flow", "ls", "-h") == headrace("flow", "ls", "--help")


def headrace(*words: str, **environ: str) -> str:
    command = [str(Path(sys.executable).with_name("headrace")), *words]
    ended = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
