"""Publishing over REST: archives in, verdicts out, and who is in the way of a removal."""

from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from headrace.catalog.v1 import catalog_service_pb2 as catalog
from headrace_gateway.routes.icons import picture_of

from .services import Services

MEBIBYTE = 1024 * 1024
ZIP = {"content-type": "application/octet-stream"}
WEBHOOK = "headrace.utils.http.Webhook"


async def test_an_archive_goes_to_the_flow_manager_whole(user: httpx.AsyncClient, services: Services) -> None:
    archive = bytes(range(256)) * 15

    async def streamed() -> AsyncIterator[bytes]:
        for start in range(0, len(archive), 1000):
            yield archive[start : start + 1000]

    handed_in = await user.post("/components", content=streamed(), headers=ZIP)

    assert handed_in.status_code == 200
    assert services.catalog.archives == {handed_in.json()["ticket"]: archive}


async def test_what_is_no_archive_is_refused_before_anybody_is_asked(
    user: httpx.AsyncClient, services: Services
) -> None:
    empty = await user.post("/components", headers=ZIP)
    form = await user.post("/components", files={"file": b"PK"})
    large = await user.post("/components", content=bytes(10 * MEBIBYTE + 1), headers=ZIP)

    assert (empty.status_code, form.status_code, large.status_code) == (400, 415, 413)
    assert services.catalog.archives == {}


async def test_the_ticket_tells_what_became_of_it(user: httpx.AsyncClient, services: Services) -> None:
    ticket = (await user.post("/components", content=b"PK", headers=ZIP)).json()["ticket"]

    published = (await user.get(f"/components/uploader/{ticket}")).json()
    services.catalog.refusal = [catalog.Finding(file="a.json", data_path=".name", message="No.", fix="Do.")]
    refused = (await user.get(f"/components/uploader/{ticket}")).json()

    assert published == {"finished": "1970-01-01T00:00:01.000Z", "components": []}
    assert refused["err"] == "Nothing was published."
    assert refused["data"] == [{"file": "a.json", "dataPath": ".name", "message": "No.", "fix": "Do."}]
    assert (await user.get("/components/uploader/unknown")).status_code == 404


async def test_components_are_downloaded_as_an_archive_that_nobody_shows(user: httpx.AsyncClient) -> None:
    found = await user.get(f"/components/{WEBHOOK}")

    assert (found.status_code, found.content) == (200, b"PKrest")
    assert found.headers["content-type"] == "application/zip"
    assert found.headers["content-disposition"].startswith(f'attachment; filename="{WEBHOOK}.zip"')
    assert (await user.get("/components/acme.none")).status_code == 404


async def test_a_removal_is_refused_with_who_is_in_the_way(user: httpx.AsyncClient) -> None:
    refused = await user.delete(f"/components/{WEBHOOK}")
    forced = await user.delete(f"/components/{WEBHOOK}", params={"force": "true"})

    assert refused.status_code == 409
    said = refused.json()["message"]
    assert "'Flow 0' (f0)" in said and "2 more of yours, 3 of others" in said and "force=true" in said
    assert "'Flow 20'" not in said
    assert forced.json() == {"components": [WEBHOOK]}
    assert (await user.delete("/components/acme.none")).status_code == 404


async def test_icons_are_pictures_that_do_nothing(user: httpx.AsyncClient, services: Services) -> None:
    services.catalog.manifests = {
        "zoo.a.b.C": orjson.dumps({"icon": "data:image/svg+xml;base64,PHN2Zy8+"}),
        "zoo.a.b.URL": orjson.dumps({"icon": "https://example.com/x.png"}),
        "zoo.a.b.None": b"{}",
    }

    found = await user.get("/components/zoo.a.b.C/icon")

    assert (found.status_code, found.content) == (200, b"<svg/>")
    assert found.headers["content-type"] == "image/svg+xml"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    for name in ("zoo.a.b.URL", "zoo.a.b.None", "zoo.a.b", "headrace.utils"):
        assert (await user.get(f"/components/{name}/icon")).status_code == 404


@pytest.mark.parametrize(
    ("icon", "picture"),
    [
        ("data:image/png;base64,AAE=", ("image/png", b"\0\1")),
        ("data:image/svg+xml,%3Csvg/%3E", ("image/svg+xml", b"<svg/>")),
        ("data:image/svg+xml;charset=utf-8,<svg/>", ("image/svg+xml", b"<svg/>")),
        ("data:image/svg+xml;charset=utf-8;base64,PHN2Zy8+", ("image/svg+xml", b"<svg/>")),
        ("data:text/html,<script>", ("", b"")),
        ("data:image/png;base64,!", ("", b"")),
        ("javascript:alert(1)", ("", b"")),
        ("", ("", b"")),
    ],
)
def test_only_data_that_is_a_picture_is_one(icon: str, picture: tuple[str, bytes]) -> None:
    assert picture_of(icon) == picture
