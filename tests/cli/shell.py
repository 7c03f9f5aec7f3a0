"""Somebody at a shell with the real `headrace`: a home of their own, and what each command printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.process import PASSWORD, Client, as_json, wait_for

PATIENCE_SECONDS = 60
NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
os.environ.update(NO_KEYRING)  # nobody's own keyring is touched by tests


class Shell:
    """Runs commands in `home`, signed in at a host as whom `client` calls for."""

    def __init__(self, home: Path, client: Client, email: str) -> None:
        self.home = home
        self.client = client
        self.email = email
        self.url = f"http://127.0.0.1:{client.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environ = {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "COLUMNS": "200"}

    def run(self, *words: str, given: str = "", status: int = 0, **environ: str) -> str:
        """What a command prints on both outputs. It must end with the status."""
        done = self.end(*words, given=given, **environ)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str, given: str = "", status: int = 0, **environ: str) -> Any:
        """What a command with --json prints; nothing else may stand on the standard output."""
        done = self.end(*words, "--json", given=given, **environ)
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    def end(self, *words: str, given: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words),
            input=given,
            cwd=self.home,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on by itself."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def command(self, *words: str) -> list[str]:
        return [str(Path(sys.executable).with_name("headrace")), *words]

    def sign_in(self) -> None:
        self.run("login", self.url, "--email", self.email, given=f"{PASSWORD}\n")

    def ask(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """What the API answers this person."""
        answer = self.client.get(path, params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def write(self, name: str, value: Any) -> str:
        """A JSON file in the home; its name."""
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_json(value))
        return name

    def make_running(self, flow: dict[str, Any], name: str) -> str:
        """A flow that runs; its id."""
        flow_id = str(self.client.post("/flows", json={"name": name, "flow": flow}).json()["flowId"])
        started = self.client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
        assert started.status_code == 200, started.text
        return flow_id

    def until(self, path: str, holds: Any) -> Any:
        """What the API answers once it holds."""

        def found() -> Any:
            told = self.ask(path)
            return told if holds(told) else None

        return wait_for(found, 20)
