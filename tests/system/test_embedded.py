"""The main job: a flow drawn as JSON runs from a webhook and a timer, on the real process, through kill -9."""

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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

PASSWORD = "correct horse battery"
ADMIN = "root@example.org"

HELLO = {
    "hook": {
        "type": "appmixer.utils.http.WebhookTrigger",
        "x": 64,
        "y": 16,
        "source": {},
        "config": {"properties": {"immediateResponse": False}},
    },
    "greet": {
        "type": "appmixer.utils.controls.SetVariable",
        "x": 256,
        "y": 16,
        "source": {"in": {"hook": ["request"]}},
        "config": {
            "transform": {
                "in": {
                    "hook": {
                        "request": {
                            "type": "json2new",
                            "modifiers": {
                                "variables": {
                                    "who": {
                                        "variable": "$.hook.request.data.name",
                                        "functions": [{"name": "g_uppercase"}],
                                    }
                                }
                            },
                            "lambda": {
                                "variables": {"ADD": [{"type": "text", "name": "text", "text": "Hello {{{who}}}!"}]}
                            },
                        }
                    }
                }
            }
        },
    },
    "answer": {
        "type": "appmixer.utils.http.Response",
        "x": 448,
        "y": 16,
        "source": {"in": {"greet": ["out"]}},
        "config": {
            "transform": {
                "in": {
                    "greet": {
                        "out": {
                            "type": "json2new",
                            "modifiers": {"body": {"text": {"variable": "$.greet.out.text", "functions": []}}},
                            "lambda": {"body": "{{{text}}}", "statusCode": 200},
                        }
                    }
                }
            }
        },
    },
}


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

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", f"{path}?{urlencode(params)}" if params else path, None, {})

    def post(
        self, path: str, json: Any = None, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self.call("POST", path, content if content is not None else as_json(json), headers or {})

    def call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
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

    def __init__(self, folder: Path) -> None:
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


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(tmp_path)
    made.start()
    yield made
    if made.child is not None:
        made.end(signal.SIGKILL)


def run_flow(client: Client, name: str, flow: dict[str, Any]) -> str:
    made = client.post("/flows", json={"name": name, "flow": flow})
    assert made.status_code == 200, made.text
    flow_id = str(made.json()["flowId"])
    started = client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    return flow_id


@pytest.mark.system
def test_a_flow_answers_its_webhook_and_shows_its_run_steps_and_logs_and_survives_restart_and_kill(
    process: Process,
) -> None:
    client = process.client()
    flow_id = run_flow(client, "Hello", HELLO)
    hook = f"/flows/{flow_id}/components/hook"

    answer = client.post(hook, json={"name": "ada"})
    assert (answer.status_code, answer.text) == (200, "Hello ADA!")
    listed = client.get("/runs", params={"flowId": flow_id}).json()["items"]
    run = client.get(f"/runs/{listed[0]['runId']}").json()
    assert [step["componentId"] for step in run["steps"]] == ["hook", "greet", "answer"]
    logs = wait_for(lambda: client.get("/logs", params={"flowId": flow_id}).json()["hits"], 15)
    assert {"hook", "greet"} & {hit["componentId"] for hit in logs}

    first = client.post(hook, json={"name": "eve"}, headers={"Idempotency-Key": "k1"})
    again = client.post(hook, json={"name": "bob"}, headers={"Idempotency-Key": "k1"})
    assert first.headers["x-headrace-run-id"] == again.headers["x-headrace-run-id"]

    assert process.end(signal.SIGTERM) == 0
    process.start()
    assert process.client().post(hook, json={"name": "ada"}).text == "Hello ADA!"
    process.end(signal.SIGKILL)
    process.start()
    client = process.client()
    assert client.post(hook, json={"name": "ada"}).text == "Hello ADA!"
    stopped = client.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    assert stopped.status_code == 200
    assert client.post(hook, json={"name": "ada"}).status_code == 404


@pytest.mark.system
def test_a_flow_that_begins_at_start_runs_and_a_schedule_fires(process: Process) -> None:
    client = process.client()
    flow = {
        "go": {"type": "appmixer.utils.controls.OnStart", "x": 0, "y": 0, "source": {}, "config": {}},
        "clock": {
            "type": "appmixer.utils.timers.SchedulerTrigger",
            "x": 0,
            "y": 96,
            "source": {},
            "config": {
                "properties": {
                    "scheduleType": "custom",
                    "customIntervalUnit": "minutes",
                    "customIntervalValue": 1,
                    "immediate": True,
                }
            },
        },
        "set": {
            "type": "appmixer.utils.controls.SetVariable",
            "x": 256,
            "y": 0,
            "source": {"in": {"go": ["out"]}},
            "config": {
                "transform": {
                    "in": {
                        "go": {
                            "out": {
                                "type": "json2new",
                                "modifiers": {
                                    "variables": {
                                        "day": {
                                            "variable": "$.go.out.started",
                                            "functions": [{"name": "g_formatDate", "params": [{"value": "YYYY"}]}],
                                        }
                                    }
                                },
                                "lambda": {
                                    "variables": {"ADD": [{"type": "text", "name": "stamp", "text": "{{{day}}}"}]}
                                },
                            }
                        }
                    }
                }
            },
        },
    }
    flow_id = run_flow(client, "Start", flow)

    def triggers() -> set[str]:
        listed = client.get("/runs", params={"flowId": flow_id}).json()["items"]
        return {run["triggerId"] for run in listed if run["state"] == "done"}

    wait_for(lambda: {"go", "clock"} <= triggers(), 15)


@pytest.mark.system
def test_bad_input_is_named_in_the_errors_of_the_api(process: Process) -> None:
    client = process.client()
    refused = client.post("/flows", json={"name": "x", "flow": {"a": {"type": "no", "x": 0, "y": 0, "source": {}}}})
    assert refused.status_code == 400
    assert refused.json()["problems"]
    made = client.post(
        "/flows",
        json={"name": "x", "flow": {"a": {"type": "acme.no.such.Thing", "x": 0, "y": 0, "source": {}, "config": {}}}},
    )
    flow_id = made.json()["flowId"]
    started = client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 400
    assert "acme.no.such.Thing" in started.text
    assert client.get(f"/flows/{flow_id}").json()["stage"] == "stopped"
    assert Client(process.port).get("/flows").status_code == 401
    assert client.get("/flows/nobody").status_code == 404
    broken = client.post(f"/flows/{flow_id}/components/a", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code in (400, 404)
