"""What compose.yaml and deploy/Dockerfile say, as data: the commands, settings and health checks of the services."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose.yaml"
TLS = ROOT / "deploy" / "compose.tls.yaml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
SERVICES = ("flow-manager", "scheduler", "executor", "logging", "gateway")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def read(path: Path = COMPOSE) -> dict[str, Any]:
    """The file, its anchors and merges resolved."""
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text())
    return found


def service(name: str) -> dict[str, Any]:
    """One service as the file describes it."""
    found: dict[str, Any] = read()["services"][name]
    return found


def entrypoint() -> list[str]:
    """The image's ENTRYPOINT."""
    (found,) = re.findall(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)
    return [str(word) for word in json.loads(found)]


def command(name: str) -> list[str]:
    """What a container of this service runs, with this machine's Python in place of the image's."""
    return _here([*entrypoint(), *service(name)["command"]])


def health_check(name: str) -> list[str]:
    """What tells whether the container is healthy, with this machine's Python in place of the image's."""
    kind, *words = service(name)["healthcheck"]["test"]
    assert kind == "CMD", f"the health check of {name} is no plain command"
    return _here(words)


def environment(name: str) -> dict[str, str]:
    """The service's variables, where nobody sets anything around compose."""
    given: Mapping[str, str] = service(name).get("environment", {})
    return {key: _VARIABLE.sub(lambda found: found[2] or "", str(value)) for key, value in given.items()}


def variables() -> set[str]:
    """The variables that somebody may set around compose."""
    return {found[0] for found in _VARIABLE.findall(COMPOSE.read_text())}


def _here(words: list[str]) -> list[str]:
    assert words[0] == "python", words
    return [sys.executable, *words[1:]]
