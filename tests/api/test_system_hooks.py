"""System webhooks on a whole platform: a real receiver is told what happens, signed, and once if it takes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from headrace_core import webhook_signatures
from headrace_core.system_events import EVENTS
from headrace_core.webhook_signatures import SignedRequest

from tests.listening import listening
from tests.provider import provider

from .conftest import open_people
from .connector import VENDOR, flow
from .people import EMBEDDED, FAILING, HOOK, People, failing_flow, make_running, people_at, until
from .test_accounts import connect, ready

pytestmark = pytest.mark.timeout(120)


@dataclass
class Receiver:
    """An address that is told. `answers` are given first, then 200."""

    url: str = ""
    secret: str = ""
    answers: list[int] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Ids that were told and answered badly."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        parts = [each.partition(": ") for each in head.decode().split("\r\n")[1:] if each]
        headers = [(name.lower(), value) for name, _, value in parts]
        body = await reader.readexactly(int(dict(headers).get("content-length", "0")))
        status = self.answers.pop(0) if self.answers else 200
        self._take(headers, body, status)
        writer.write(f"HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 4\r\n\r\nwell".encode())
        await writer.drain()

    def _take(self, headers: list[tuple[str, str]], body: bytes, status: int) -> None:
        name = ""
        if self.secret:
            name = webhook_signatures.verify("standard", self.secret, SignedRequest(body, headers), datetime.now(UTC))
        if status == 200:
            self.told.append({"id": name, **json.loads(body)})
        else:
            self.refused.append(name)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.told if each.get("type") == event]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with listening(receiver.serve) as port:
        receiver.url = f"http://127.0.0.1:{port}/hook"
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def heard(holds: Callable[[], bool], within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110  # what a receiver was told is nobody's event
            await asyncio.sleep(0.02)


async def user_id(client: httpx.AsyncClient) -> str:
    return str((await client.get("/user")).json()["id"])


async def hook(people: People, receiver: Receiver, *events: str, users: list[str] | None = None) -> dict[str, Any]:
    """A webhook that is told of Ann only, or of these users."""
    wanted = {
        "url": receiver.url,
        "events": [*events],
        "users": [await user_id(people.ann)] if users is None else users,
    }
    made = await people.admin.post("/system/webhooks", json=wanted)
    assert made.status_code == 200, made.text
    receiver.secret = made.json()["secret"]
    found: dict[str, Any] = made.json()
    return found


def refusing_flow(url: str) -> dict[str, Any]:
    """A webhook before a step that calls an address."""
    found = failing_flow()
    transform = {"type": "json2new", "modifiers": {}, "lambda": {"url": url}}
    found[FAILING]["type"] = "appmixer.utils.http.Get"
    found[FAILING]["config"]["transform"]["in"][HOOK]["request"] = transform
    return found


async def test_a_flow_that_starts_fails_and_stops_is_told_of(people: People, receiver: Receiver) -> None:
    made = await hook(people, receiver, "component.error", "message.unprocessed", "flow.started", "flow.stopped")
    nowhere = f"{str(people.ann.base_url).rstrip('/')}/nothing/here"
    receiver.answers = [500]  # of the first of all; it comes again half a minute later
    flow_id = await make_running(people.ann, refusing_flow(nowhere), "Told of")
    await make_running(people.bob, failing_flow(), "Somebody else's")
    await heard(lambda: len(receiver.refused) == 1)
    await people.admin.post(f"/system/webhook-deliveries/{receiver.refused[0]}/again")  # changes nothing: it is pending
    other = await hook(people, receiver, "component.error", "message.unprocessed", "flow.stopped")
    await asyncio.sleep(2.1)  # until every process knows of it
    await people.ann.post(f"/flows/{flow_id}/components/{HOOK}", json={})
    await heard(lambda: len(receiver.of("component.error")) == len(receiver.of("message.unprocessed")) == 1)
    await people.ann.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    await heard(lambda: len(receiver.of("flow.stopped")) == 1)

    username = (await people.ann.get("/user")).json()["username"]
    common = {"flowId": flow_id, "flowName": "Told of", "userId": await user_id(people.ann), "username": username}
    [failed], [stopped] = receiver.of("component.error"), receiver.of("flow.stopped")
    data = failed["data"]
    [message] = (await people.ann.get(f"/unprocessed-messages?flowId={flow_id}")).json()
    assert {name: data[name] for name in common} == common
    assert (data["componentId"], data["componentType"]) == (FAILING, "headrace.utils.http.Get")
    assert data["err"]["message"] and data["inputMessages"] == {"in": [{"url": nowhere}]}
    assert (data["messageId"], data["runId"]) == (message["messageId"], message["runId"])
    assert stopped["data"] == {**common, "reason": None}
    for each in (made, other):
        listed = (await people.admin.get("/system/webhook-deliveries", params={"webhookId": each["id"]})).json()
        assert all(told["userId"] == common["userId"] for told in listed["items"])
    which = {"event": "flow.started", "state": "pending", "webhookId": made["id"]}
    started = (await people.admin.get("/system/webhook-deliveries", params=which)).json()
    assert [(each["status"], each["attempts"], each["answer"]) for each in started["items"]] == [(500, 1, "well")]
    assert (await people.admin.get(f"/system/webhook-deliveries/{failed['id']}")).json()["body"]["data"] == data


async def test_hooks_are_kept_tried_and_their_deliveries_looked_at(people: People, receiver: Receiver) -> None:
    made = await hook(people, receiver, "user.created")
    place = f"/system/webhooks/{made['id']}"
    read = await people.admin.get(place)
    tried = await people.admin.post(f"{place}/test", json={"event": "account.invalid"})
    wanted = {"url": receiver.url, "events": ["flow.started"], "description": "Ours", "active": False}
    changed = await people.admin.put(place, json=wanted, headers={"If-Match": read.headers["etag"]})
    stale = await people.admin.put(place, json=wanted, headers={"If-Match": read.headers["etag"]})
    renewed = await people.admin.post(f"{place}/secret")
    both = receiver.secret
    receiver.secret = renewed.json()["secret"]
    again = await people.admin.post(f"{place}/test", json={"event": "flow.started"})
    deliveries = (await people.admin.get("/system/webhook-deliveries", params={"webhookId": made["id"]})).json()
    wrong = await people.admin.post("/system/webhooks", json={"url": "file:///etc/passwd", "events": ["flow.started"]})
    unknown = await people.admin.post("/system/webhooks", json={"url": receiver.url, "events": ["flow.walked"]})

    assert "secret" not in read.json() and made["secret"].startswith("whsec_")
    assert (tried.status_code, tried.json()["state"], tried.json()["answer"]) == (200, "delivered", "well")
    assert (changed.status_code, stale.status_code) == (200, 409)
    assert (changed.json()["active"], changed.json()["description"], changed.json()["users"]) == (False, "Ours", [])
    assert receiver.secret != both and again.json()["state"] == "delivered"
    assert [each["event"] for each in deliveries["items"]] == ["flow.started", "account.invalid"]
    assert (wrong.status_code, "url" in wrong.json()["message"], unknown.status_code) == (400, True, 400)
    assert [each["event"] for each in (await people.admin.get("/system/webhook-events")).json()] == [*EVENTS]
    assert (await people.admin.delete(place)).status_code == 200
    assert (await people.admin.get(place)).status_code == 404
    assert (await people.admin.post(f"{place}/test", json={"event": "flow.started"})).status_code == 404
    gone = deliveries["items"][0]["id"]
    assert (await people.admin.get(f"/system/webhook-deliveries/{gone}")).status_code == 404
    assert made["id"] not in [each["id"] for each in (await people.admin.get("/system/webhooks")).json()]


async def test_nobody_but_administrators_sees_anything_of_it(people: People, receiver: Receiver) -> None:
    made = await hook(people, receiver, "flow.started")
    place = f"/system/webhooks/{made['id']}"
    answers = [
        *[
            await people.ann.get(each)
            for each in ("/system/webhooks", place, "/system/webhook-deliveries", "/system/webhook-events")
        ],
        await people.ann.post("/system/webhooks", json={"url": receiver.url, "events": ["flow.started"]}),
        await people.ann.post(f"{place}/secret"),
        await people.ann.post(f"{place}/test", json={"event": "flow.started"}),
        await people.ann.delete(place),
    ]

    assert {each.status_code for each in answers} == {403}
    trail = await people.admin.get("/system/audit", params={"filter": "action:POST /system/webhooks", "limit": "1"})
    assert made["secret"] not in trail.text and receiver.url in trail.text


async def test_an_account_that_is_refused_and_connected_again_is_told_of(people: People, receiver: Receiver) -> None:
    async with provider() as service:
        await ready(people, service, "oauth")
        flow_id = await make_running(people.ann, flow("oauth"))
        status = await connect(people, f"{VENDOR}.oauth.core.Work", componentId="work", flowId=flow_id)
        await hook(people, receiver, "account.invalid", "account.connected")
        await asyncio.sleep(2.1)  # until every process knows of it
        async with httpx.AsyncClient() as outside:
            await outside.post(f"{service.url}/withdraw")
        await people.ann.post(f"/flows/{flow_id}/components/hook", json={"n": 1})
        await heard(lambda: len(receiver.of("account.invalid")) == 1)
        await connect(people, f"{VENDOR}.oauth.core.Work", accountId=str(status["accountId"]))
        await heard(lambda: len(receiver.of("account.connected")) == 1)

    [invalid], [connected] = receiver.of("account.invalid"), receiver.of("account.connected")
    assert invalid["data"]["accountId"] == connected["data"]["accountId"] == status["accountId"]
    assert invalid["data"]["service"] == f"{VENDOR}:oauth" and invalid["data"]["reason"]


@EMBEDDED
async def test_a_key_of_the_configuration_is_told_as_appmixer_tells(people: People, receiver: Receiver) -> None:
    set_ = await people.admin.post("/config", json={"key": "WEBHOOK_FLOW_COMPONENT_ERROR", "value": receiver.url})
    await asyncio.sleep(2.1)  # until it is known
    flow_id = await make_running(people.ann, failing_flow())
    await people.ann.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": 5})
    await heard(lambda: len(receiver.told) == 1)
    [configured] = (await people.admin.get("/system/webhooks")).json()
    refused = await people.admin.delete(f"/system/webhooks/{configured['id']}")

    assert set_.status_code == 200, set_.text
    assert {"err", "flowId", "flowName", "userId", "username", "componentId", "componentType", "inputMessages"} <= {
        *receiver.told[0]
    }
    assert (receiver.told[0]["flowId"], configured["isConfigured"], refused.status_code) == (flow_id, True, 409)


async def test_who_signs_up_is_told_of_across_a_restart_and_once(receiver: Receiver, tmp_path: Path) -> None:
    async with open_people(tmp_path) as people:
        await hook(people, receiver, "user.created", users=[])
        receiver.answers = [503]
        async with people_at(str(people.admin.base_url).rstrip("/"), people.app):
            await heard(lambda: len(receiver.refused) + len(receiver.told) == 2)
        pending: Mapping[str, Any] = (await people.admin.get("/system/webhook-deliveries?state=pending")).json()
        [waiting] = pending["items"]
    async with open_people(tmp_path) as people:
        await until(
            lambda: people.admin.get(f"/system/webhook-deliveries/{waiting['id']}"), lambda it: it["attempts"] == 1
        )
        hooks = (await people.admin.get("/system/webhooks")).json()
        assert len(hooks) == 1

    names = [each["id"] for each in receiver.told]
    assert len(names) == len(set(names)) and receiver.refused == [waiting["id"]]
