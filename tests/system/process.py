"""The embedded platform as a process of its own, and a client that leaves nothing behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

PASSWORD = "correct horse battery"
ADMIN = "root@example.org"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Client:
    """Calls over a connection each, so that nothing of a killed process is left over."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 20  # seconds

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", f"{path}?{urlencode(params)}" if params else path, None, {})

    def post(
        self, path: str, json: Any = None, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self.call("POST", path, content if content is not None else as_json(json), headers or {})

    def call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            sent = {"Content-Type": "application/json", "Connection": "close", **self.headers, **headers}
            connection.request(method, path, body, sent)
            with connection.getresponse() as response:
                names = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, response.read().decode(), names)
        finally:
            connection.close()


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


class Process:
    """`headrace up` with a data directory of its own."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.environ = environ
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environ = {
            **os.environ,
            "HEADRACE_PORT": str(self.port),
            "HEADRACE_DATA_DIR": str(self.folder / "data"),
            "HEADRACE_ADMIN_EMAIL": ADMIN,
            "HEADRACE_ADMIN_PASSWORD": PASSWORD,
            "HEADRACE_DRAIN_DELAY": "100ms",
            **self.environ,
        }
        with (self.folder / "log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "headrace_cli.main", "up"], env=environ, stdout=log, stderr=log
            )
        wait_for(self._is_ready, 30)

    def _is_ready(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return Client(self.port).get("/health/ready").status_code == 200
        return False

    @property
    def pid(self) -> int:
        assert self.child is not None, "The process is not running."
        return self.child.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal and wait for nothing."""
        os.kill(self.pid, number)

    def end(self, number: signal.Signals) -> int:
        if self.child is None:
            return 0
        self.child.send_signal(number)
        code = self.child.wait(40)
        self.child = None
        return code

    def client(self) -> Client:
        answer = Client(self.port).post("/user/auth", json={"email": ADMIN, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Client(self.port, {"Authorization": f"Bearer {answer.json()['token']}"})


def wait_for(check: Callable[[], Any], within: float) -> Any:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"It did not come about within {within} s.")
