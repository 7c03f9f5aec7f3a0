"""Pages of a vendor's origins call the API for its users, and read nothing that is answered to anybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from headrace_embedded.platform import open_platform

from .conftest import environ, open_people
from .people import ADMIN, PASSWORD, People

OURS = "https://console.example.com"
ACME = "https://app.acme.test:8443"
GLOBEX = "http://localhost:3000"


@pytest.fixture
async def vendors(tmp_path: Path) -> AsyncIterator[People]:
    """Ann is a user of acme, Bob of globex; each vendor lists an origin, and the installation one."""
    async with open_people(tmp_path, HEADRACE_CORS_ORIGINS=OURS) as people:
        for client, vendor, origin in ((people.ann, "acme", ACME), (people.bob, "globex", GLOBEX)):
            user_id = (await client.get("/user")).json()["id"]
            assert (await people.admin.put(f"/users/{user_id}", json={"vendor": vendor})).status_code == 200
            put = await people.admin.put(f"/origins/{vendor}", json={"origins": [origin]})
            assert put.status_code == 200, put.text
        yield people


async def call(
    client: httpx.AsyncClient, origin: str, method: str = "GET", path: str = "/flows", **more: object
) -> tuple[httpx.Response, httpx.Response]:
    """What a browser does for a page: the preflight without a token, then the request."""
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with httpx.AsyncClient(base_url=client.base_url) as browser:
        preflight = await browser.options(path, headers=asks)
    return preflight, await client.request(method, path, headers={"Origin": origin}, **more)  # type: ignore[arg-type] # json


def readable(answer: httpx.Response, origin: str) -> bool:
    """Whether a browser hands the answer to the page. Whatever it says, it says of one origin, and lends nothing."""
    allowed = answer.headers.get_list("access-control-allow-origin")
    assert allowed in ([], [origin])
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in answer.headers["vary"].lower()
    return bool(allowed)


@pytest.mark.parametrize(
    ("origin", "ann", "bob"),
    [(OURS, True, True), (ACME, True, False), (GLOBEX, False, True)],
)
async def test_an_answer_is_read_by_pages_of_its_callers_vendor(
    origin: str, ann: bool, bob: bool, vendors: People
) -> None:
    for client, may_read in ((vendors.ann, ann), (vendors.bob, bob), (vendors.admin, origin == OURS)):
        for method, path in (("GET", "/flows"), ("POST", "/flows"), ("DELETE", "/flows/none"), ("GET", "/nowhere")):
            preflight, answer = await call(client, origin, method, path)

            assert preflight.status_code == 204 and readable(preflight, origin)
            assert "authorization" in preflight.headers["access-control-allow-headers"]
            assert method in preflight.headers["access-control-allow-methods"]
            if path != "/nowhere":  # what is no endpoint is told before anybody is known
                assert readable(answer, origin) is may_read, (method, path, answer.status_code)


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.acme.test",
        "http://app.acme.test:8443",
        "https://APP.acme.test:8443",
        "https://app.acme.test:8443.evil.test",
        "https://sub.app.acme.test:8443",
        "https://localhost:3000",
        "null",
        "*",
    ],
)
async def test_an_origin_that_is_nearly_listed_is_not_listed(origin: str, vendors: People) -> None:
    preflight, answer = await call(vendors.ann, origin)

    assert preflight.status_code == 403 and not readable(preflight, origin)
    assert answer.status_code == 200 and not readable(answer, origin)


async def test_without_a_token_or_with_a_bad_one_no_vendors_page_reads_anything(vendors: People) -> None:
    for headers in ({}, {"Authorization": "Bearer nobody's"}):
        async with httpx.AsyncClient(base_url=vendors.ann.base_url, headers=headers) as nobody:
            for path in ("/flows", "/public-files", "/"):
                _, answer = await call(nobody, ACME, path=path)
                assert not readable(answer, ACME)


async def test_signing_in_is_read_by_pages_of_the_vendor_of_who_signed_in(vendors: People) -> None:
    async with httpx.AsyncClient(base_url=vendors.ann.base_url) as nobody:
        good = {"email": vendors.email_of("ann"), "password": PASSWORD}
        _, answer = await call(nobody, ACME, "POST", "/user/auth", json=good)
        _, elsewhere = await call(nobody, GLOBEX, "POST", "/user/auth", json=good)
        _, wrong = await call(nobody, ACME, "POST", "/user/auth", json={**good, "password": "wrong horse"})

    assert answer.status_code == 200 and readable(answer, ACME)
    assert elsewhere.status_code == 200 and not readable(elsewhere, GLOBEX)
    assert wrong.status_code == 403 and not readable(wrong, ACME)


async def test_a_list_that_changes_is_asked_for_again(vendors: People) -> None:
    assert readable((await call(vendors.ann, ACME))[1], ACME)

    await vendors.admin.put("/origins/acme", json={"origins": [OURS]})
    preflight, answer = await call(vendors.ann, ACME)
    assert preflight.status_code == 403 and not readable(answer, ACME)

    assert (await vendors.admin.delete("/origins/acme")).status_code == 200
    assert (await vendors.admin.get("/origins/acme")).status_code == 404
    assert (await vendors.admin.delete("/origins/acme")).status_code == 404
    assert [each["vendor"] for each in (await vendors.admin.get("/origins")).json()] == ["globex"]


@pytest.mark.parametrize(
    "wrong",
    ["*", "null", "", "https://*.acme.test", "https://a.test/", "https://a.test/path", "https://a.test:443",
     "http://a.test:80", "https://A.test", "ftp://a.test", "https://user@a.test", "a.test", "https://ä.test",
     "https://a.test ", "https://a.test\nb"],
)  # fmt: skip
async def test_what_is_no_origin_is_refused_and_the_list_stays(wrong: str, vendors: People) -> None:
    answer = await vendors.admin.put("/origins/acme", json={"origins": [ACME, wrong]})

    assert (answer.status_code, answer.json()["problems"][0]["where"]) == (400, "origins.1")
    assert (await vendors.admin.get("/origins/acme")).json() == {"vendor": "acme", "origins": [ACME]}


async def test_lists_are_for_administrators(people: People) -> None:
    for method, path in (("GET", "/origins"), ("PUT", "/origins/acme"), ("DELETE", "/origins/acme")):
        assert (await people.ann.request(method, path, json={"origins": []})).status_code == 403


async def test_a_list_outlives_a_restart(tmp_path: Path) -> None:
    async with open_people(tmp_path) as people:
        await people.admin.put("/origins/acme", json={"origins": [GLOBEX, ACME]})

    async with open_platform(environ(tmp_path)) as serving, httpx.AsyncClient(base_url=serving.url) as admin:
        signed_in = await admin.post("/user/auth", json={"email": ADMIN, "password": PASSWORD})
        admin.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
        assert (await admin.get("/origins/acme")).json() == {"vendor": "acme", "origins": [GLOBEX, ACME]}
