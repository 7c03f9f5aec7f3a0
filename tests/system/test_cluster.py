"""Server mode: two of each service over RabbitMQ, MongoDB's wire, Redis and Elasticsearch, all of them real."""

from __future__ import annotations

import base64
import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from headrace_core.ids import new_id

from .cluster import cluster, settings_of
from .process import ADMIN, Answer, Client, wait_for
from .services import ALL, Services
from .test_embedded import HELLO, run_flow, steps_of
from .test_services import START, live_lines, runs_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

GATEWAYS = ("gateway", "gateway.2")


@pytest.fixture(scope="module")
def services(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, rabbitmq_url: str, redis_url: str, elasticsearch_url: str
) -> Iterator[Services]:
    settings = settings_of(
        mongo=mongo_url,
        rabbitmq=rabbitmq_url,
        redis=redis_url,
        elasticsearch=elasticsearch_url,
        namespace=f"test-{new_id()}".lower(),
    )
    made = cluster(tmp_path_factory.mktemp("cluster"), settings, HEADRACE_EXECUTOR_LEASE="3s")
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture
def clients(services: Services) -> tuple[Client, Client]:
    """An administrator at each gateway."""
    first, second = (services.client(gateway) for gateway in GATEWAYS)
    return first, second


def hits(client: Client, flow_id: str) -> list[dict[str, str]]:
    answer = client.get("/logs", {"flowId": flow_id})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, str]] = answer.json()["hits"]
    return found


def test_what_one_gateway_starts_runs_at_the_other(clients: tuple[Client, Client]) -> None:
    first, second = clients
    flow_id = run_flow(first, "Hello", HELLO)

    answers = [client.post(f"/flows/{flow_id}/components/hook", json={"name": "ada"}) for client in clients * 10]

    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "Hello ADA!")}
    wait_for(lambda: [run["state"] for run in runs_of(second, flow_id)] == ["done"] * 20, 10)
    assert steps_of(first, flow_id) == ["hook", "greet", "answer"]
    logs = wait_for(lambda: hits(second, flow_id), 20)
    assert {"hook", "greet"} & {hit["componentId"] for hit in logs}


def test_the_same_event_at_two_gateways_is_one_run(clients: tuple[Client, Client]) -> None:
    flow_id = run_flow(clients[0], "Hello", HELLO)

    def knock(client: Client) -> Answer:
        return client.post(f"/flows/{flow_id}/components/hook", json={"name": "ada"}, headers={"Idempotency-Key": "k"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(knock, clients * 4))

    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "Hello ADA!")}
    assert len({answer.headers["x-headrace-run-id"] for answer in answers}) == 1
    assert len(runs_of(clients[1], flow_id)) == 1


def test_a_new_version_and_a_stop_are_heard_by_every_executor(clients: tuple[Client, Client]) -> None:
    first, second = clients
    flow_id = run_flow(first, "Hello", HELLO)
    hook = f"/flows/{flow_id}/components/hook"

    def heard(text: str, status: int) -> bool:
        answers = [client.post(hook, json={"name": "ada"}) for client in clients * 3]
        return {(answer.status_code, answer.text if status == 200 else "") for answer in answers} == {(status, text)}

    assert heard("Hello ADA!", 200)
    flow = second.get(f"/flows/{flow_id}").text.replace("Hello {{{who}}}!", "Good day {{{who}}}!")
    changed = second.call("PUT", f"/flows/{flow_id}?forceUpdate=true", flow.encode(), {})
    assert changed.status_code == 200, changed.text
    wait_for(lambda: heard("Good day ADA!", 200), 5)
    assert first.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"}).status_code == 200
    wait_for(lambda: heard("", 404), 5)


def test_two_schedulers_fire_what_is_due_once(clients: tuple[Client, Client]) -> None:
    flow_id = run_flow(clients[0], "Start", START)

    wait_for(lambda: {run["triggerId"] for run in runs_of(clients[1], flow_id)} == {"go", "clock"}, 20)

    time.sleep(3)  # a second fire would come within a moment: both schedulers look every second
    assert sorted(run["triggerId"] for run in runs_of(clients[0], flow_id)) == ["clock", "go"]


def test_a_live_view_shows_what_was_accepted_elsewhere(clients: tuple[Client, Client]) -> None:
    first, second = clients
    flow_id = run_flow(first, "Hello", HELLO)

    with live_lines(second, flow_id) as lines:
        assert next(line for line in lines if line == ": connected")
        for client in clients * 2:
            client.post(f"/flows/{flow_id}/components/hook", json={"name": "ada"})
        assert next(line for line in lines if line == "event: happening")
        assert next(line for line in lines if line == "event: log")


