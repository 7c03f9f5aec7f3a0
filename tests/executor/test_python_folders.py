"""Auth, quota and route modules in Python are described and carried out by the runner, in the terms of the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from headrace_core.clock import SystemClock
from headrace_executor.plugins import WebRequest
from headrace_executor.runners.client import ABSENT
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.runners.pool import Key, Runners
from headrace_runtime.egress import EgressPolicy
from headrace_runtime.metrics import Metrics
from headrace_sdk.errors import ConnectionExpired, HttpStatusError

from .published import Shelf
from .test_node_auth import far_side
from .test_runners import QUICK

FOLDER = "acme/mail"
AUTH = """
from headrace_sdk.auth import AuthContext, InvalidToken
from .lib import FAR

type = "oauth2"


async def profile(context: AuthContext):
    return (await context.http.get(f"{FAR}/me", headers=context.bearer)).raise_for_status().json()


def validate(context: AuthContext):
    return bool(context["fine"])


definition = {
    "scope": ["read"],
    "pre": {"shop": {"type": "text", "name": "Shop"}},
    "authUrl": FAR + "/{{shop}}",
    "requestAccessToken": FAR + "/token",
    "requestProfileInfo": profile,
    "accountNameFromProfileInfo": "name",
    "validate": validate,
}
"""
ROUTES = """
from headrace_sdk.routes import Reply, Request, RouteError, route


@route("GET", "/greetings/{name}", public=True)
async def greet(request: Request):
    return Reply({"text": f"Hello {request.params['name']}", "q": request.query.get("q")}, headers={"X-Mine": "yes"})


@route("GET", "greetings/all")
async def everybody(request: Request):
    return [request.user["id"]]


@route("POST", "/notes")
@route("PUT", "/notes")
async def note(request: Request):
    if not request.json():
        raise RouteError(422, "Say something.")
    request.context.log({"noted": request.headers["x-kind"]}, "warning")
    print("printed")
    return b"raw"


@route("GET", "/broken", public=True)
async def broken(request: Request):
    request.context.log(f"about to fail at {request.context.api_url}")
    return 1 / 0
"""
QUOTA = """
from datetime import timedelta

