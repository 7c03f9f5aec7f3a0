"""What holds of every endpoint: ids of requests, errors by field, and limits of sign-in, over the whole platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from headrace_gateway.openapi import openapi_document
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Route

from .conftest import open_people
from .people import ADMIN, PASSWORD, People

DOCUMENT: dict[str, Any] = openapi_document(ROUTES)


def fields_of(route: Route) -> dict[str, dict[str, Any]]:
    """The fields of a route's body that have one type, by name."""
    schema: Any = route.request or {}
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {name: each for name, each in schema.get("properties", {}).items() if isinstance(each.get("type"), str)}


def typed() -> list[Route]:
    return [route for route in ROUTES if fields_of(route) and route.request_media_type == "application/json"]


def path_of(route: Route) -> str:
    return "/".join("none" if part.startswith("{") else part for part in route.path.split("/"))


async def test_every_answer_has_the_id_of_its_request(people: People) -> None:
    for route in ROUTES:
        if route.path != "/user/sign-out" and route.path != "/user/sign-out-everywhere":
            asked = f"id-of-{route.method}"
            answer = await people.ann.request(route.method, path_of(route), headers={"X-Request-Id": asked})

            assert answer.headers.get_list("x-request-id") == [asked], route.path
            if answer.status_code >= 400:
                assert answer.json()["requestId"] == asked, route.path


async def test_every_field_of_the_wrong_type_is_named(people: People) -> None:
    for route in typed():
        for name, schema in fields_of(route).items():
            wrong = 5 if schema["type"] == "string" else "text"
            answer = await people.admin.request(route.method, path_of(route), json={name: wrong})

            where = (route.method, route.path, name, answer.text)
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), where
            assert name in {each.get("field") for each in answer.json()["problems"]}, where


def caller(people: People, address: str) -> httpx.AsyncClient:
    """Somebody who is not signed in, at an address."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(people.app, client=(address, 1)), base_url="http://asgi.test"
    )


@pytest.fixture
def small_limits() -> dict[str, str]:
    return {"HEADRACE_SIGN_IN_ATTEMPTS": "3", "HEADRACE_SIGN_IN_ATTEMPTS_PER_ADDRESS": "5"}


async def test_guessing_at_one_account_is_slowed_down_wherever_it_comes_from(
    tmp_path: Path, small_limits: dict[str, str]
) -> None:
    async with open_people(tmp_path, **small_limits) as people:
        statuses = []
        for number in range(5):
            async with caller(people, f"192.0.2.{number}") as stranger:
                guess = {"email": "ann@example.com", "password": f"guess {number}"}
                answer = await stranger.post("/user/auth", json=guess)
                statuses.append(answer.status_code)
        async with caller(people, "192.0.2.99") as stranger:
            right = await stranger.post("/user/auth", json={"email": "ann@example.com", "password": PASSWORD})
            other = await stranger.post("/user/auth", json={"email": "bob@example.com", "password": PASSWORD})

        assert statuses == [403, 403, 403, 429, 429]
        assert int(answer.headers["retry-after"]) >= 1
        assert right.status_code == 429
        assert other.status_code == 200


async def test_guessing_from_one_address_is_slowed_down_whatever_it_is_about(
    tmp_path: Path, small_limits: dict[str, str]
) -> None:
    async with open_people(tmp_path, **small_limits) as people, caller(people, "192.0.2.1") as guessing:
        statuses = []
        for number in range(7):
            answer = await guessing.post("/user/auth", json={"email": f"u{number}@example.com", "password": "x"})
            statuses.append(answer.status_code)
        async with caller(people, "192.0.2.2") as elsewhere:
            right = await elsewhere.post("/user/auth", json={"email": ADMIN, "password": PASSWORD})

        assert statuses == [403] * 5 + [429] * 2
        assert right.status_code == 200
