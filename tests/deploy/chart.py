"""`make chart`: the chart linted and rendered by the real helm, and what comes out looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.servers.places import alone, cache

from . import manifests

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "headrace"
FULL = CHART / "ci" / "full-values.yaml"
HELM = "3.19.0"
KUBERNETES = "1.30.0"
REFUSED = ("logs.indexing=nobody", "executor.replicas=0", "gateway.replica=2", "redis.secret=", "publicUrl=flows")


def helm() -> Path:
    """The program, built once into the cache."""
    folder = cache() / f"helm-{HELM}"
    with alone("helm"):
        if not (folder / "helm").exists():
            folder.mkdir(exist_ok=True)
            environ = {**os.environ, "GOBIN": str(folder)}
            subprocess.run(["go", "install", f"helm.sh/helm/v3/cmd/helm@v{HELM}"], env=environ, check=True)
    return folder / "helm"


def rendered(*options: str) -> list[dict[str, Any]]:
    """The manifests of a release named `flows`."""
    command = [helm(), "template", "flows", CHART, "--namespace", "apps", "--kube-version", KUBERNETES, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [each for each in YAML(typ="safe", pure=True).load_all(done.stdout) if each]


def main() -> int:
    ways: Sequence[Sequence[str]] = ([], ["--values", str(FULL)])
    problems: list[str] = []
    for way in ways:
        subprocess.run([helm(), "lint", "--strict", "--kube-version", KUBERNETES, CHART, *way], check=True)
        problems += manifests.problems(rendered(*way))
    for value in REFUSED:
        command = [helm(), "template", "flows", CHART, "--kube-version", KUBERNETES, "--set", value]
        if subprocess.run(command, capture_output=True).returncode == 0:
            problems.append(f"{value} is taken")
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    sys.stdout.write(f"{len(ways)} renderings, {len(REFUSED)} wrong values, {len(problems)} problems\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
