"""`headrace rpc` lists contracts, and says what is wrong in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.services import Services


def rpc(*words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "headrace_cli.main", "rpc", *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)


def test_services_methods_and_requests_are_listed() -> None:
    services, methods = rpc("list"), rpc("list", "headrace.execution.v1.ExecutionService")
    request = rpc("describe", "headrace.flow.v1.FlowService/ResolveFlow")

    assert {"headrace.flow.v1.FlowService", "grpc.health.v1.Health"} <= set(services.stdout.split())
    assert "Accept(AcceptRequest) returns (stream AcceptResponse)" in methods.stdout.splitlines()
    assert "flowId: text" in request.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "nope.Service"), "not_found: "),
        (("call", "headrace.flow.v1.FlowService/Nope", "--address", "127.0.0.1:1"), "not_found: "),
        (("call", "headrace.flow.v1.FlowService/ResolveFlow", "--address", "127.0.0.1:1"), "unavailable: "),
        (("health", "--address", "127.0.0.1:1"), "unavailable: "),
        (
            ("call", "headrace.flow.v1.FlowService/ResolveFlow", "--address", "127.0.0.1:1", "--cert", "x.pem"),
            "validation_failed: ",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(words: tuple[str, ...], said: str) -> None:
    outcome = rpc(*words)

    assert outcome.returncode == 1
    assert outcome.stdout == ""
    assert outcome.stderr.startswith(said)
    assert "Traceback" not in outcome.stderr


def test_a_body_from_the_standard_input_is_checked_against_the_contract() -> None:
    words = ("call", "headrace.flow.v1.FlowService/ResolveFlow", "--address", "127.0.0.1:1", "--data", "-")

    outcome = rpc(*words, given='{"flow": "f1"}')

    assert outcome.returncode == 1
    assert outcome.stderr.startswith("bad_request: ")
    assert "flowId (text)" in outcome.stderr


def test_a_service_that_runs_is_asked_for_its_health_and_for_what_it_knows(tmp_path: Path) -> None:
    services = Services(tmp_path)
    try:
        services.start(["flow_manager"])
        at = ("--address", f"127.0.0.1:{services.ports['flow_manager']}")
        healthy = rpc("health", *at, "--json")
        asked = '{"builtin": true, "selector": "headrace.utils.http.Webhook"}'
        told = rpc("call", "headrace.catalog.v1.CatalogService/ListComponents", *at, "--data", asked)
        refused = rpc("call", "headrace.catalog.v1.CatalogService/ListComponents", *at)
    finally:
        services.end()

    assert (healthy.returncode, json.loads(healthy.stdout)["status"]) == (0, "SERVING")
    assert [each["type"] for each in json.loads(told.stdout)["components"]] == ["headrace.utils.http.Webhook"]
    assert refused.returncode == 1 and refused.stderr.startswith("bad_request: ") and "tenant" in refused.stderr


def test_with_json_lists_and_errors_are_json() -> None:
    services, fields = rpc("list", "--json"), rpc("describe", "headrace.flow.v1.FlowService/ResolveFlow", "--json")
    wrong = rpc("list", "nope.Service", "--json")

    assert "headrace.flow.v1.FlowService" in json.loads(services.stdout)
    assert json.loads(fields.stdout)["flowId"] == "text"
    assert "nope.Service" in json.loads(wrong.stderr)["error"]["message"]
