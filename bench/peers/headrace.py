"""The embedded platform: `headrace up` at its defaults, so each answer comes after the commit."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.calls import Reply, answers, demand, wait_until
from bench.peers import headrace_flows as flows
from bench.process import Process, free_port

READY_SECONDS = 60.0
EMAIL, PASSWORD = "bench@example.org", "bench-only-password"
PAGE = 1_000


class Headrace:
    """Made and asked over its REST API, like anyone does."""

    name = "headrace"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = f"http://127.0.0.1:{free_port()}"
        self._process: Process | None = None
        self._token = ""
        self._chain_id = ""
        self.echo_url = self.chain_url = self.branch_url = ""

    def version(self) -> str:
        return f"Headrace {metadata.version('headrace')}, embedded, Python {platform.python_version()}"

    def prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self.launch()
        wait_until(self._is_up, READY_SECONDS, what=f"{self.name} is up")
        signed_in = demand("POST", f"{self._base}/user/auth", {"email": EMAIL, "password": PASSWORD})
        self._token = signed_in.content["token"]
        self.echo_url = self._hook(self._run("F1 echo", flows.echo()))
        self._chain_id = self._run("F2 chain", flows.chain())
        self.chain_url = self._hook(self._chain_id)
        self.branch_url = self._hook(self._run("F3 branch", flows.branch()))
        self.stop()

    def launch(self) -> None:
        port = self._base.rpartition(":")[2]
        self._process = Process(
            [sys.executable, "-m", "headrace_cli.main", "up"],
            folder=self._folder,
            log=self._folder / f"{self.name}.log",
            environ={
                "HEADRACE_PORT": port,
                "HEADRACE_DATA_DIR": str(self._folder / "data"),
                "HEADRACE_ADMIN_EMAIL": EMAIL,
                "HEADRACE_ADMIN_PASSWORD": PASSWORD,
                "HEADRACE_DRAIN_DELAY": "100ms",  # no balancer has to notice that it stops
            },
        )

    def processes(self) -> Sequence[Process]:
        return [self._process] if self._process else []

    def finished(self) -> int:
        """Its list counts up to 100,000 runs."""
        return int(self._runs(state="done", limit=1)["totalCount"])

    def last_finished_at(self) -> float:
        """The last to end is among the newest: 256 runs at most are on their way at a time."""
        found = self._runs(state="done", limit=PAGE)["items"]
        return max(datetime.fromisoformat(run["updated"]).timestamp() for run in found)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def _is_up(self) -> bool:
        for process in self.processes():
            process.check()
        return answers("GET", f"{self._base}/health/ready")

    def _runs(self, **query: str | int) -> dict[str, Any]:
        listed = self._ask("GET", f"/runs?{urlencode({'flowId': self._chain_id, **query})}")
        return dict(listed.content)

    def _run(self, name: str, flow: flows.Flow) -> str:
        flow_id = str(self._ask("POST", "/flows", {"name": name, "flow": flow}).content["flowId"])
        self._ask("POST", f"/flows/{flow_id}/coordinator", {"command": "start"})
        return flow_id

    def _hook(self, flow_id: str) -> str:
        return f"{self._base}/flows/{flow_id}/components/hook"

    def _ask(self, method: str, path: str, content: Any = None) -> Reply:
        return demand(method, self._base + path, content, {"Authorization": f"Bearer {self._token}"})
