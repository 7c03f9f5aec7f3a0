"""Compare the contracts of proto/ with their former state: `buf breaking`, from the repository's own history.

Against the last tag where there is one; else against where this branch left origin/main; on main itself against the
first parent. Nothing is fetched. A clone of a single commit has no former state, which is said and is no failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CONTRACTS = ("buf.yaml", "proto")


def main(root: Path, buf: str) -> int:
    base = baseline(root)
    if base is None:
        say("buf breaking: this clone has no earlier commit to compare with")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        former = Path(folder)
        try:
            unpack(root, base, former)
        except subprocess.CalledProcessError:
            say(f"buf breaking: {base} has no contracts yet")
            return 0
        outcome = subprocess.run([buf, "breaking", "--against", str(former)], cwd=root)
    if outcome.returncode:
        say(f"The contracts break those of {base}. Add fields, methods or a v2 package; never change what is there.")
    return outcome.returncode


def baseline(root: Path) -> str | None:
    """The name of the commit whose contracts must still hold."""
    for ask in (("describe", "--tags", "--abbrev=0"), ("merge-base", "HEAD", "origin/main")):
        found = asked(root, *ask)
        if found and found != asked(root, "rev-parse", "HEAD"):
            return found
    return asked(root, "rev-parse", "--verify", "--quiet", "HEAD^")


def unpack(root: Path, commit: str, folder: Path) -> None:
    """Write the contracts of a commit into the folder. Raises CalledProcessError where it has none."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", commit, *CONTRACTS], cwd=root, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)


def asked(root: Path, *words: str) -> str | None:
    """What git answers; None where it refuses."""
    outcome = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    return outcome.stdout.strip() or None if outcome.returncode == 0 else None


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


if __name__ == "__main__":
    # Beside the interpreter first: that is where the environment keeps its tools.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    sys.exit(main(Path(__file__).resolve().parent.parent, "buf"))