rules = [{"limit": 3, "window": timedelta(seconds=2)}]
"""


class Modules:
    """The modules of one folder, asked as the executor asks."""

    def __init__(self, runners: Runners, key: Key) -> None:
        self.runners = runners
        self.key = key
        self.said: list[Any] = []  # by the last route

    async def auth(self, name: str, session: str = "", **given: Any) -> Any:
        return await self.runners.call_auth(self.key, FOLDER, name, given, session)

    async def route(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, str], bytes, Any]:
        doors: Any = SimpleNamespace(public_url="https://here.example")  # nothing is asked of the platform
        logs: list[Any] = []
        context = PluginContext(doors, "t", "acme.mail", say=logs.extend)
        try:
            answer = await self.runners.call_route(self.key, FOLDER, WebRequest(method, path, **more), context)
        finally:
            self.said = logs
        return answer.status, answer.headers, answer.body, logs


@asynccontextmanager
async def modules(files: Mapping[str, str]) -> AsyncIterator[Modules]:
    shelf = Shelf()
    bundle_id = shelf.put({f"{FOLDER}/{name}": text for name, text in files.items()})
    runners = Runners(shelf, QUICK, EgressPolicy(allow_private=True), SystemClock(), Metrics())
    async with runners.running():
        yield Modules(runners, Key("t", bundle_id))


async def test_an_account_is_opened_step_by_step() -> None:
    async with far_side() as far:
        far.answers["/token"] = (200, {"access_token": "a1"})
        far.answers["/me"] = (200, {"name": "Ada"})
        async with modules({"auth.py": AUTH, "lib.py": f"FAR = {far.url!r}\n"}) as acme:
            described = (await acme.runners.describe_folder(acme.key, FOLDER)).auth
            url = await acme.auth("authUrl", clientId="c", ticket="t1", shop="zoo")
            token = await acme.auth("requestAccessToken", authorizationCode="x")
            profile = await acme.auth("requestProfileInfo", **token)
            name = await acme.auth("accountNameFromProfileInfo", profileInfo=profile)
            assert await acme.auth("refreshAccessToken") is ABSENT
            assert await acme.auth("validate", fine=True) is True
            with pytest.raises(ConnectionExpired):
                await acme.auth("validate")
            far.answers["/me"] = (400, {})
            with pytest.raises(HttpStatusError):
                await acme.auth("requestProfileInfo", accessToken="a1")

    assert described is not None
    assert (described["type"], described["scope"]) == ("oauth2", ["read"])
    assert described["pre"] == {"shop": {"type": "text", "name": "Shop"}}
    assert described["forms"]["requestProfileInfo"] == "function"
    assert url == f"{far.url}/zoo?response_type=code&client_id=c&state=t1"
    assert (token, name) == ({"accessToken": "a1"}, "Ada")


async def test_routes_answer_where_they_say_and_to_whom() -> None:
    user = {"id": "u1", "email": "a@example.com"}
    async with modules({"routes.py": ROUTES}) as acme:
        hello = await acme.route("GET", "/greetings/A%20b", query={"q": "1"})
        everybody = await acme.route("GET", "/greetings/all", user=user)
        stranger = await acme.route("GET", "/greetings/all")
        noted = await acme.route("PUT", "/notes", user=user, body=b'{"a": 1}', headers={"X-Kind": "k"})
        silent = await acme.route("POST", "/notes", user=user, body=b"{}")
        odd = await acme.route("POST", "/notes", user=user, body=b"{")
        nowhere = await acme.route("GET", "/nowhere", user=user)
        with pytest.raises(Exception, match="division by zero"):
            await acme.route("GET", "/broken")
        assert acme.said == [("info", "about to fail at https://here.example")]

    headers = {"x-mine": "yes", "content-type": "application/json"}
    assert hello[:3] == (200, headers, b'{"text":"Hello A b","q":"1"}')
    assert everybody[2] == b'["u1"]'
    assert [answer[0] for answer in (stranger, silent, odd, nowhere)] == [401, 422, 400, 404]
    assert noted[:3] == (200, {"content-type": "application/octet-stream"}, b"raw")
    assert noted[3] == [("warning", {"noted": "k"}), ("debug", "printed")]


async def test_a_folder_says_what_it_brings_and_what_cannot_be_loaded() -> None:
    files = {"auth.py": "1 / 0", "quota.py": QUOTA, "routes.py": ROUTES}
    async with modules(files) as acme:
        no_context: Any = None
        found = await acme.runners.describe_folder(acme.key, FOLDER, no_context)
        with_routes = await acme.runners.describe_folder(acme.key, FOLDER, Answering())
        nothing = await acme.runners.describe_folder(acme.key, "acme/mail/core")

    assert (found.auth, found.quota) == (None, {"rules": [{"limit": 3, "window": 2000}]})
    assert {file: failure.message for file, failure in found.failures.items()} == {"auth.py": "division by zero"}
    assert with_routes.plugin is not None
    assert with_routes.plugin["routes"][:2] == [
        {"method": "GET", "path": "/greetings/{name}", "auth": False},
        {"method": "GET", "path": "/greetings/all", "auth": "default"},
    ]
    assert {(each["method"], each["path"]) for each in with_routes.plugin["routes"]} >= {("PUT", "/notes")}
    assert (nothing.auth, nothing.quota, nothing.failures) == (None, None, {})


class Answering:
    """A call of a plugin that asks for nothing."""

    config: Mapping[str, Any] = {}
    api_url = ""

    def say(self, logs: Any) -> None:
        assert not logs

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"Nobody asks for {name}.")
