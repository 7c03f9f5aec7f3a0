"""The three flows at a running Headrace, made and asked over its REST API like anyone does."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from bench.calls import Reply, answers, demand
from bench.peers import headrace_flows as flows

EMAIL, PASSWORD = "bench@example.org", "bench-only-password"
SIGN_IN = {"HEADRACE_ADMIN_EMAIL": EMAIL, "HEADRACE_ADMIN_PASSWORD": PASSWORD}
PAGE = 1_000


class Site:
    """One gateway's address and what was made there."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._token = ""
        self._chain_id = ""
        self.echo_url = self.chain_url = self.branch_url = ""

    def is_up(self) -> bool:
        return answers("GET", f"{self._base}/health/ready")

    def build(self) -> None:
        """Sign in, make the three flows and start them."""
        signed_in = demand("POST", f"{self._base}/user/auth", {"email": EMAIL, "password": PASSWORD})
        self._token = signed_in.content["token"]
        self.echo_url = self._hook(self._run("F1 echo", flows.echo()))
        self._chain_id = self._run("F2 chain", flows.chain())
        self.chain_url = self._hook(self._chain_id)
        self.branch_url = self._hook(self._run("F3 branch", flows.branch()))

    def finished(self) -> int:
        """Its list counts up to 100,000 runs."""
        return int(self._runs(state="done", limit=1)["totalCount"])

    def last_finished_at(self) -> float:
        """The last to end is among the newest: 512 runs at most are on their way at a time."""
        found = self._runs(state="done", limit=PAGE)["items"]
        return max(datetime.fromisoformat(run["updated"]).timestamp() for run in found)

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
