"""A platform that is killed again and again tells its webhooks of all that happened, and of nothing that did not."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from .process import Process, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

KILLS = 4
LIST = {"type": "json2new", "modifiers": {}, "lambda": {"list": 5}}
FLOW = {
    "hook": {
        "type": "appmixer.utils.http.WebhookTrigger", "x": 0, "y": 0, "source": {},
        "config": {"properties": {"immediateResponse": True}},
    },
    "fail": {
        "type": "appmixer.utils.controls.Each", "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}},
        "config": {"transform": {"in": {"hook": {"request": LIST}}}},
    },
}  # fmt: skip


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address, and what it is told."""
    heard: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            heard.append({"id": self.headers["webhook-id"], **body})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing to the terminal of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", heard
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, HEADRACE_EGRESS_ALLOW_PRIVATE="true", HEADRACE_SIGN_UP="open")
    process.start()
    yield process
    process.end(signal.SIGKILL)


def test_nothing_that_happened_goes_untold(platform: Process, told: tuple[str, list[dict[str, Any]]]) -> None:
    url, heard = told
    client = platform.client()
    events = ["user.created", "component.error", "message.unprocessed"]
    made = client.post("/system/webhooks", json={"url": url, "events": events})
    assert made.status_code == 200, made.text
    flow_id = client.post("/flows", json={"name": "Fails", "flow": FLOW}).json()["flowId"]
    assert client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"}).status_code == 200
    chance = random.Random(11)

    for number in range(KILLS):
        with contextlib.suppress(OSError, http.client.HTTPException):
            for each in range(2):
                user = {"username": f"u{number}-{each}@example.com", "password": "correct horse"}
                client.post("/user", json={**user, "email": user["username"]})
                client.post(f"/flows/{flow_id}/components/hook", json={"number": number})
        time.sleep(chance.uniform(0, 0.5))
        platform.end(signal.SIGKILL)
        platform.start()
        client = platform.client()

    def users() -> set[str]:
        found = client.get("/users", {"limit": "1000"}).json()
        return {each["email"] for each in found if each["email"].endswith("@example.com")}

    def messages() -> set[str]:
        return {each["messageId"] for each in client.get("/unprocessed-messages", {"flowId": flow_id}).json()}

    def of(event: str, name: str) -> set[str]:
        return {each["data"][name] for each in heard if each["type"] == event}

    def is_all_told() -> bool:
        return (
            len(messages()) == len(client.get("/runs", {"flowId": flow_id}).json()["items"])
            and of("message.unprocessed", "messageId") == of("component.error", "messageId") == messages()
            and of("user.created", "email") == users()
        )

    wait_for(is_all_told, 150)
    assert len(users()) >= KILLS and len(messages()) >= KILLS
    same = {(each["type"], each["data"].get("messageId") or each["data"]["email"]): set[str]() for each in heard}
    for each in heard:
        same[each["type"], each["data"].get("messageId") or each["data"]["email"]].add(each["id"])
    assert {len(ids) for ids in same.values()} == {1}, "who is told twice sees that by the id"
