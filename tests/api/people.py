"""Who calls the platform in these tests, and what they own there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

ADMIN = "admin@example.com"
PASSWORD = "correct horse"
HOOK = "hook"
FAILING = "fail"


@dataclass(frozen=True, slots=True)
class People:
    """Clients that are signed in; Ann and Bob are tenants of their own. `app` is what they call, without the socket."""

    app: ASGIApp
    admin: httpx.AsyncClient
    ann: httpx.AsyncClient
    bob: httpx.AsyncClient


async def sign_up(admin: httpx.AsyncClient, email: str) -> httpx.AsyncClient:
    """A client of a user who is made now."""
    made = await admin.post("/user", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    return httpx.AsyncClient(base_url=admin.base_url, headers={"Authorization": f"Bearer {made.json()['token']}"})


def echo_flow() -> dict[str, Any]:
    """A webhook that answers with the name it is sent."""
    name = {"variable": f"$.{HOOK}.request.data.name", "functions": []}
    transform = {"type": "json2new", "modifiers": {"body": {"b": name}}, "lambda": {"body": "{{{b}}}"}}
    return {
        HOOK: _node("appmixer.utils.http.WebhookTrigger", {}, {"properties": {"immediateResponse": False}}),
        "reply": _node(
            "appmixer.utils.http.Response",
            {"in": {HOOK: ["request"]}},
            {"transform": {"in": {HOOK: {"request": transform}}}},
        ),
    }


def failing_flow() -> dict[str, Any]:
    """A webhook before a step that refuses a `list` of 5: what it is sent becomes an unprocessed message."""
    value = {"variable": f"$.{HOOK}.request.data.list", "functions": []}
    transform = {"type": "json2new", "modifiers": {"list": {"v": value}}, "lambda": {"list": "{{{v}}}"}}
    return {
        HOOK: _node("appmixer.utils.http.WebhookTrigger", {}, {"properties": {"immediateResponse": True}}),
        FAILING: _node(
            "appmixer.utils.controls.Each",
            {"in": {HOOK: ["request"]}},
            {"transform": {"in": {HOOK: {"request": transform}}}},
        ),
    }


async def make_running(client: httpx.AsyncClient, flow: dict[str, Any], name: str = "A flow") -> str:
    made = await client.post("/flows", json={"name": name, "flow": flow, "customFields": {"kind": "demo"}})
    assert made.status_code == 200, made.text
    flow_id = str(made.json()["flowId"])
    started = await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    return flow_id


async def until(asked: Callable[[], Awaitable[httpx.Response]], holds: Callable[[Any], bool]) -> Any:
    """What is answered once it holds."""
    async with asyncio.timeout(20):
        while True:
            answer = await asked()
            assert answer.status_code == 200, answer.text
            if holds(answer.json()):
                return answer.json()
            await asyncio.sleep(0.02)


def _node(type: str, source: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    return {"type": type, "x": 0, "y": 0, "source": source, "config": config}
