"""The main job over five processes that speak gRPC on loopback, through outages and kill -9."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import write_certificates

from .process import Answer, Client, wait_for
from .services import ALL, Services
from .test_embedded import HELLO, run_flow, steps_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

START = {
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
}


class SlowSink:
    """A server whose first answer never comes and whose further ones come at once."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.called = threading.Event()
        self._released = threading.Event()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sink.keys.append(self.headers.get("Idempotency-Key", ""))
                if len(sink.keys) == 1:
                    sink.called.set()
                    sink._released.wait(120)
                with contextlib.suppress(ConnectionError):  # the first caller was killed
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def sink() -> Iterator[SlowSink]:
    made = SlowSink()
    yield made
    made.close()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = Services(tmp_path, HEADRACE_EGRESS_ALLOW_PRIVATE="true")
    try:
        made.start()
        yield made
    finally:
        made.end()


def calling(port: int) -> dict[str, Any]:
    """hook → call the sink (declared idempotent)."""
    url = {"url": f"http://127.0.0.1:{port}/call", "body": "{}"}
    return {
        "hook": {
            "type": "headrace.utils.http.WebhookTrigger",
            "x": 0,
            "y": 0,
            "source": {},
            "config": {"properties": {"immediateResponse": True}},
        },
        "call": {
            "type": "headrace.utils.http.Post",
            "x": 0,
            "y": 0,
            "source": {"in": {"hook": ["request"]}},
            "config": {
                "effect": "idempotent",
                "transform": {"in": {"hook": {"request": {"type": "json2new", "modifiers": {}, "lambda": url}}}},
            },
        },
    }


def runs_of(client: Client, flow_id: str) -> list[dict[str, Any]]:
    """The flow's runs; none while the executor is not reached yet."""
    answer = client.get("/runs", params={"flowId": flow_id})
    items: list[dict[str, Any]] = answer.json()["items"] if answer.status_code == 200 else []
    return items


def assert_away(answer: Answer) -> None:
    """The one answer to a call that needs a service that is down."""
    assert answer.status_code == 503, (answer.status_code, answer.text)
    said = answer.json()
    assert (said["statusCode"], said["error"], said["code"]) == (503, "Service Unavailable", "unavailable")
    assert said["message"] and said["requestId"]
    assert int(answer.headers["retry-after"]) >= 1


def test_the_main_job_runs_over_five_processes_and_they_drain(services: Services) -> None:
    client = services.client()
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

    started = run_flow(client, "Start", START)
    wait_for(
        lambda: {"go", "clock"} <= {run["triggerId"] for run in runs_of(client, started) if run["state"] == "done"}, 20
    )

    changed = client.call("PUT", f"/flows/{flow_id}?forceUpdate=true", _renamed(client, flow_id), {})
    assert changed.status_code == 200, changed.text
    wait_for(lambda: client.post(hook, json={"name": "ada"}).text == "Good day ADA!", 10)

    stopped = client.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    assert stopped.status_code == 200
    assert client.post(hook, json={"name": "ada"}).status_code == 404

    assert services.ask_to_stop() == dict.fromkeys(ALL, 0)


def _renamed(client: Client, flow_id: str) -> bytes:
    flow = client.get(f"/flows/{flow_id}").json()
    text = json.dumps({"flow": flow["flow"]})
    assert "Hello {{{who}}}!" in text
    return text.replace("Hello {{{who}}}!", "Good day {{{who}}}!").encode()


def test_stores_and_live_views_work_across_processes_and_open_views_hold_nobody_up(services: Services) -> None:
    client = services.client()
    store = client.post("/stores", json={"name": "orders"}).json()["storeId"]
    added = {
        "type": "headrace.utils.storage.OnItemAdded",
        "x": 0,
        "y": 0,
        "source": {},
        "config": {"properties": {"storeId": store}},
    }
    flow_id = run_flow(client, "Orders", {"added": added})

    with live_lines(client, flow_id) as lines:
        assert next(line for line in lines if line == ": connected")
        put = client.post(f"/store/{store}/first", json={"amount": 3})
        assert put.status_code == 200, put.text
        assert next(line for line in lines if line == "event: happening")
        assert next(line for line in lines if line == "event: log")
        wait_for(lambda: "store" in {run["triggerPort"] for run in runs_of(client, flow_id)}, 20)

        # Those behind the gateway go first, with the views still open, and nobody waits for the patience to run out.
        began = time.monotonic()
        behind = ALL[:-1]
        assert services.ask_to_stop(behind) == dict.fromkeys(behind, 0)
        assert time.monotonic() - began < 10
        assert "internal" not in "".join(lines)  # the view ends, and not by a mistake
    assert services.ask_to_stop(["gateway"]) == {"gateway": 0}


@contextlib.contextmanager
def live_lines(client: Client, flow_id: str) -> Iterator[Iterator[str]]:
    """The lines of the flow's live view, as they come, until the other side ends it."""
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    try:
        connection.request("GET", f"/flows/{flow_id}/live", headers=dict(client.headers))
        response = connection.getresponse()
        assert response.status == 200
        yield (line.decode().rstrip("\n") for line in response)
    finally:
        connection.close()


