"""Route × caller × spelling of the path, made from the live route table: each gets the answer that its policy declares.

A spelling that means another place is answered as that place is, one that means none with 404 (405 where only the
method is wrong): no spelling gets past a policy, and none tells a caller more than the plain path would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from headrace_core.clock import TestClock
from headrace_gateway.app import Gateway
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Policy, Route
from starlette.types import Message

from .services import ADMIN, USER, People, Services

NONE_JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWEiLCJzY29wZSI6WyJhZG1pbiJdfQ."
UNKNOWN = {
    "nobody": None,
    "garbage": b"Bearer garbage",
    "empty": b"Bearer ",
    "huge": b"Bearer " + b"x" * 5000,
    "other scheme": b"Basic YWRtaW46cGFzc3dvcmQ=",
    "no scheme": b"admin-token",
    "prefix": b"Bearer admin-toke",
    "suffix": b"Bearer admin-token2",
    "case": b"Bearer ADMIN-TOKEN",
    "unsigned": b"Bearer " + NONE_JWT.encode(),
    "expired": b"Bearer expired-token",
}
KNOWN = {"user": b"Bearer user-token", "admin": b"Bearer admin-token"}
SIGNED_IN = {
    Policy.PUBLIC: {"user", "admin"},
    Policy.OPEN: {"nobody", "user", "admin"},
    Policy.USER: {"user", "admin"},
    Policy.SECRET: {"user", "admin"},
    Policy.PLUGIN: {*UNKNOWN, *KNOWN},  # it is for the plugin to say
}
# Headers by which a proxy, or a caller who would like to be one, speaks of itself: they decide nothing.
CLAIMS = [
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"x-forwarded-user", b"admin"),
    (b"x-request-from", b"internal"),
    (b"x-original-url", b"/health/live"),
    (b"x-rewrite-url", b"/health/live"),
    (b"x-http-method-override", b"GET"),
    (b"x-headrace-user", b"admin"),
    (b"cookie", b"token=admin-token"),
]


def spellings(path: str) -> Iterator[str]:
    """Other ways to write a path that careless matching would take for it, or for a part of it."""
    yield "/" + path
    yield path + "/"
    yield path + "//"
    yield path.replace("/", "//")
    yield path + "%2f"
    yield path + "%2F.."
    yield "/" + path[1:].replace("/", "%2f")
    yield path + ";x=1"
    yield path + "%3bx"
    yield "/;" + path[1:]
    yield path.upper()
    yield path.title()
    yield path + ".json"
    yield path + "%00"
    yield path + "%20"
    yield "/." + path
    yield "/x/.." + path
    yield path + "/../../health/live"
    yield path + "/health/live"
    yield "/health/live/.." + path
    yield "/" + "".join(f"%{ord(letter):02x}" if letter != "/" else letter for letter in path[1:])
    yield path + "%ff"


def path_of(route: Route) -> str:
    return "/".join("zzz" if part.startswith("{") else part for part in route.path.split("/"))


def meant(method: str, path: str) -> Route | str:
    """The route that a path means, read by the letter of the rule; else whether the path or the method is unknown."""
    segments = [] if path == "/" else [unquote(part, errors="replace") for part in path.split("/")[1:]]
    there = [route for route in ROUTES if _fits(route, segments)]
    found = [route for route in there if route.method == method]
    if not found:
        return "no method" if there else "no path"
    return min(found, key=lambda route: (route.takes_rest, [part.startswith("{") for part in route.path.split("/")]))


def _fits(route: Route, segments: list[str]) -> bool:
    parts = [] if route.path == "/" else route.path.split("/")[1:]
    if route.takes_rest:
        rest = segments[len(parts) - 1 :]
        parts[-1:] = ["{part}"] * len(rest)
        if not rest or {"", ".", ".."} & {*rest}:
            return False
    return len(parts) == len(segments) and all(
        bool(segment) if part.startswith("{") else part == segment
        for part, segment in zip(parts, segments, strict=True)
    )


def declared(kind: str, place: Route | str) -> set[int]:
    """What may be answered to a kind of caller; empty where the route itself decides."""
    if isinstance(place, str):
        return {404} if place == "no path" else {405}
    if kind in SIGNED_IN.get(place.policy, {"admin"}) or place.policy is Policy.PUBLIC:
        return set()
    return {403} if kind == "user" else {401}


class Callers:
    """Asks a gateway as everybody, and gives back the tokens that a route ended."""

    def __init__(self, gateway: Gateway, services: Services, clock: TestClock) -> None:
        self._gateway = gateway
        self._services = services
        self._clock = clock

    async def expire(self) -> None:
        """Make the expired token one that the gateway knew as good, as an administrator's, a moment ago."""
        self._services.people.tokens["expired-token"] = ADMIN
        assert (await self.ask("GET", "/user", b"Bearer expired-token"))[0] == 200
        self._services.people.tokens = People().tokens
        self._clock.advance(6)

    async def ask(self, method: str, path: str, authorization: bytes | None) -> tuple[int, dict[str, Any]]:
        self._services.people.tokens = {**People().tokens, **self._services.people.tokens}
        self._services.people.users.setdefault(USER.user_id, USER)
        headers = [*CLAIMS, *([(b"authorization", authorization)] if authorization is not None else [])]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("x", 80),
            "scheme": "http",
        }
        sent: list[Message] = []

        arriving: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if not arriving:  # nobody hangs up
                await asyncio.Event().wait()
            return arriving.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        await self._gateway(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        status = int(sent[0]["status"])
        return status, orjson.loads(body) if status >= 400 and body else {}


@pytest.fixture
async def callers(gateway: Gateway, services: Services, clock: TestClock) -> Callers:
    callers = Callers(gateway, services, clock)
    await callers.expire()
    return callers


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_caller_gets_what_the_policy_declares_however_the_path_is_written(
    route: Route, callers: Callers, gateway: Gateway
) -> None:
    plain = path_of(route)
    for path in [plain, *spellings(plain)]:
        place = meant(route.method, path)
        assert path != plain or place is route
        for kind, authorization in {**UNKNOWN, **KNOWN}.items():
            status, said = await callers.ask(route.method, path, authorization)

            expected = declared(kind, place)
            where = (kind, route.method, path, status, said)
            assert status < 500, where
            assert status in expected if expected else status not in {401, 405}, where
            if status >= 400:
                assert {"statusCode", "error", "message", "code", "requestId"} <= set(said), where
            if not expected and status == 403:
                assert route.path == "/user/auth", where
        gateway.authenticator.forget_all()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "CONNECT", "get"])
async def test_a_method_that_no_route_has_is_refused_to_everybody(method: str, callers: Callers) -> None:
    for path in sorted({path_of(route) for route in ROUTES}):
        place = meant("GET" if method == "HEAD" else method, path)
        if place == "no method":
            for authorization in (None, b"Bearer user-token", b"Bearer admin-token"):
                assert (await callers.ask(method, path, authorization))[0] == 405, (method, path)
