"""Flows and integrations that go from one installation to another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.people import echo_flow
from tests.system.process import Process, as_json, wait_for

from .commands import covers
from .conftest import Arrival
from .person import Person

SHARED = [{"scope": "user", "permissions": ["read", "start", "stop"]}]


@pytest.fixture
def target(arrive: Arrival, other_platform: Process) -> Person:
    return arrive(other_platform)


@covers("transfer config")
def test_addresses_of_a_transfer_are_kept_shown_and_cleared(person: Person, other_platform: Process) -> None:
    there = f"http://127.0.0.1:{other_platform.port}"

    kept = person.run("transfer", "config", "-s", person.url, "-t", there)
    shown = person.run("transfer", "config")
    cleared = person.run("transfer", "config", "--clear")

    assert f"Source URL: {person.url}" in kept and f"Target URL: {there}" in kept
    assert f"Source URL: {person.url}" in shown and f"Target URL: {there}" in shown
    assert "cleared" in cleared and there not in person.run("transfer", "config")


@covers("transfer flow details")
def test_a_flow_is_described_with_the_versions_of_its_connectors(person: Person) -> None:
    flow_id = make(person, "described")
    version = person.json("/bundles")["appmixer.utils.http"]["version"]

    said = person.run("transfer", "flow", "details", flow_id)

    assert "Flow Name: described" in said
    assert f"Appmixer Version: {person.json('/')['version']}" in said
    assert f"appmixer.utils.http: {version}" in said


@covers("transfer flow")
def test_a_dry_run_tells_and_changes_nothing(person: Person, target: Person) -> None:
    draft, _ = integration(person)

    said = transfer(person, target, draft, "--dry-run")

    assert "No changes will be made" in said
    assert target.json("/flows") == []


@covers("transfer flow")
def test_an_integration_goes_over_and_its_instances_follow_its_changes(person: Person, target: Person) -> None:
    draft, _ = integration(person)

    transfer(person, target, draft)
    template = only(target.json("/flows", {"filter": "type:integration-template"}))["flowId"]
    instance = copy(target, template, isTemplateInstance=True, additional={"type": "integration-instance"})
    changed = echo_flow()
    changed["reply"]["x"] = 777
    put(person, draft, {"flow": changed})
    said = transfer(person, target, draft, "--update-instances", "--poll-interval", "50")

    moved = target.json(f"/flows/{draft}")
    assert (moved["name"], moved["flow"]) == ("an offer", changed)
    assert only(target.json("/flows", {"filter": "type:integration-template"}))["flowId"] == template
    places = wait_for(lambda: 777 in [node["x"] for node in target.json(f"/flows/{instance}")["flow"].values()], 10)
    assert places, said


def make(person: Person, name: str, **fields: Any) -> str:
    made = person.client.post("/flows", json={"name": name, "flow": echo_flow(), **fields})
    assert made.status_code == 200, made.text
    return str(made.json()["flowId"])


def integration(person: Person) -> tuple[str, str]:
    """A draft and the template that was published of it."""
    draft = make(person, "an offer", type="integration-draft")
    additional = {"type": "integration-template", "sharedWith": SHARED}
    return draft, copy(person, draft, setOriginFlowId=True, additional=additional)


def copy(person: Person, flow_id: str, **options: Any) -> str:
    made = person.client.post(f"/flows/{flow_id}/clone", json=options)
    assert made.status_code == 200, made.text
    return str(made.json()["cloneId"])


def put(person: Person, flow_id: str, changes: dict[str, Any]) -> None:
    answer = person.client.call("PUT", f"/flows/{flow_id}", as_json(changes), {})
    assert answer.status_code == 200, answer.text


def transfer(person: Person, target: Person, flow_id: str, *options: str) -> str:
    ends = ("--source-url", person.url, "--source-token", person.token)
    others = ("--target-url", target.url, "--target-token", target.token)
    return person.run("transfer", "flow", flow_id, *ends, *others, *options)


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(found) == 1, json.dumps(found)
    return found[0]
