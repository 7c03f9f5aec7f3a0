"""Schemathesis, which reads the served OpenAPI document and calls a running platform by it, as a role."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.system.process import Process

SEED = 20261127
"""What `make test` calls with, so that what passes passes again. `make chaos BAR=S1` calls with another each time."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
# What ends the token that all of this is called with, and a stream that has no end.
LEFT_OUT = r"sign-out|change-password|live$"
ROLES: Mapping[str, Sequence[str]] = {"user": ["user"], "vendor": ["user", "acme"], "admin": ["user", "admin"]}
SETTINGS = {"WEBHOOK_REQUEST_TIMEOUT": "100ms"}


@dataclass(frozen=True, slots=True)
class Called:
    """What came of it: how many calls were made up, and what was said where one of them found something."""

    generated: int
    passed: int
    complaint: str

    @property
    def holds(self) -> bool:
        return not self.complaint and self.generated == self.passed > 0


def call_by_document(platform: Process, role: str, folder: Path, *, seed: int, seconds: int) -> Called:
    """Call the platform for so many seconds a phase as a new user of the role. Equal seeds make equal calls."""
    base = f"http://127.0.0.1:{platform.client().port}"
    options = {
        "--header": f"Authorization: Bearer {token_of(platform, role)}",
        "--checks": ",".join(CHECKS),
        "--exclude-path-regex": LEFT_OUT,
        "--max-time": str(seconds),
        "--phases": "fuzzing,stateful",
        "--generation-database": "none",
        "--suppress-health-check": "all",
        "--workers": "1",
        "--seed": str(seed),
    }
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{base}/openapi.json", "--no-color"]
    words = [word for option in options.items() for word in option]
    patience = 100 + 5 * seconds
    done = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True, timeout=patience, check=False)
    found = max(done.stdout.find(" FAILURES ="), 0)
    told = done.stdout[found : found + 6000] + done.stderr[-2000:]
    counted = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    if done.returncode or counted is None:
        return Called(0, 0, told)
    return Called(int(counted[1]), int(counted[2]), "" if counted[1] == counted[2] else told)


def token_of(platform: Process, role: str) -> str:
    """The token of a new user of the role."""
    client = platform.client()
    made = client.post("/user", {"username": f"the-{role}", "password": "correct horse battery"}).json()
    changes = json.dumps({"scope": ROLES[role], "vendor": "acme"}).encode()
    given = client.call("PUT", f"/users/{made['user']['id']}", changes, {})
    assert given.status_code == 200, given.text
    return str(made["token"])
