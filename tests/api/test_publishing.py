"""Components are published, listed, downloaded and removed in the shapes of the map, over the whole platform."""

from __future__ import annotations

import asyncio
import io
import json
import random
import zipfile
from typing import Any

import httpx
from headrace_core.archives import read_archive

from .people import People, caller, until

SEND = "zoo.mail.core.Send"
RARE = "headrace.utils.http.Delete"
ICON = "data:image/png;base64,AA=="


def archive(**more: str) -> bytes:
    """A connector, packed by the standard library as developers' tools do."""
    files = {
        "zoo/mail/service.json": json.dumps(
            {"name": "zoo.mail", "label": "Mail", "category": "applications", "icon": ICON, "description": "Mails."}
        ),
        "zoo/mail/bundle.json": json.dumps({"name": "zoo.mail", "version": "2.0.1"}),
        "zoo/mail/core/Send/component.json": json.dumps(
            {"name": SEND, "icon": ICON, "inPorts": ["in"], "outPorts": ["out"], "version": "1.0.0"}
        ),
        "zoo/mail/core/Send/Send.js": "module.exports = {};",
        **more,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


async def become_developer(people: People, client: httpx.AsyncClient, vendor: str = "zoo") -> None:
    """Make a developer, whose mail service is not published yet: a server mode is shared with other tests."""
    user_id = (await client.get("/user")).json()["id"]
    assert (await people.admin.put(f"/users/{user_id}", json={"vendor": vendor})).status_code == 200
    assert (await client.delete(f"/components/{vendor}.mail", params={"force": "true"})).status_code in {200, 404}


async def publish(client: httpx.AsyncClient, content: bytes) -> dict[str, Any]:
    """Hand an archive in as Appmixer's own client does, chunked, and wait for its verdict."""

    async def streamed() -> Any:
        for start in range(0, len(content), 50_000):
            yield content[start : start + 50_000]

    headers = {"content-type": "application/octet-stream"}
    handed_in = await client.post("/components", content=streamed(), headers=headers)
    assert handed_in.status_code == 200, handed_in.text
    ticket = handed_in.json()["ticket"]
    told: dict[str, Any] = await until(lambda: client.get(f"/components/uploader/{ticket}"), bool)
    return told


async def test_a_connector_is_published_listed_used_downloaded_and_removed(people: People) -> None:
    ann, bob = people.ann, people.bob
    await become_developer(people, ann)

    told = await publish(ann, archive())

    assert told["finished"] and "err" not in told
    assert (await bob.get("/components", params={"selector": "zoo"})).json() == [SEND]
    (manifest,) = (await bob.get("/components", params={"selector": SEND, "manifest": "yes"})).json()
    assert (manifest["name"], manifest["icon"]) == (SEND, ICON)
    assert (await bob.get("/apps")).json()["zoo.mail"]["icon"] == ICON
    assert [each["name"] for each in (await bob.get("/apps/components", params={"app": "zoo.mail"})).json()] == [SEND]
    assert (await bob.get("/bundles")).json()["zoo.mail"] == {"version": "2.0.1", "bundleVersion": "2.0.1"}

    for selector in (SEND, "zoo.mail"):
        icon = await bob.get(f"/components/{selector}/icon")
        assert (icon.headers["content-type"], icon.content) == ("image/png", b"\0")

    downloaded = await ann.get("/components/zoo.mail")
    assert read_archive(downloaded.content) == read_archive(archive())

    flow = {"name": "Mails", "flow": {"a": {"type": "headrace.utils.controls.OnStart"}, "b": {"type": SEND}}}
    flow_id = (await ann.post("/flows", json=flow)).json()["flowId"]
    refused = await ann.delete(f"/components/{SEND}")
    assert refused.status_code == 409 and flow_id in refused.json()["message"]
    removed = await ann.delete(f"/components/{SEND}", params={"force": "true"})
    assert removed.status_code == 200
    assert (await bob.get("/components", params={"selector": "zoo"})).json() == []
    assert (await ann.get("/components/zoo.mail")).status_code == 404


async def test_whoever_is_not_signed_in_sees_only_what_comes_with_headrace_and_is_for_users(people: People) -> None:
    await become_developer(people, people.ann)
    await publish(people.ann, archive())
    where = "/components?manifest=yes&private=yes"
    async with caller(people.ann.base_url) as stranger:
        shown = (await stranger.get(where)).json()
        of_vendor = (await stranger.get("/components?selector=zoo")).json()
        wrong = await stranger.get(where, headers={"Authorization": "Bearer nothing-like-it"})
        rule = {"role": "user", "resource": RARE, "action": ["!read"], "attributes": []}
        assert (await people.admin.post("/acl/components", json=[rule])).json() == [rule]
        withheld = (await stranger.get("/components")).json()
        await people.admin.post("/acl/components", json=[])

    assert of_vendor == [] and wrong.status_code == 401
    assert not [each["name"] for each in shown if each.get("private")]
    everything = (await people.ann.get("/components?manifest=yes")).json()
    public = (each["name"] for each in everything if not each.get("private"))
    builtin = {name for name in public if name.startswith("headrace.")}  # other tests publish, too
    assert {each["name"] for each in shown} == builtin
    assert RARE in builtin and {*withheld} == builtin - {RARE}


async def test_a_large_connector_comes_back_whole(people: People) -> None:
    await become_developer(people, people.ann)
    noise = "".join(random.Random(7).choices("0123456789abcdef", k=5_000_000))
    large = archive(**{"zoo/mail/data.txt": noise})
    assert len(large) > 2 * 1024 * 1024

    told = await publish(people.ann, large)
    downloaded = await people.ann.get("/components/zoo.mail")

    assert "err" not in told, told
    assert read_archive(downloaded.content) == read_archive(large)


async def test_every_file_of_a_bad_archive_gets_its_verdict(people: People) -> None:
    await become_developer(people, people.ann)

    told = await publish(people.ann, archive(**{"zoo/mail/core/Send/component.json": '{"name": "zoo.mail.Send"}'}))
    slip = await publish(people.ann, archive(**{"zoo/mail/../../x": "x"}))

    assert told["err"] and told["finished"]
    (verdict,) = told["data"]
    assert (verdict["file"], verdict["dataPath"]) == ("zoo/mail/core/Send/component.json", ".name")
    assert verdict["message"] and verdict["fix"]
    assert slip["data"][0]["file"] == "zoo/mail/../../x"
    assert (await people.ann.get("/components", params={"selector": "zoo"})).json() == []


async def test_who_is_no_developer_publishes_reads_and_removes_nothing(people: People) -> None:
    await become_developer(people, people.ann)
    await publish(people.ann, archive())

    answers = await asyncio.gather(
        people.bob.post("/components", content=archive()),
        people.bob.get(f"/components/{SEND}"),
        people.bob.delete(f"/components/{SEND}"),
        people.bob.get("/components/zoo.nothing"),
    )

    assert [each.status_code for each in answers] == [403] * 4
    assert answers[1].json()["message"] == answers[3].json()["message"]
