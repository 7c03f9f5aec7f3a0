"""What holds of every endpoint: ids of requests, errors by field, and limits of sign-in, over the whole platform."""

from __future__ import annotations

from typing import Any

from headrace_gateway.openapi import openapi_document
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Route

from .people import ADMIN, PASSWORD, People, caller

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
            # Some places are pages that a person's browser is sent to; they say so in words.
            if answer.status_code >= 400 and not answer.headers["content-type"].startswith("text/html"):
                assert answer.json()["requestId"] == asked, route.path


async def test_every_field_of_the_wrong_type_is_named(people: People) -> None:
    for route in typed():
        for name, schema in fields_of(route).items():
            wrong = 5 if schema["type"] == "string" else "text"
            answer = await people.admin.request(route.method, path_of(route), json={name: wrong})

            where = (route.method, route.path, name, answer.text)
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), where
            assert name in {each.get("field") for each in answer.json()["problems"]}, where


async def test_guessing_at_one_account_is_slowed_down_wherever_it_comes_from(people: People) -> None:
    email, url = people.email_of("ann"), people.ann.base_url
    statuses = []
    for number in range(5):
        async with caller(url) as stranger:
            answer = await stranger.post("/user/auth", json={"email": email, "password": f"guess {number}"})
            statuses.append(answer.status_code)
    async with caller(url) as stranger:
        right = await stranger.post("/user/auth", json={"email": email, "password": PASSWORD})
        other = await stranger.post("/user/auth", json={"email": people.email_of("bob"), "password": PASSWORD})

    assert statuses == [403, 403, 403, 429, 429]
    assert int(answer.headers["retry-after"]) >= 1
    assert right.status_code == 429
    assert other.status_code == 200


async def test_guessing_from_one_address_is_slowed_down_whatever_it_is_about(people: People) -> None:
    url = people.ann.base_url
    async with caller(url) as guessing:
        statuses = []
        for number in range(7):
            guess = {"email": f"u{number}-{people.mark}@example.com", "password": "x"}
            statuses.append((await guessing.post("/user/auth", json=guess)).status_code)
    async with caller(url) as elsewhere:
        right = await elsewhere.post("/user/auth", json={"email": ADMIN, "password": PASSWORD})

    assert statuses == [403] * 5 + [429] * 2
    assert right.status_code == 200
