"""The main job: a flow drawn as JSON runs from a webhook and a timer, on the real process, through kill -9."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .process import Client, Process, wait_for

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


def steps_of(client: Client, flow_id: str) -> list[str]:
    """The components that the flow's latest run has come through. The answer goes out before they are on record."""
    listed = client.get("/runs", params={"flowId": flow_id}).json()["items"]
    return [step["componentId"] for step in client.get(f"/runs/{listed[0]['runId']}").json()["steps"]]


@pytest.mark.system
def test_a_flow_answers_its_webhook_and_shows_its_run_steps_and_logs_and_survives_restart_and_kill(
    process: Process,
) -> None:
    client = process.client()
    flow_id = run_flow(client, "Hello", HELLO)
    hook = f"/flows/{flow_id}/components/hook"

    answer = client.post(hook, json={"name": "ada"})
    assert (answer.status_code, answer.text) == (200, "Hello ADA!")
    wait_for(lambda: steps_of(client, flow_id) == ["hook", "greet", "answer"], 5)
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
