"""The commands of Appmixer's command line, as data: `commands.txt` has one a line, and what it needs behind it.

`METHOD /path` behind a command is an endpoint that it cannot do without: while that is not served, its tests are
expected to fail. `third-party: …` and `none: …` say why there is no test of ours.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.api import calls, map

HERE = Path(__file__).parent
Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Command:
    """One command, with the endpoint that it cannot do without or why nobody tries it here."""

    name: str
    needs: tuple[str, str] | None = None
    excuse: str = ""

    @property
    def is_served(self) -> bool:
        """Whether the platform has what the command is about."""
        return self.needs is None or map.place(*self.needs) in calls.served()


def commands() -> list[Command]:
    """Every command, in the order of the page."""
    return [_command(line) for line in (HERE / "commands.txt").read_text().splitlines()]


def covers(*names: str) -> Callable[[Test], Test]:
    """Says which commands a test holds to what they promise. Where one's endpoint is missing the test must fail."""
    known = {each.name: each for each in commands()}
    missing = [name for name in names if not known[name].is_served]
    if missing:
        return pytest.mark.xfail(reason=f"What {', '.join(missing)} needs is not served yet.", strict=True)
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
    name, _, rest = line.partition("  ")
    kind, _, what = rest.partition(" ")
    if kind.endswith(":"):
        return Command(name, excuse=rest)
    return Command(name, needs=(kind, what) if kind else None)