def test_with_certificates_each_service_does_its_job_and_no_more(tmp_path: Path) -> None:
    names = [name.replace("_", "-") for name in ALL]
    services = Services(tmp_path, certificates=write_certificates(tmp_path / "certificates", "operator", *names))
    resolve = "headrace.flow.v1.FlowService/ResolveFlow"
    at = ("--address", f"127.0.0.1:{services.ports['flow_manager']}", "--name", "flow-manager")
    try:
        services.start()
        client = services.client()
        flow_id = run_flow(client, "Hello", HELLO)
        assert client.post(f"/flows/{flow_id}/components/hook", json={"name": "ada"}).text == "Hello ADA!"
        started = run_flow(client, "Start", START)
        wait_for(lambda: {"go", "clock"} <= {run["triggerId"] for run in runs_of(client, started)}, 20)
        wait_for(lambda: client.get("/logs", params={"flowId": flow_id}).json()["hits"], 15)

        asked = json.dumps({"flowId": flow_id})
        answer = services.rpc("call", resolve, *at, "--data", asked)
        refused = services.rpc("call", resolve, *at, "--data", asked, caller="logging")
        healthy = services.rpc("health", *at, caller="logging")
    finally:
        services.end()

    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout)["stage"] == "FLOW_STAGE_RUNNING"
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("forbidden: ")
    assert healthy.returncode == 0


def test_large_events_that_arrive_together_get_through(services: Services) -> None:
    client = services.client()
    flow_id = run_flow(client, "Hello", HELLO)
    body = {"name": "ada", "padding": "x" * 1_000_000}

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.post(f"/flows/{flow_id}/components/hook", json=body), range(12)))

    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "Hello ADA!")}


def test_a_run_whose_executor_is_killed_finishes_after_its_restart(services: Services, sink: SlowSink) -> None:
    client = services.client()
    flow_id = run_flow(client, "Call", calling(sink.port))
    assert client.post(f"/flows/{flow_id}/components/hook", json={}).status_code == 200
    assert sink.called.wait(20)

    services.kill("executor")
    refused = client.post(f"/flows/{flow_id}/components/hook", json={})
    services.start(["executor"])

    assert_away(refused)
    wait_for(lambda: [run["state"] for run in runs_of(client, flow_id)] == ["done"], 40)
    assert len(sink.keys) == 2
    assert len(set(sink.keys)) == 1
    after = wait_for(lambda: _accepted(client, flow_id), 20)
    assert after.status_code == 200


def _accepted(client: Client, flow_id: str) -> Answer | None:
    answer = client.post(f"/flows/{flow_id}/components/hook", json={})
    return answer if answer.status_code != 503 else None


def test_a_service_that_is_down_is_named_by_a_503_and_all_goes_on_when_it_is_back(services: Services) -> None:
    client = services.client()
    flow_id = run_flow(client, "Hello", HELLO)
    hook = f"/flows/{flow_id}/components/hook"
    assert client.post(hook, json={"name": "ada"}).text == "Hello ADA!"

    services.kill("logging")
    assert_away(client.get("/logs", params={"flowId": flow_id}))
    assert client.post(hook, json={"name": "ada"}).text == "Hello ADA!"
    services.kill("scheduler")
    assert client.post(hook, json={"name": "ada"}).text == "Hello ADA!"
    timed = client.post("/flows", json={"name": "Start", "flow": START}).json()["flowId"]
    command = client.post(f"/flows/{timed}/coordinator", json={"command": "start"})
    assert command.status_code == 200, command.text  # it is on record and starts when the scheduler is back
    services.kill("flow_manager")
    assert_away(client.get("/flows"))
    assert_away(Client(services.port).post("/user/auth", json={"email": "a@example.org", "password": "long enough 1"}))

    services.start(["flow_manager", "scheduler", "logging"])

    wait_for(lambda: client.get("/flows").status_code == 200, 20)
    wait_for(lambda: client.post(hook, json={"name": "ada"}).text == "Hello ADA!", 20)
    wait_for(
        lambda: {"go", "clock"} <= {run["triggerId"] for run in runs_of(client, timed) if run["state"] == "done"}, 60
    )
    seen = wait_for(lambda: _logged_runs(client, flow_id) >= {run["runId"] for run in runs_of(client, flow_id)}, 30)
    assert seen  # what happened while the log service was down is in the log, too


def _logged_runs(client: Client, flow_id: str) -> set[str]:
    answer = client.get("/logs", params={"flowId": flow_id, "size": "100"})
    return {hit["runId"] for hit in answer.json()["hits"]} if answer.status_code == 200 else set()


def test_a_service_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    services = Services(tmp_path)
    services.start(["scheduler"])
    other = Services(tmp_path / "other", HEADRACE_SCHEDULER_LISTEN=f"127.0.0.1:{services.ports['scheduler']}")
    wrong = Services(tmp_path / "wrong", HEADRACE_TIMER_LEASE="soon")
    try:
        for each, words in ((other, "cannot listen"), (wrong, "HEADRACE_TIMER_LEASE")):
            each.folder.mkdir()
            with pytest.raises(AssertionError, match="cannot run"):
                each.start(["scheduler"])
            assert each.children["scheduler"].wait(10) == 1
            assert words in each.log("scheduler")
            assert "Traceback" not in each.log("scheduler")
    finally:
        for each in (services, other, wrong):
            each.end()
