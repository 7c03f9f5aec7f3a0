"""Flows: brought in, listed, started, looked at, taken out."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.api.people import echo_flow
from tests.system.process import Client

from .commands import covers
from .person import Person

FLOW_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def bring_in(person: Person, name: str = "greets", **fields: Any) -> str:
    """Import a flow; its id as the command says it."""
    file = person.write(f"{name}.json", {"name": name, "flow": echo_flow(), **fields})
    said = person.run("flow", "import", str(file))
    found = FLOW_ID.search(said)
    assert found is not None, said
    return found[0]


@covers("flow import", "flow ls", "flow export")
def test_a_flow_that_goes_in_comes_out_as_it_was(person: Person) -> None:
    flow_id = bring_in(person, description="Says hello", customFields={"team": "greeters"})

    listed, described = person.run("flow", "ls"), person.run("flow", "ls", "-d")
    one = person.run("flow", "ls", flow_id)
    person.run("flow", "export", flow_id, "-o", "out.json")
    exported = json.loads((person.home / "out.json").read_text())

    assert f"[ greets ] : [ {flow_id} ] : [ stopped ]" in listed
    assert "appmixer.utils.http.WebhookTrigger" in described
    assert one.splitlines() == [f"Flow: {flow_id}", "Stage: stopped"]
    assert exported["flow"] == echo_flow() == person.json(f"/flows/{flow_id}")["flow"]
    assert {name: exported[name] for name in ("name", "description", "customFields")} == {
        "name": "greets",
        "description": "Says hello",
        "customFields": {"team": "greeters"},
    }


@covers("flow ls")
def test_flows_are_listed_by_their_type(person: Person) -> None:
    bring_in(person, "plain")
    bring_in(person, "offer", type="integration-template")

    listed = person.run("flow", "ls", "-t", "integration-template")

    assert "[ offer ]" in listed and "[ plain ]" not in listed


@covers("flow start", "flow stop", "flow remove")
def test_a_flow_runs_from_start_to_stop_and_is_gone_when_removed(person: Person) -> None:
    flow_id = bring_in(person)
    hook = f"/flows/{flow_id}/components/hook"

    started = person.run("flow", "start", flow_id, "--verbose")
    answered = person.client.post(hook, json={"name": "Ada"})
    stopped = person.run("flow", "stop", flow_id)
    stage = person.json(f"/flows/{flow_id}")["stage"]
    removed = person.run("flow", "remove", flow_id)
    missing = person.run("flow", "ls", flow_id, status=1)

    assert f"Flow {flow_id} successfully started." in started and "response code: 200" in started
    assert answered.text == "Ada"
    assert f"Flow {flow_id} successfully stopped." in stopped and stage == "stopped"
    assert f"Flow {flow_id} successfully removed." in removed
    assert f"There is no flow '{flow_id}'" in missing
    assert person.client.get(f"/flows/{flow_id}").status_code == 404


@covers("flow metrics")
def test_the_page_of_metrics_is_answered_where_it_shows_its_token(person: Person) -> None:
    flow_id = bring_in(person)
    person.run("flow", "start", flow_id)
    person.client.post(f"/flows/{flow_id}/components/hook", json={"name": "Ada"})

    said = person.run("flow", "metrics", flow_id, "-o", "page.html")

    page = (person.home / "page.html").read_text()
    assert "page.html" in said and flow_id in page and person.token in page
    # What the page asks for, as a browser does it for a file: with an origin of null. The catalog without its token.
    catalog = "/components?manifest=yes&private=no"
    told = Client(person.client.port).call("GET", catalog, None, {"Origin": "null"})
    assert told.status_code == 200, told.text
    assert told.headers["access-control-allow-origin"] in ("*", "null")
    assert "headrace.utils.http.Webhook" in {each["name"] for each in told.json()}
    search = "/logs?trace=true&excludes=inputMessages,annotatedMsg&from=0&size=50&sort=gridTimestamp:desc&flowId="
    asked = [
        ("GET", f"/flows/{flow_id}"),
        ("GET", f"/unprocessed-messages?flowId={flow_id}"),
        ("GET", f"/flows?filter=templateId:{flow_id}"),
        ("POST", f"{search}{flow_id}&query=gridTimestamp:%5B2020-01-01T00:00:00Z+TO+2100-01-01T00:00:00Z%5D"),
    ]
    for method, path in asked:
        answer = person.client.call(method, path, None, {"Origin": "null"})
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["access-control-allow-origin"] in ("*", "null"), path


@covers("test flow generate")
def test_a_flow_for_tests_is_made(person: Person) -> None:
    said = person.run("test", "flow", "generate", "checks")

    found = FLOW_ID.search(said)
    assert found is not None, said
    assert person.json(f"/flows/{found[0]}")["name"] == "checks"
