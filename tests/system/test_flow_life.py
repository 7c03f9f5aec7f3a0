"""The life of a flow as a client of the REST API leads it, over one real platform that is killed on the way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from .process import Answer, Client, Process, as_json, wait_for

WEBHOOK, WAIT, SET = (
    "headrace.utils.http.Webhook",
    "headrace.utils.timers.Wait",
    "headrace.utils.controls.SetVariable",
)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("life"))
    process.start()
    yield process
    process.end(signal.SIGTERM)


def put(client: Client, path: str, body: Any, **headers: str) -> Answer:
    return client.call("PUT", path, as_json(body), {name.replace("_", "-"): value for name, value in headers.items()})


def step(component: str, source: str, port: str, lambda_: Any) -> dict[str, Any]:
    transform = {"in": {source: {port: {"type": "json2new", "modifiers": {}, "lambda": lambda_}}}}
    return {"type": component, "source": {"in": {source: [port]}}, "config": {"transform": transform}}


def descriptor(said: str) -> dict[str, Any]:
    row = {"type": "text", "name": "said", "text": said}
    return {
        "hook": {"type": WEBHOOK, "source": {}, "config": {}},
        "wait": step(WAIT, "hook", "trigger", {"interval": "5m"}),
        "say": step(SET, "wait", "out", {"variables": {"ADD": [row]}}),
    }


def test_a_flow_is_versioned_restored_updated_while_it_runs_and_its_waiting_runs_are_moved(process: Process) -> None:
    client = process.client()
    made = put(client, "/flows/life", {"name": "Life", "flow": descriptor("one")})
    read = client.get("/flows/life")
    again = put(client, "/flows/life", read.json(), If_Match=read.headers["etag"])
    assert (made.json()["result"], again.headers["etag"]) == ("created", read.headers["etag"])
    assert client.get("/flows/life").text == read.text

    ticket = client.post("/flows/life/coordinator?background", json={"command": "start"}).json()["ticket"]
    status = wait_for(lambda: done(client.get(f"/flows/life/coordinator/status?ticket={ticket}").json()), 20)
    assert status["status"] == "running", status
    run_id = client.post("/flows/life/components/hook?enqueueOnly=true", json={}).json()["runId"]
    wait_for(lambda: client.get(f"/runs/{run_id}").json()["state"] == "waiting", 20)

    refused = put(client, "/flows/life", {"flow": descriptor("two")})
    changed = put(client, "/flows/life?forceUpdate=true", {"flow": descriptor("two")})
    found = client.get("/flows/life/versions/1/diff/2").json()
    assert (refused.status_code, changed.status_code) == (409, 200)
    assert [each["componentId"] for each in found["components"]["changed"]] == ["say"]
    assert client.get(f"/runs/{run_id}").json()["flowVersion"] == 1

    preview = client.post("/flows/life/migrate", json={"dryRun": True}).json()
    moved = client.post("/flows/life/migrate", json={}).json()
    assert (
        [(each["runId"], each["moved"]) for each in preview["runs"]]
        == [(run_id, True)]
        == [(each["runId"], each["moved"]) for each in moved["runs"]]
    )
    assert client.get(f"/runs/{run_id}").json()["flowVersion"] == 2

    client.post("/flows/life/versions", json={"label": "second"})
    restored = client.post("/flows/life/versions/1/restore?forceUpdate=true").json()
    versions = client.get("/flows/life/versions?projection=-flow").json()
    assert restored["version"] == 3
    assert [(each["version"], each["label"]) for each in versions["items"]] == [(3, ""), (2, "second"), (1, "")]


def test_a_template_updates_its_instances_though_the_platform_is_killed(process: Process) -> None:
    client = process.client()
    offer = {"name": "Offer", "type": "integration-template", "flow": descriptor("offer")}
    template = client.post("/flows", json=offer).json()["flowId"]
    wish = {"isTemplateInstance": True, "setComponentIdMap": True}
    copies = [client.post(f"/flows/{template}/clone", json=wish).json()["cloneId"] for _ in range(5)]
    put(client, f"/flows/{template}", {"flow": descriptor("better")})

    ticket = client.post(f"/integrations/{template}/update-integration-instances", json={}).json()["ticket"]
    process.end(signal.SIGKILL)
    process.start()
    client = process.client()
    status = wait_for(lambda: ended(client.get(f"/integrations/status/{ticket}").json()), 30)

    assert (status["status"], status["stepsCompleted"], status["stepsTotal"]) == ("completed", 5, 5)
    for copy in copies:
        flow = client.get(f"/flows/{copy}").json()
        say = flow["flow"][flow["componentIdMap"]["say"]]
        assert "better" in str(say["config"]) and flow["templateVersion"] == 2


def test_the_designer_is_offered_what_runs_sent(process: Process) -> None:
    client = process.client()
    put(client, "/flows/offered", {"name": "Offered", "flow": descriptor("x")})
    client.post("/flows/offered/coordinator", json={"command": "start"})
    run_id = client.post("/flows/offered/components/hook?enqueueOnly=true", json={"name": "ada"}).json()["runId"]
    wait_for(lambda: client.get(f"/runs/{run_id}").json()["state"] == "waiting", 20)

    asked = {"components": {"IDs": ["wait"]}}
    found = client.post("/variables/offered/fetch", json=asked).json()

    variables = found["components"]["wait"]["links"]["in"]["hook"]["trigger"]["variables"]
    samples = {each["value"]: each.get("sample") for each in variables["static"] + variables["dynamic"]}
    assert samples["{{{$.hook.trigger.method}}}"] == "POST"
    assert "g_flowId" in {each["name"] for each in found["flow"]}


def done(status: dict[str, Any]) -> dict[str, Any] | None:
    return status if status["stepsDone"] == status["stepsTotal"] else None


def ended(status: dict[str, Any]) -> dict[str, Any] | None:
    return status if status["status"] != "in-progress" else None


def test_a_flow_that_was_never_started_is_tried_from_one_component_on(process: Process) -> None:
    client = process.client()
    put(client, "/flows/tried", {"name": "Tried", "flow": descriptor("x")})
    message = {"variables": {"ADD": [{"type": "text", "name": "said", "text": "hello"}]}}

    answer = client.post("/flows/tried/test", json={"componentId": "say", "inputData": message})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert 'event: component:output\ndata: {"componentId":"say","port":"out","data":{"said":"hello"}}' in answer.text
    assert 'event: test:done\ndata: {"status":"done"' in answer.text
    assert client.get("/flows/tried").json()["stage"] == "stopped"
