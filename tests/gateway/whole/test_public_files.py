"""Administrators put public files, and anybody gets them as something to be saved, never as a page."""

import httpx


async def test_a_public_file_is_put_by_an_administrator_and_got_by_anybody(
    admin: httpx.AsyncClient, ann: httpx.AsyncClient
) -> None:
    page = b"<script>alert(1)</script>"
    form = {"filename": "verify.html"}

    put = await admin.post("/public-files", data=form, files={"file": ("other.html", page, "text/html")})
    assert put.json() == {"ok": True}
    assert (await ann.post("/public-files", files={"file": ("a", b"a")})).status_code == 403
    assert (await ann.delete("/public-files/verify.html")).status_code == 403
    assert (await ann.get("/files")).json() == (await admin.get("/files")).json() == []

    async with httpx.AsyncClient(base_url=admin.base_url) as nobody:
        got = await nobody.get("/public-files/verify.html")
        part = await nobody.get("/public-files/verify.html", headers={"Range": "bytes=1-6"})
        listed = (await nobody.get("/public-files")).json()
        assert (await nobody.post("/public-files", files={"file": ("a", b"a")})).status_code == 401
        assert (await nobody.get("/public-files/no.html")).status_code == 404

    assert (got.status_code, got.content, part.content) == (200, page, b"script")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert got.headers["content-disposition"].startswith("attachment;")
    assert [(each["filename"], each["length"]) for each in listed] == [("verify.html", len(page))]


async def test_a_public_file_is_replaced_by_one_of_its_name_and_can_be_removed(admin: httpx.AsyncClient) -> None:
    for content in (b"one", b"two and longer", b"3"):
        assert (await admin.post("/public-files", files={"file": ("ä b.txt", content)})).status_code == 200
        assert (await admin.get("/public-files/%C3%A4%20b.txt")).content == content

    assert len((await admin.get("/public-files")).json()) == 1
    assert (await admin.delete("/public-files/%C3%A4%20b.txt")).status_code == 200
    assert (await admin.delete("/public-files/%C3%A4%20b.txt")).status_code == 404
    assert (await admin.get("/public-files")).json() == []
    for name in ("a/b", "..", "a\tb"):
        answer = await admin.post("/public-files", data={"filename": name}, files={"file": ("x", b"x")})
        assert answer.status_code == 400, name
