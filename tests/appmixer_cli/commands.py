"""The commands of Appmixer's command line, as data: `commands.txt` has one a line.

Behind a command `third-party: …` or `none: …` says why no test of ours tries it, `but: …` what of it does not work.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Command:
    """One command, why nobody tries it here, where nobody does, and what of it does not work."""

    name: str
    excuse: str = ""
    flaw: str = ""


def commands() -> list[Command]:
    """Every command, in the order of the page."""
    return [_command(line) for line in (HERE / "commands.txt").read_text().splitlines()]


def covers(*names: str) -> Callable[[Test], Test]:
    """Says which commands a test holds to what they promise. The page reads it from the source."""
    unknown = {*names} - {each.name for each in commands()}
    assert not unknown, f"{unknown} are no commands: see commands.txt"
    return lambda test: test


def holders() -> Mapping[str, list[str]]:
    """The tests of each command, read from their source."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for name in _covered(node):
                    found[name].append(f"{file.relative_to(HERE.parents[1]).as_posix()}::{node.name}")
    return found


def _covered(test: ast.FunctionDef) -> list[str]:
    return [
        str(argument.value)
        for each in test.decorator_list
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "covers"
        for argument in each.args
        if isinstance(argument, ast.Constant)
    ]


def _command(line: str) -> Command:
    name, _, said = line.partition("  ")
    kind, _, what = said.partition(": ")
    return Command(name, flaw=what) if kind == "but" else Command(name, excuse=said)
