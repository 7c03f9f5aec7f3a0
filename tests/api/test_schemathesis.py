"""Schemathesis reads the served OpenAPI document and calls a running platform by it, as each role."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..system.process import Process

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

SECONDS = 20
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
# What ends the token that all of this is called with, and a stream that has no end.
LEFT_OUT = r"sign-out|change-password|live$"
ROLES = {"user": ["user"], "vendor": ["user", "acme"], "admin": ["user", "admin"]}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, WEBHOOK_REQUEST_TIMEOUT="100ms")
    process.start()
    yield process
    process.end(signal.SIGKILL)


def token_of(process: Process, role: str) -> str:
    """The token of a new user of the role."""
    client = process.client()
    made = client.post("/user", {"username": f"the-{role}", "password": "correct horse battery"}).json()
    changes = json.dumps({"scope": ROLES[role], "vendor": "acme"}).encode()
    given = client.call("PUT", f"/users/{made['user']['id']}", changes, {})
    assert given.status_code == 200, given.text
    return str(made["token"])


@pytest.mark.parametrize("role", ROLES)
def test_the_platform_answers_as_its_document_says(role: str, platform: Process, tmp_path: Path) -> None:
    token = token_of(platform, role)
    base = f"http://127.0.0.1:{platform.client().port}"
    options = {
        "--header": f"Authorization: Bearer {token}",
        "--checks": ",".join(CHECKS),
        "--exclude-path-regex": LEFT_OUT,
        "--max-time": str(SECONDS),
        "--phases": "fuzzing,stateful",
        "--generation-database": "none",
        "--suppress-health-check": "all",
        "--workers": "1",
        "--seed": "20261127",
    }
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{base}/openapi.json", "--no-color"]
    words = [word for option in options.items() for word in option]

    done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)

    told = done.stdout[-6000:] + done.stderr[-2000:]
    assert done.returncode == 0, told
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None and passed[1] == passed[2] and int(passed[1]) >= 100, told
    assert platform.client().get("/health/ready").status_code == 200
