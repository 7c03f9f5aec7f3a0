"""A test flow in Appmixer's own format runs to its end over the REST API: 12 nodes, under both prefixes."""

from __future__ import annotations

import json
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .process import Client, Process, wait_for

FLOW = Path(__file__).parent / "flows" / "e2e_controls.json"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    process = Process(tmp_path_factory.mktemp("e2e"))
    process.start()
    yield process.client()
    process.end(signal.SIGTERM)


class Outcome:
    """One run of the test flow, and the two stores that its last node files the result in."""

    def __init__(self, client: Client, text: str) -> None:
        passed, failed = self._stores = [_new_store(client, name) for name in ("passed", "failed")]
        record = json.loads(text.replace('"PASSED"', f'"{passed}"').replace('"FAILED"', f'"{failed}"'))
        self.labels = {name: node["label"] for name, node in record["flow"].items()}
        made = client.post("/flows", json=record)
        assert made.status_code == 200, made.text
        self.flow_id = str(made.json()["flowId"])
        started = client.post(f"/flows/{self.flow_id}/coordinator", json={"command": "start"})
        assert started.status_code == 200, started.text
        self._client = client
        self.run = wait_for(self._find_run, 20)

    def _find_run(self) -> dict[str, Any] | None:
        for each in self._client.get("/runs", params={"flowId": self.flow_id}).json()["items"]:
            if self.labels.get(each["triggerId"]) == "Go" and each["state"] in ("done", "failed"):
                found: dict[str, Any] = self._client.get(f"/runs/{each['runId']}").json()
                return found
        return None

    @property
    def steps(self) -> Counter[str]:
        """How often each node was called; a timeout that was cleared calls nobody."""
        called = (step for step in self.run["steps"] if step["outcome"] != "skipped")
        return Counter(self.labels[step["componentId"]] for step in called)

    def outputs(self, label: str) -> list[tuple[str, Any]]:
        return [
            (output["port"], output["content"])
            for step in self.run["steps"]
            if self.labels[step["componentId"]] == label
            for output in step["outputs"]
        ]

    @property
    def filed(self) -> list[list[tuple[str, Any]]]:
        """The records of the store of passed tests, then of the store of failed ones."""
        answers = [self._client.get("/store", params={"storeId": each}).json() for each in self._stores]
        return [[(record["key"], json.loads(record["value"])) for record in answer] for answer in answers]


def _new_store(client: Client, name: str) -> str:
    made = client.post("/stores", json={"name": f"{name} {uuid.uuid4()}"})
    assert made.status_code == 200, made.text
    return str(made.json()["storeId"])


@pytest.mark.system
@pytest.mark.parametrize("prefix", ["appmixer", "headrace"])
def test_a_test_flow_of_twelve_nodes_runs_to_its_end_and_files_that_it_passed(client: Client, prefix: str) -> None:
    outcome = Outcome(client, FLOW.read_text().replace('"appmixer.utils.', f'"{prefix}.utils.'))

    assert outcome.run["state"] == "done", outcome.run
    assert outcome.steps == {
        "Go": 1,
        "Amounts": 1,
        "Each amount": 1,
        "Above the limit?": 3,
        "Big": 2,
        "Small": 1,
        "Both ways": 3,
        "Three came": 3,
        "Items": 1,
        "Done": 1,
        "After all": 2,
        "Results": 1,
    }
    assert [port for port, _ in outcome.outputs("Above the limit?")] == ["false", "true", "true"]
    [(_, results)] = outcome.outputs("After all")
    assert {each["componentName"] for each in results} == {"Items", "Done"}
    assert [each["error"] for each in results] == [[], []]
    assert sorted(len(each["success"]) for each in results) == [2, 5]
    assert outcome.filed == [[("E2E Utils - Controls", results)], []]


@pytest.mark.system
def test_a_check_that_fails_files_the_test_among_the_failed_ones(client: Client) -> None:
    outcome = Outcome(client, FLOW.read_text().replace("[5, 50, 500]", "[5, 50, 600]"))

    assert outcome.run["state"] == "done", outcome.run
    passed, [(name, results)] = outcome.filed
    assert (passed, name) == ([], "E2E Utils - Controls")
    [failed] = [each for each in results if each["error"]]
    assert failed["componentName"] == "Items"
    assert "does not match" in failed["error"][0]
    assert len(failed["success"]) == 4
