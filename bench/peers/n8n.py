"""n8n in regular mode on SQLite, at its defaults: every execution is saved.

The expression engine is `vm` unless told otherwise; `legacy` is n8n's faster one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.calls import answers, demand, wait_until
from bench.load import EVENT
from bench.operations import Operations
from bench.peers import n8n_flows, node
from bench.process import Process, free_port

READY_SECONDS = 180.0
OWNER = {"email": "bench@example.org", "firstName": "Bench", "lastName": "Mark", "password": "Bench-Only-1"}
EXECUTIONS = "FROM execution_entity WHERE workflowId = ? AND status = 'success'"


class N8n:
    """Set up over its REST API; its executions are counted in its database, which is opened for reading only."""

    def __init__(self, home: Path, folder: Path, *, engine: str = "") -> None:
        self.name = f"n8n-{engine}" if engine else "n8n"
        self._home, self._folder, self._engine = home, folder, engine
        self._package = node.existing(home / "n8n/node_modules/n8n")
        self._port, self._broker_port = free_port(), free_port()
        self._base = f"http://127.0.0.1:{self._port}"
        self._process: Process | None = None
        self._chain_id = ""
        hooks = f"{self._base}/webhook"
        self.echo_url, self.chain_url, self.branch_url = (f"{hooks}/{path}" for path in ("echo", "chain", "branch"))

    def version(self) -> str:
        engine = f", expression engine {self._engine}" if self._engine else ""
        return f"n8n {node.version(self._home, self._package)}, SQLite{engine}"

    def prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self.launch()
        wait_until(self._is_up, READY_SECONDS, what=f"{self.name} is up")
        key = {"X-N8N-API-KEY": self._make_key()}
        self._activate(n8n_flows.echo(), key)
        self._chain_id = self._activate(n8n_flows.chain(), key)
        self._activate(n8n_flows.branch(), key)
        for url in (self.echo_url, self.chain_url, self.branch_url):
            wait_until(partial(answers, "POST", url, dict(EVENT)), READY_SECONDS, what=f"{url} answers")
        self.stop()

    def launch(self) -> None:
        self._process = Process(
            [node.executable(self._home), self._package / "bin/n8n", "start"],
            folder=self._folder,
            log=self._folder / f"{self.name}.log",
            environ=self._environ(),
        )

    def processes(self) -> Sequence[Process]:
        return [self._process] if self._process else []

    def finished(self) -> int:
        return int(self._query(f"SELECT count(*) {EXECUTIONS}"))

    def last_finished_at(self) -> float:
        stopped = datetime.fromisoformat(str(self._query(f"SELECT max(stoppedAt) {EXECUTIONS}")))
        return stopped.replace(tzinfo=UTC).timestamp()

    def operations(self) -> Operations:
        """It does not tell."""
        return {}

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def _environ(self) -> Mapping[str, str]:
        """Loopback only, nothing sent to anybody, quiet; an engine if one was chosen. The rest is n8n's default."""
        environ = {
            "PATH": f"{node.executable(self._home).parent}:{os.environ['PATH']}",
            "NODE_ENV": "production",
            "N8N_USER_FOLDER": str(self._folder),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_HOST": "127.0.0.1",
            "N8N_PORT": str(self._port),
            "N8N_RUNNERS_BROKER_PORT": str(self._broker_port),
            "N8N_SECURE_COOKIE": "false",
            "N8N_ENCRYPTION_KEY": "bench-only",
            "N8N_DIAGNOSTICS_ENABLED": "false",
            "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
            "N8N_TEMPLATES_ENABLED": "false",
            "N8N_PERSONALIZATION_ENABLED": "false",
            "N8N_DISABLED_MODULES": "mcp-registry",  # it asks a site for news at each start
            "N8N_LOG_LEVEL": "warn",
        }
        return environ | ({"N8N_EXPRESSION_ENGINE": self._engine} if self._engine else {})

    def _is_up(self) -> bool:
        for process in self.processes():
            process.check()
        return answers("GET", f"{self._base}/healthz/readiness")

    def _make_key(self) -> str:
        owner = demand("POST", f"{self._base}/rest/owner/setup", OWNER)
        cookie = {"Cookie": owner.headers["set-cookie"].partition(";")[0]}
        scopes = demand("GET", f"{self._base}/rest/api-keys/scopes", headers=cookie).content["data"]
        wanted = {"label": "bench", "expiresAt": None, "scopes": scopes}
        return str(demand("POST", f"{self._base}/rest/api-keys", wanted, cookie).content["data"]["rawApiKey"])

    def _activate(self, workflow: n8n_flows.Workflow, key: Mapping[str, str]) -> str:
        made = demand("POST", f"{self._base}/api/v1/workflows", workflow, key).content
        demand("POST", f"{self._base}/api/v1/workflows/{made['id']}/activate", headers=key)
        return str(made["id"])

    def _query(self, query: str) -> Any:
        path = self._folder / ".n8n/database.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(query, (self._chain_id,)).fetchone()[0]
