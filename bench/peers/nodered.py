"""Node-RED: one process, flows in a file, messages in memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.calls import demand
from bench.operations import Operations
from bench.peers import node, nodered_flows
from bench.process import Process, free_port

SETTINGS = """module.exports = {
  uiHost: "127.0.0.1",
  uiPort: %d,
  flowFile: "flows.json",
  credentialSecret: "bench-only",
  telemetry: { enabled: false, updateNotification: false },
  diagnostics: { enabled: false },
  logging: { console: { level: "warn", metrics: false, audit: false } },
};
"""


class NodeRed:
    """At its defaults, but for telemetry and logs. Fields are set by `change` nodes in JSONata."""

    name = "node-red"

    def __init__(self, home: Path, folder: Path) -> None:
        self._home, self._folder = home, folder
        self._package = node.existing(home / "nr/node_modules/node-red")
        self._port = free_port()
        self._process: Process | None = None
        base = f"http://127.0.0.1:{self._port}"
        self.echo_url, self.chain_url, self.branch_url = (f"{base}/{path}" for path in ("echo", "chain", "branch"))
        self._count_url = f"{base}/count"

    def version(self) -> str:
        return f"Node-RED {node.version(self._home, self._package)}"

    def prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        (self._folder / "settings.js").write_text(SETTINGS % self._port)
        (self._folder / "flows.json").write_text(json.dumps(nodered_flows.everything()))

    def launch(self) -> None:
        red, settings = self._package / "red.js", self._folder / "settings.js"
        self._process = Process(
            [node.executable(self._home), red, "--userDir", self._folder, "--settings", settings],
            folder=self._folder,
            log=self._folder / f"{self.name}.log",
            environ={"NODE_ENV": "production"},
        )

    def processes(self) -> Sequence[Process]:
        return [self._process] if self._process else []

    def finished(self) -> int:
        """Counted by the last node of the chain, in memory: it begins anew with each launch."""
        return int(self._counts()["finished"])

    def last_finished_at(self) -> float:
        return float(self._counts()["last"]) / 1000

    def operations(self) -> Operations:
        """It does not tell."""
        return {}

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def _counts(self) -> dict[str, Any]:
        return dict(demand("GET", self._count_url).content)
