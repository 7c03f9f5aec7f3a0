"""Executors as processes of their own over one MongoDB: killed, frozen, two of them, and a server that comes late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Mongo

from .process import wait_for
from .services import Services
from .test_embedded import HELLO, run_flow, steps_of
from .test_services import SlowSink, calling, runs_of, sink

__all__ = ["sink"]

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

LEASE = "3s"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mongo]:
    with Mongo(tmp_path / "mongo") as running:
        yield running


@pytest.fixture
def services(tmp_path: Path, server: Mongo) -> Iterator[Services]:
    made = Services(
        tmp_path,
        HEADRACE_EGRESS_ALLOW_PRIVATE="true",
        HEADRACE_MONGO_URL=server.url,
        HEADRACE_EXECUTOR_LEASE=LEASE,
    )
    try:
        made.start()
        yield made
    finally:
        made.end()


def test_runs_are_kept_in_mongodb_through_the_death_of_their_executor(services: Services, sink: SlowSink) -> None:
    client = services.client()
    hello = run_flow(client, "Hello", HELLO)
    answer = client.post(f"/flows/{hello}/components/hook", json={"name": "ada"})
    assert (answer.status_code, answer.text) == (200, "Hello ADA!")
    wait_for(lambda: steps_of(client, hello) == ["hook", "greet", "answer"], 5)
    wait_for(lambda: client.get("/logs", params={"flowId": hello}).json()["hits"], 15)
    flow_id = run_flow(client, "Call", calling(sink.port))

    assert client.post(f"/flows/{flow_id}/components/hook", json={}).status_code < 300
    assert sink.called.wait(20)
    services.kill("executor")
    services.start(["executor"])

    wait_for(lambda: [run["state"] for run in runs_of(client, flow_id)] == ["done"], 30)
    assert len(sink.keys) == 2 and len(set(sink.keys)) == 1  # the step was repeated, under the same key
    assert not (services.folder / "executor" / "executor").exists()


def test_a_mongodb_that_is_away_is_a_503_and_its_return_is_all_it_takes(services: Services, server: Mongo) -> None:
    client = services.client()
    flow_id = run_flow(client, "Hello", HELLO)
    hook = f"/flows/{flow_id}/components/hook"
    assert client.post(hook, json={"name": "ada"}).status_code == 200

    for hurt, heal in ((server.kill, server.start), (server.pause, server.resume)):
        hurt()
        away = client.post(hook, json={"name": "eve"})
        assert (away.status_code, int(away.headers["retry-after"]) >= 1) == (503, True)
        heal()
        wait_for(lambda: client.post(hook, json={"name": "bob"}).text == "Hello BOB!", 30)
