"""Whoever renews a token is killed at each step of it: neither what the service gave is lost, nor any message."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.api.connector import VENDOR, connector, flow
from tests.provider import CLIENT, CLIENT_SECRET, Grant, Provider, provider

from .process import Client, Process, wait_for
from .services import Services
from .test_flow_life import put

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

STEPS = ("account.before_refresh", "account.after_refresh", "account.after_keep")
SETTINGS = {"HEADRACE_EGRESS_ALLOW_PRIVATE": "true"}


class Place(Protocol):
    """A platform whose refresher can be made to die at a step."""

    is_strict: bool
    """Whether the service may forget an old refresh token at once."""

    def start(self) -> None: ...

    def client(self) -> Client: ...

    def arm(self, step: str) -> None: ...

    def died(self) -> bool: ...

    def start_again(self) -> None: ...

    def end(self) -> None: ...


class InOne:
    """The embedded platform: what it heard dies with it, and only the service can say it again."""

    is_strict = False

    def __init__(self, folder: Path) -> None:
        self._process = Process(folder, **SETTINGS)
        self.start, self.client = self._process.start, self._process.client

    def arm(self, step: str) -> None:
        self._process.end(signal.SIGTERM)
        self._process.environ["HEADRACE_FAILPOINTS"] = f"{step}=kill"
        self._process.start()
        del self._process.environ["HEADRACE_FAILPOINTS"]

    def died(self) -> bool:
        return _died(self._process.child)

    def start_again(self) -> None:
        self._process.child = None
        self._process.start()

    def end(self) -> None:
        self._process.end(signal.SIGKILL)


class InFive:
    """Five services: the executor, which asked the service, still knows what it said."""

    is_strict = True

    def __init__(self, folder: Path) -> None:
        self._services = Services(folder, **SETTINGS)
        self.client, self.end = self._services.client, self._services.end

    def start(self) -> None:
        self._services.start()

    def arm(self, step: str) -> None:
        self._services.ask_to_stop(["flow_manager"])
        self._services.launch(["flow_manager"], HEADRACE_FAILPOINTS=f"{step}=kill")
        wait_for(lambda: self._services.is_ready("flow_manager"), 60)

    def died(self) -> bool:
        return _died(self._services.children["flow_manager"])

    def start_again(self) -> None:
        self._services.children.pop("flow_manager")
        self._services.start(["flow_manager"])


def _died(child: subprocess.Popen[bytes] | None) -> bool:
    return child is not None and child.poll() == -signal.SIGKILL


@contextmanager
def served(**options: Any) -> Iterator[Provider]:
    """The service, in a thread of its own."""
    ready, over = threading.Event(), asyncio.Event()
    found: list[tuple[Provider, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with provider(**options) as made:
            found.append((made, asyncio.get_running_loop()))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    made, loop = found[0]
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


def furnish(client: Client, service: Provider) -> str:
    """A running flow whose component acts with an account whose token ends within a second."""
    user = client.get("/user").json()["id"]
    assert put(client, f"/users/{user}", {"vendor": [VENDOR]}).status_code == 200
    content = connector("oauth", service.url)
    handed_in = client.post("/components", content=content, headers={"Content-Type": "application/octet-stream"})
    ticket = handed_in.json()["ticket"]
    told = wait_for(lambda: client.get(f"/components/uploader/{ticket}").json(), 30)
    assert not told.get("err"), told
    name = f"{VENDOR}:oauth"
    config = {"serviceId": name, "clientId": CLIENT, "clientSecret": CLIENT_SECRET}
    assert client.post("/service-config", json=config).status_code == 200
    service.lifetime = 3600
    given = service.issue(Grant("ada", "read work"))
    token = {
        "accessToken": given["access_token"],
        "refreshToken": given["refresh_token"],
        "accessTokenExpDate": (time.time() + 1) * 1000,
        "scope": ["read", "work"],
    }
    made = client.post("/accounts", json={"service": name, "token": token})
    assert made.status_code == 200, made.text
    created = client.post("/flows", json={"name": "killed", "flow": flow("oauth")})
    flow_id = str(created.json()["flowId"])
    assigned = put(client, f"/auth/component/work/{made.json()['accountId']}?flowId={flow_id}", {})
    assert assigned.status_code == 200, assigned.text
    started = client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    return flow_id


def send(client: Client, flow_id: str, n: int) -> str:
    """Send an event as soon as it is taken; its run."""

    def taken() -> str:
        answer = client.post(f"/flows/{flow_id}/components/hook?enqueueOnly=true", json={"n": n})
        return str(answer.json()["runId"]) if answer.status_code < 300 else ""

    return str(wait_for(taken, 30))


def over(client: Client, run_id: str) -> dict[str, Any]:
    """The run, once it is done."""

    def done() -> dict[str, Any] | None:
        run: dict[str, Any] = client.get(f"/runs/{run_id}").json()
        assert run.get("state") != "failed", run
        return run if run.get("state") == "done" else None

    found: dict[str, Any] = wait_for(done, 60)
    return found


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", [InOne, InFive])
def test_a_refresher_that_is_killed_loses_neither_token_nor_message(
    kind: type[InOne] | type[InFive], step: str, tmp_path: Path
) -> None:
    place: Place = kind(tmp_path)
    with served(grace=not place.is_strict) as service:
        try:
            place.start()
            client = place.client()
            flow_id = furnish(client, service)
            place.arm(step)
            run_id = send(client, flow_id, 1)
            wait_for(place.died, 30)
            place.start_again()
            over(client, run_id)
            # What is kept is the service's newest: it renews again.
            service.expire()
            over(client, send(client, flow_id, 2))
        finally:
            place.end()

    assert service.worked == ["1", "2"]
    renewals = service.asked["token refresh_token"]
    assert renewals == 2 or (step == "account.after_refresh" and not place.is_strict and renewals == 3)
