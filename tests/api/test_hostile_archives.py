"""Archives that somebody damaged or contrived: refused as a whole before anything is written, and cheaply."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from .archive_parts import exported, imported, lines, members, rebuilt
from .conftest import open_people
from .people import People, echo_flow

LIMIT = 60_000


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[People]:
    """A platform that takes short archives only; Ann has one of each."""
    async with open_people(tmp_path, HEADRACE_LIMIT_IMPORT_BYTES=str(LIMIT)) as people:
        flow_id = (await people.ann.post("/flows", json={"name": "F", "flow": echo_flow()})).json()["flowId"]
        store_id = (await people.ann.post("/stores", json={"name": "S"})).json()["storeId"]
        await people.ann.post(f"/store/{store_id}/k", json={"a": 1})
        await people.ann.post("/charts", json={"name": "C", "type": "bar"})
        await people.ann.post("/url-aliases", json={"alias": "a/b", "flowId": flow_id, "componentId": "hook"})
        await people.ann.post("/files", files={"file": ("f.txt", b"content")})
        yield people


async def seen(client: httpx.AsyncClient) -> list[Any]:
    paths = ("/flows", "/stores", "/charts", "/url-aliases", "/files", "/user")
    return [(await client.get(path)).json() for path in paths]


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({name: data})


def add(name: str, *values: Any) -> Callable[[dict[str, bytes]], None]:
    more = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    return lambda parts: parts.update({name: parts.get(name, b"") + more})


FILE = {"filename": "x", "contentType": "a/b", "metadata": {}, "sha256": "0" * 64}
CHANGED: dict[str, Callable[[dict[str, bytes]], None]] = {
    "a way out": put("../../etc/cron.d/x", b"x"),
    "a way out of files": put("files/../../x", b"x"),
    "an absolute path": put("/etc/passwd", b"x"),
    "a drive": put("C:\\x", b"x"),
    "another script": put("files/١", b"x"),
    "a folder": put("files/", b""),
    "a name of nobody": put("more.ndjson", b"{}"),
    "no JSON": put("flows.ndjson", b"{]\n"),
    "no UTF-8": put("flows.ndjson", b'{"flow": "\xff"}\n'),
    "no number": put("charts.ndjson", b'{"chart": {"chartId": "c", "document": {"index": NaN}}}'),
    "a deep line": put("charts.ndjson", b'{"chart": ' + b"[" * 20_000 + b"]" * 20_000 + b"}\n"),
    "a line that is deep": put("charts.ndjson", b'{"chart": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}\n"),
    "an endless number": put("charts.ndjson", b'{"chart": ' + b"9" * 5_000 + b"}"),
    "another kind": add("flows.ndjson", {"store": {"storeId": "s", "name": "n"}}),
    "two kinds in a line": add("charts.ndjson", {"chart": {"chartId": "c", "document": {}}, "alias": {}}),
    "a field short": add("aliases.ndjson", {"alias": {"id": "a", "alias": "x"}}),
    "a field of another type": add("charts.ndjson", {"chart": {"chartId": 7, "document": {}}}),
    "a record of no store": put("stores.ndjson", b'{"record": {"key": "k", "value": 1}}\n'),
    "a version of no flow": put("flows.ndjson", b'{"version": {"version": 1, "label": "", "descriptor": {}}}\n'),
    "a file without content": add("files.ndjson", {"file": {**FILE, "fileId": "f", "member": "files/999"}}),
    "a file that is a member": add("files.ndjson", {"file": {**FILE, "fileId": "f", "member": "flows.ndjson"}}),
    "one thing twice": add("charts.ndjson", *[{"chart": {"chartId": "c", "document": {}}}] * 2),
}  # fmt: skip
MANIFESTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "another format": lambda said: said.update(format="appmixer"),
    "a later version": lambda said: said.update(version=2),
    "no members": lambda said: said.update(members=None),
    "a member less": lambda said: said["members"].pop(),
    "a member twice": lambda said: said["members"].append(said["members"][0]),
    "a member more": lambda said: said["members"].append({**said["members"][0], "name": "files/77"}),
    "a wrong size": lambda said: said["members"][0].update(bytes=1),
    "a wrong sum": lambda said: said["members"][0].update(sha256="0" * 64),
    "no sum": lambda said: said["members"][0].pop("sha256"),
    "secrets that are missing": lambda said: said.update(secrets={"kdf": "scrypt"}),
}


@pytest.mark.parametrize("what", CHANGED)
async def test_a_contrived_member_is_refused_and_nothing_is_written(what: str, small: People) -> None:
    archive = await exported(small.ann)
    before = await seen(small.bob)

    said = await imported(small.bob, rebuilt(archive, CHANGED[what]), status=400)

    assert "cannot be read" in said["message"]
    assert await seen(small.bob) == before


async def test_a_contrived_manifest_is_refused_and_nothing_is_written(small: People) -> None:
    archive, before = await exported(small.ann), await seen(small.bob)

    for change in MANIFESTS.values():
        said = await imported(small.bob, rebuilt(archive, lambda parts: None, manifest_change=change), status=400)
        assert "cannot be read" in said["message"]
    assert await seen(small.bob) == before


def zipped(parts: list[tuple[str, bytes]], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as made:
        for name, data in parts:
            made.writestr(zipfile.ZipInfo(name), data, kind)
    return out.getvalue()


def contrived(archive: bytes) -> dict[str, bytes]:
    """Archives that are no zip of ours at all."""
    parts = list(members(archive).items())
    end = archive.rindex(b"PK\x05\x06")
    encrypted = bytearray(archive)
    encrypted[archive.index(b"PK\x01\x02") + 8] |= 1
    many = bytearray(archive)
    struct.pack_into("<2H", many, end + 8, 60_000, 60_000)
    return {
        "nothing": b"",
        "text": b"hello",
        "an empty zip": zipped([]),
        "no manifest": zipped([each for each in parts if each[0] != "manifest.json"]),
        "another packing": zipped(parts, zipfile.ZIP_LZMA),
        "something in front": b"#!/bin/sh\n" + archive,
        "something behind": archive + b"more",
        "a comment": archive[:-2] + b"\x04\x00more",
        "an encrypted member": bytes(encrypted),
        "a directory that lies": bytes(many),
        **{f"cut at {part}": archive[: len(archive) * part // 10] for part in range(10)},
    }


async def test_what_is_no_archive_of_ours_is_refused(small: People) -> None:
    archive, before = await exported(small.ann), await seen(small.bob)

    for what, sent in contrived(archive).items():
        answer = await small.bob.post("/import", content=sent, headers={"Content-Type": "application/zip"})
        assert answer.status_code in (400, 413), (what, answer.text)
    assert await seen(small.bob) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_a_member_twice_is_refused(small: People) -> None:
    parts = list(members(await exported(small.ann)).items())

    said = await imported(small.bob, zipped([*parts, parts[0]]), status=400)

    assert "two members of one name" in said["message"]


async def test_a_bomb_is_refused_before_it_is_unpacked(small: People) -> None:
    archive = await exported(small.ann)
    bomb = rebuilt(archive, put("files/9", b"\x00" * (LIMIT * 8 + 1)))
    assert len(bomb) < LIMIT

    assert (await imported(small.bob, bomb, status=413))["code"] == "too_large"

    quiet = bytearray(bomb)  # a directory that says less than there is
    at = bomb.rindex(b"files/9") - 46 + 24
    struct.pack_into("<I", quiet, at, 10)
    assert (await small.bob.post("/import", content=bytes(quiet))).status_code == 400


async def test_a_longer_archive_than_is_taken_is_refused_as_it_comes(small: People) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1000 + 2):
            yield b"x" * 1000

    told = await small.bob.post("/import", content=b"x" * (LIMIT + 1))
    untold = await small.bob.post("/import", content=endless())

    assert (told.status_code, untold.status_code) == (413, 413)


async def test_whatever_bytes_are_turned_the_answer_is_a_clear_one(small: People) -> None:
    archive, before = await exported(small.ann), await seen(small.bob)
    chance = random.Random(7)

    for _ in range(150):
        turned = bytearray(archive)
        for _ in range(chance.choice((1, 1, 1, 4))):
            turned[chance.randrange(len(turned))] ^= 1 << chance.randrange(8)
        answer = await small.bob.post("/import?dryRun=true", content=bytes(turned))
        assert answer.status_code in (200, 400, 413), answer.text
        if answer.status_code == 200:  # a time or a mode of a member, which nobody reads
            assert answer.json()["counts"].keys() <= {"created", "unchanged", "failed"}
    assert await seen(small.bob) == before


async def test_what_a_thing_cannot_be_fails_alone(small: People) -> None:
    archive = await exported(small.ann)
    flow_id = next(each["flow"]["flowId"] for each in lines(archive, "flows") if "flow" in each)
    wrong = [
        {"flow": {"flowId": "no id!", "version": 1, "isActive": False, "record": {"name": "x"}}},
        {"version": {"version": 1, "label": "", "descriptor": {}}},
        {"flow": {"flowId": "strange", "version": 1, "isActive": False, "record": {"name": "x", "colour": "red"}}},
        {"flow": {"flowId": "x" * 5000, "version": 1, "isActive": False, "record": {"name": 5}}},
    ]

    def change(parts: dict[str, bytes]) -> None:
        add("flows.ndjson", *wrong)(parts)
        add("charts.ndjson", {"chart": {"chartId": "wrong", "document": {"type": "cake"}}})(parts)
        add("stores.ndjson", {"store": {"storeId": "a b", "name": ""}}, {"record": {"key": "", "value": 1}})(parts)
        add("aliases.ndjson", {"alias": {"id": "w", "alias": "a b", "flowId": flow_id, "componentId": "hook"}})(parts)
        add("settings.ndjson", {"settings": {"metadata": {"x": "y" * 70_000}}})(parts)

    said = await imported(small.admin, rebuilt(archive, change))

    failed = {each["id"] for each in said["items"] if each["verdict"] == "failed"}
    assert {"no id!", "strange", "x" * 5000, "wrong", "a b", "w"} <= failed
    assert all(each["why"] for each in said["items"] if each["verdict"] == "failed")
    assert [each["name"] for each in (await small.admin.get("/flows")).json()] == ["F"]


async def test_only_so_many_import_at_a_time(small: People) -> None:
    archive = await exported(small.ann)
    desk = small.app.archives  # type: ignore[attr-defined] # the gateway
    with desk.importing(), desk.importing():
        busy = await small.bob.post("/import", content=archive)

    assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")
    assert (await small.bob.post("/import", content=archive)).status_code == 200
