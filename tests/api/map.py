"""The endpoints that the API is compatible with, as data: `map.txt` has one a line, by section.

A line is `METHOD /path`, and a word behind it where an issue of its own builds what the endpoint is about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r"\d\.\d ")
_PARAMETER = re.compile(r":\w+|{\w+}|(?<=/)\*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method at one path, as the map writes it."""

    section: str
    method: str
    path: str
    subject: str = ""  # what the issue that builds it is about; empty for the one on the API itself

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def place(self) -> tuple[str, str]:
        return place(self.method, self.path)


def place(method: str, path: str) -> tuple[str, str]:
    """Where a path leads whatever its parameters are called: two names of one place are equal."""
    return method, _PARAMETER.sub("{}", path)


def endpoints() -> list[Endpoint]:
    """Every endpoint of the map, in its order."""
    found: list[Endpoint] = []
    section = ""
    for line in (Path(__file__).parent / "map.txt").read_text().splitlines():
        if _SECTION.match(line):
            section = line
        elif line:
            method, path, *subject = line.split()
            found.append(Endpoint(section, method, path, *subject))
    return found