def test_a_drained_executor_is_so_after_its_restart_and_both_gateways_see_every_process(
    services: Services, clients: tuple[Client, Client]
) -> None:
    first, second = clients
    seen = [first.get("/system/processes").json(), second.get("/system/processes").json()]
    place = next(each for each in seen[0] if each["service"] == "executor")
    drained = f"/system/processes/executor/{place['instanceId']}"
    assert first.post(drained, json={"command": "drain"}).json()["state"] == "held"
    port = int(place["place"].rpartition(":")[2])
    name = next(each for each in services.replicas("executor") if services.ports[each] == port)
    services.ask_to_stop([name])
    services.start([name])

    def again() -> dict[str, Any]:
        found: list[dict[str, Any]] = second.get("/system/processes").json()
        return next(each for each in found if each["place"] == place["place"])

    held = wait_for(lambda: again() if again()["state"] != "away" else None, 20)
    flow_id = run_flow(first, "Hello", HELLO)
    answers = [client.post(f"/flows/{flow_id}/components/hook", json={"name": "ada"}) for client in clients * 4]
    claimed = again()["numbers"]["headrace_executor_settled_total"]
    back = second.post(f"/system/processes/executor/{held['instanceId']}", json={"command": "resume"}).json()

    assert [sorted(each["instanceId"] for each in found) for found in seen] == [
        sorted(each["instanceId"] for each in seen[0])
    ] * 2
    assert [each["service"] for each in seen[0]].count("gateway") == len(seen[0]) - 7 == 2
    assert (held["state"], held["heldBy"]) == ("held", ADMIN) and held["instanceId"] != place["instanceId"]
    assert {answer.text for answer in answers} == {"Hello ADA!"} and claimed == 0
    assert (back["state"], back["heldAt"]) == ("serving", None)


def test_stores_and_files_are_the_same_behind_both(clients: tuple[Client, Client]) -> None:
    first, second = clients
    store = first.post("/stores", json={"name": "orders"}).json()["storeId"]
    assert first.post(f"/store/{store}/one", json={"amount": 3}).status_code == 200
    assert second.get(f"/store/{store}/one").json()["value"] == {"amount": 3}

    content = base64.b64encode(b"x" * 700_000).decode()
    boundary = "b0undary"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\n{content}\r\n--{boundary}--\r\n"
    ).encode()
    sent = first.call("POST", "/files", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert sent.status_code in (200, 201), sent.text
    assert second.get(f"/files/{sent.json()['fileId']}").text == content


class Callers:
    """Callers who try the other gateway once when the first one fails them, until the block ends."""

    def __init__(self, services: Services, path: str) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._services = services
        self._path = path
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(3)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int) -> None:
        """Return when so many more were answered."""
        wanted = self.answered + count
        wait_for(lambda: self.answered >= wanted, 60)

    def _call(self, number: int) -> None:
        while not self._done.is_set():
            number += 1
            headers = {"Idempotency-Key": new_id()}
            first, second = GATEWAYS if number % 2 else GATEWAYS[::-1]
            wrong = self._try(first, headers)
            if wrong and (again := self._try(second, headers)):
                self.failed.append(f"{wrong}, then {again}")
            else:
                self.answered += 1

    def _try(self, gateway: str, headers: dict[str, str]) -> str:
        """What went wrong; empty when nothing did."""
        try:
            answer = Client(self._services.ports[gateway]).post(self._path, json={"name": "ada"}, headers=headers)
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        # A run that changed hands may be answered later than a caller waits: 202 says that it is on record and goes on.
        return "" if answer.status_code in (200, 202) else f"{answer.status_code} {answer.text}"


@pytest.mark.parametrize("service", [name for name in ALL if name != "logging"])
def test_nobody_notices_that_one_of_two_is_killed(services: Services, service: str) -> None:
    client = services.client()
    flow_id = run_flow(client, "Hello", HELLO)

    with Callers(services, f"/flows/{flow_id}/components/hook") as callers:
        for name in services.replicas(service):
            callers.more(10)
            services.kill(name)
            callers.more(10)
            services.start([name])

    assert callers.failed == []
    wait_for(lambda: {run["state"] for run in runs_of(services.client(), flow_id)} == {"done"}, 20)


def test_each_process_is_replaced_in_turn_and_no_call_fails(services: Services) -> None:
    flow_id = run_flow(services.client(), "Hello", HELLO)

    with Callers(services, f"/flows/{flow_id}/components/hook") as callers:
        for name in services.names:
            callers.more(5)
            assert services.ask_to_stop([name]) == {name: 0}
            services.start([name])
        callers.more(5)

    assert callers.failed == []
