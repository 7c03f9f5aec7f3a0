"""Who calls the platform in these tests, and what they own there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from headrace_core.ids import new_id
from starlette.types import ASGIApp

ADMIN = "admin@example.com"
PASSWORD = "correct horse"
HOOK = "hook"
FAILING = "fail"
EMBEDDED = pytest.mark.parametrize("people", ["embedded"], indirect=True)
"""For tests that reach into the platform's process, or that count everything there is: the embedded one is theirs."""

# Loopback addresses of this machine, each a caller's own: what one guesses is not held against the others.
_ADDRESSES = (f"127.{a}.{b}.{c}" for a, b, c in itertools.product(range(77, 127), range(256), range(1, 255)))


@dataclass(frozen=True, slots=True)
class People:
    """Clients that are signed in; Ann and Bob are tenants of their own, under names nobody had before.

    `mark` is in their names, and `domain` the one of their addresses: nobody else has either. `app` is what they call,
    without the socket, where it is in this process.
    """

    admin: httpx.AsyncClient
    ann: httpx.AsyncClient
    bob: httpx.AsyncClient
    mark: str
    app: ASGIApp | None = None

    @property
    def domain(self) -> str:
        return domain_of(self.mark)

    def email_of(self, name: str) -> str:
        """The name that `ann` or `bob` signs in by."""
        return email_of(name, self.mark)


def email_of(name: str, mark: str) -> str:
    return f"{name}@{domain_of(mark)}"


def domain_of(mark: str) -> str:
    return f"{mark}.example.com"


@asynccontextmanager
async def people_at(url: str, app: ASGIApp | None = None) -> AsyncIterator[People]:
    """The administrator of a platform, and two users who are made now."""
    mark = new_id()[-12:].lower()
    async with caller(url) as admin:
        signed_in = await admin.post("/user/auth", json={"email": ADMIN, "password": PASSWORD})
        admin.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
        async with (
            await sign_up(admin, email_of("ann", mark)) as ann,
            await sign_up(admin, email_of("bob", mark)) as bob,
        ):
            yield People(admin, ann, bob, mark, app)


def caller(url: str | httpx.URL) -> httpx.AsyncClient:
    """Somebody who is not signed in, at an address of this machine that nobody else calls from."""
    transport = httpx.AsyncHTTPTransport(local_address=next(_ADDRESSES))
    return httpx.AsyncClient(transport=transport, base_url=url, timeout=20)


async def sign_up(admin: httpx.AsyncClient, email: str) -> httpx.AsyncClient:
    """A client of a user who is made now."""
    made = await admin.post("/user", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    client = caller(admin.base_url)
    client.headers["Authorization"] = f"Bearer {made.json()['token']}"
    return client


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


async def give_role(people: People, client: httpx.AsyncClient) -> str:
    """A role that nobody but this user has, for rules that are to meet nobody else."""
    role = f"role-{people.mark}"
    user_id = (await client.get("/user")).json()["id"]
    given = await people.admin.put(f"/users/{user_id}", json={"scope": ["user", role]})
    assert given.status_code == 200, given.text
    return role


async def make_running(client: httpx.AsyncClient, flow: dict[str, Any], name: str = "A flow") -> str:
    made = await client.post("/flows", json={"name": name, "flow": flow, "customFields": {"kind": "demo"}})
    assert made.status_code == 200, made.text
    flow_id = str(made.json()["flowId"])
    started = await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    return flow_id


async def until(
    asked: Callable[[], Awaitable[httpx.Response]], holds: Callable[[Any], bool], within: float = 20
) -> Any:
    """What is answered once it holds, within so many seconds."""
    async with asyncio.timeout(within):
        while True:
            answer = await asked()
            assert answer.status_code == 200, answer.text
            if holds(answer.json()):
                return answer.json()
            await asyncio.sleep(0.02)


def _node(type: str, source: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    return {"type": type, "x": 0, "y": 0, "source": source, "config": config}
