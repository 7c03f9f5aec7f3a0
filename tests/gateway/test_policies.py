"""Who may call what: policies, tenants and tokens. The whole matrix of routes and callers is in `test_matrix.py`."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from headrace_core.clock import TestClock
from headrace_gateway.app import Gateway, create_app
from headrace_gateway.clients import Channels
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Route
from headrace_gateway.settings import GatewaySettings
from starlette.types import Message

from .services import Services


async def test_a_route_without_a_policy_cannot_be_made() -> None:
    parts: dict[str, Any] = {
        "method": "GET",
        "path": "/x",
        "handler": ROUTES[0].handler,
        "summary": "",
        "tag": "",
    }

    with pytest.raises(TypeError, match="policy"):
        Route(**parts)

    with pytest.raises(TypeError, match="has no policy"):
        Route(**{**parts, "policy": None})


async def test_two_routes_at_one_place_refuse_to_start(services: Services, chosen: GatewaySettings) -> None:
    channel = services.server.channel()
    channels = Channels(flow=channel, schedule=channel, execution=channel, log=channel)

    with pytest.raises(ValueError, match="twice"):
        create_app(channels=channels, settings=chosen, routes=(*ROUTES, ROUTES[0]))


@pytest.mark.parametrize(
    "path",
    [
        "//flows",
        "/flows/",
        "/Flows",
        "/flows;x=1",
        "/flows%2f",
        "/%66lows%2fcount",
        "/flows/a/validate/",
        "/x/../flows",
    ],
)
async def test_a_path_matches_exactly_or_not_at_all(path: str, gateway: Gateway) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer user-token")],
        "client": None,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await gateway(scope, receive, send)

    assert sent[0]["status"] == 404


async def test_an_encoded_slash_stays_in_its_segment(user: httpx.AsyncClient) -> None:
    store = (await user.post("/stores", json={"name": "s"})).json()["storeId"]

    await user.post(f"/store/{store}/a%2Fb", json=1)

    assert (await user.get(f"/store/{store}/a%2Fb")).json()["key"] == "a/b"
    assert (await user.get(f"/store/{store}/a/b")).status_code == 404


async def test_a_method_that_is_not_there_is_405_with_those_that_are(user: httpx.AsyncClient) -> None:
    answer = await user.patch("/flows")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_only_administrators_read_across_tenants(
    user: httpx.AsyncClient, other: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    await other.put("/flows/theirs", json={"name": "x"})

    assert (await user.get("/flows", params={"allTenants": "true"})).status_code == 403
    assert [flow["flowId"] for flow in (await admin.get("/flows", params={"allTenants": "1"})).json()] == ["theirs"]
    assert (await user.get("/flows")).json() == []
    assert (await user.get("/flows/theirs")).status_code == 404


async def test_open_sign_up_needs_no_token(services: Services, chosen: GatewaySettings) -> None:
    channel = services.server.channel()
    channels = Channels(flow=channel, schedule=channel, execution=channel, log=channel)
    open_gateway = create_app(channels=channels, settings=replace(chosen, sign_up="open"))
    transport = httpx.ASGITransport(app=open_gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        made = await client.post("/user", json={"email": "new@example.com", "password": "long enough"})
        again = await client.post("/user", json={"email": "new@example.com", "password": "long enough"})

    assert (made.status_code, made.json()["token"]) == (201, "new-token")
    assert again.status_code == 409


async def test_a_good_token_is_asked_about_once_in_five_seconds(
    user: httpx.AsyncClient, services: Services, clock: TestClock
) -> None:
    for _ in range(3):
        await user.get("/user")
    assert services.people.asked == 1

    clock.advance(5)
    await user.get("/user")
    assert services.people.asked == 2


async def test_signing_out_ends_the_token_at_once(user: httpx.AsyncClient) -> None:
    assert (await user.get("/user")).status_code == 200

    assert (await user.post("/user/sign-out")).status_code == 200

    assert (await user.get("/user")).status_code == 401
