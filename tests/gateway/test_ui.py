"""The user interface as the gateway serves it: who gets the page, what may be kept, what a page may do."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from headrace_gateway.app import Gateway
from headrace_gateway.ui import Ui, takes_gzip

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
CHUNK = "designer-Ab_3-xyz.js"


@pytest.fixture
def built(gateway: Gateway, tmp_path: Path) -> Gateway:
    """A gateway with a small build."""
    (tmp_path / "sdk").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Headrace</title>")
    (tmp_path / "sdk" / "headrace.mjs").write_text("export const loaded = true;")
    (tmp_path / "sdk" / CHUNK).write_text("export default 1;")
    (tmp_path / "sdk" / "compat.js").write_text("window.Appmixer = 1;")
    (tmp_path / "sdk" / "strings-en.json").write_text('{"ui": {}}')
    (tmp_path / "sdk" / "notes.txt").write_text("no part of the build")
    gateway.ui = Ui(str(tmp_path))
    return gateway


PAGES = ["/", "/flows", "/flows/f1", "/runs", "/runs/r1", "/accounts", "/stores", "/stores/s1", "/files", "/logs"]
PAGES += ["/people-tasks", "/people-tasks/t1", "/connectors", "/connectors/vault.key", "/insights", "/integrations"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_browser_gets_the_page_under_a_strict_policy(
    path: str, built: Gateway, nobody: httpx.AsyncClient
) -> None:
    answer = await nobody.get(path, headers=HTML)

    assert answer.status_code == 200 and "<title>Headrace</title>" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"


async def test_clients_get_data_where_browsers_get_the_page(
    built: Gateway, nobody: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    assert (await nobody.get("/flows/f1")).status_code == 401
    assert (await nobody.get("/files/f1", headers=HTML)).status_code == 401, "what is no page is an endpoint for all"
    assert (await nobody.post("/flows", headers=HTML)).status_code == 401
    assert (await nobody.get("/people-tasks")).status_code == 404
    signed_in = await user.get("/flows/nowhere", headers=HTML)
    assert signed_in.headers["content-type"].startswith("application/json")


async def test_named_files_are_asked_for_again_and_hashed_ones_are_kept(
    built: Gateway, nobody: httpx.AsyncClient
) -> None:
    named, hashed = await nobody.get("/sdk/headrace.mjs"), await nobody.get(f"/sdk/{CHUNK}")
    again = await nobody.get("/sdk/headrace.mjs", headers={"if-none-match": named.headers["etag"]})

    assert named.headers["cache-control"] == "public, no-cache"
    assert "immutable" in hashed.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")
    assert named.headers["access-control-allow-origin"] == "*"
    assert named.headers["content-type"].startswith("text/javascript")


async def test_files_are_compressed_for_who_takes_that(built: Gateway, nobody: httpx.AsyncClient) -> None:
    plain = await nobody.get("/sdk/headrace.mjs", headers={"accept-encoding": "identity"})
    small = await nobody.get("/sdk/headrace.mjs", headers={"accept-encoding": "br, gzip"})

    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip" and small.content == plain.content
    assert not takes_gzip("gzip;q=0, br")


async def test_pages_of_appmixers_sdk_find_its_files_where_they_look(built: Gateway, nobody: httpx.AsyncClient) -> None:
    script = await nobody.get("/appmixer/appmixer.js")
    strings = await nobody.get("/appmixer/package/strings-en.json")

    assert script.text == (await nobody.get("/sdk/compat.js")).text == "window.Appmixer = 1;"
    assert (strings.json(), strings.headers["content-type"]) == ({"ui": {}}, "application/json")
    assert {each.headers["access-control-allow-origin"] for each in (script, strings)} == {"*"}


@pytest.mark.parametrize("name", ["notes.txt", "..%2Findex.html", "none.js"])
async def test_only_files_of_the_build_are_served(name: str, built: Gateway, nobody: httpx.AsyncClient) -> None:
    assert (await nobody.get(f"/sdk/{name}")).status_code == 404


async def test_without_a_build_a_person_is_told_how_to_make_one(
    gateway: Gateway, nobody: httpx.AsyncClient, tmp_path: Path
) -> None:
    gateway.ui = Ui(str(tmp_path))

    assert "make ui" in (await nobody.get("/", headers=HTML)).text
    assert "make ui" in (await nobody.get("/sdk/headrace.mjs")).json()["message"]
