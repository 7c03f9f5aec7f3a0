"""Archives as tests take them apart and put them together."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from .people import HOOK, echo_flow
from .test_charts import CHART

BIG = 2**80
KINDS = ("flows", "stores", "charts", "aliases", "files", "settings")
PHRASE = "correct horse battery"
CONTENT = random.Random(5).randbytes(2_300_000)  # several chunks, and nothing to be packed


async def furnish(client: httpx.AsyncClient, mark: str) -> dict[str, str]:
    """Give a tenant two of everything, linked to each other. Returns the ids."""
    store_id = (await client.post("/stores", json={"name": f"Store {mark}"})).json()["storeId"]
    await client.post("/stores", json={"name": f"Empty {mark}"})
    for number in range(40):
        await client.post(f"/store/{store_id}/key-{number}", json={"number": number, "mark": mark})
    await client.post(f"/store/{store_id}/%C3%BCn%2F%3F", json=[None, 1.5, "\u2028", {}])
    big = f'{{"big": {BIG}}}'
    await client.post(f"/store/{store_id}/big", content=big, headers={"Content-Type": "application/json"})
    flow = echo_flow()
    flow["reply"]["config"]["properties"] = {"storeId": store_id, "note": store_id[:8]}
    flow_id = (await client.post("/flows", json={"name": f"Flow {mark}", "flow": flow})).json()["flowId"]
    await client.put(f"/flows/{flow_id}/versions/1", json={"label": "first"})
    flow["reply"]["label"] = "Second"
    await client.put(f"/flows/{flow_id}", json={"flow": flow, "description": mark, "customFields": {"of": store_id}})
    flow["reply"]["label"] = "Third"
    await client.put(f"/flows/{flow_id}", json={"flow": flow})
    await client.put(f"/flows/{flow_id}/versions/3", json={"label": "third"})
    instance = (await client.post(f"/flows/{flow_id}/clone", json={"isTemplateInstance": True})).json()["cloneId"]
    traces = {"t1": {**CHART["traces"]["t1"], "source": {"type": "flow", "targets": [flow_id, instance]}}}
    chart_id = (await client.post("/charts", json={**CHART, "name": mark, "traces": traces})).json()["chartId"]
    alias = {"alias": f"{mark}/orders", "flowId": flow_id, "componentId": HOOK}
    alias_id = (await client.post("/url-aliases", json=alias)).json()["id"]
    file_id = (await client.post("/files", files={"file": (f"{mark} ä.bin", CONTENT)})).json()["fileId"]
    empty_id = (await client.post("/files", files={"file": ("empty.png", b"", "image/png")})).json()["fileId"]
    started = await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    return {
        "store": store_id,
        "flow": flow_id,
        "instance": instance,
        "chart": chart_id,
        "alias": alias_id,
        "file": file_id,
        "empty": empty_id,
    }


async def exported(client: httpx.AsyncClient, **body: Any) -> bytes:
    answer = await client.post("/export", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return answer.content


async def imported(
    client: httpx.AsyncClient, archive: bytes, *, phrase: str = "", status: int = 200, **query: str
) -> dict[str, Any]:
    headers = {"Content-Type": "application/zip"} | ({"Pass-Phrase": phrase} if phrase else {})
    answer = await client.post("/import", content=archive, params=query, headers=headers, timeout=60)
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    return said


def members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def lines(archive: bytes, kind: str) -> list[dict[str, Any]]:
    text = members(archive).get(f"{kind}.ndjson", b"")
    return [json.loads(line) for line in text.splitlines()]


def manifest(archive: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(members(archive)["manifest.json"])
    return said


def belongings(archive: bytes) -> dict[str, Any]:
    """What is in an archive without what only says when: equal for equal belongings."""
    contents = members(archive)
    return {kind: lines_without_times(lines(archive, kind), contents) for kind in KINDS}


def lines_without_times(found: list[dict[str, Any]], contents: Mapping[str, bytes]) -> list[dict[str, Any]]:
    for line in found:
        for fields in line.values():
            for name in ("createdAt", "isActive", "username", "email"):
                fields.pop(name, None)
            if "member" in fields:
                fields["member"] = hashlib.sha256(contents[fields["member"]]).hexdigest()
    return found


def rebuilt(
    archive: bytes,
    change: Callable[[dict[str, bytes]], None],
    *,
    sums: bool = True,
    manifest_change: Callable[[dict[str, Any]], None] | None = None,
) -> bytes:
    """The archive with its members changed; with `sums`, its manifest says so."""
    parts = members(archive)
    change(parts)
    said = json.loads(parts["manifest.json"])
    if sums:
        said["members"] = [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in parts.items()
            if name not in ("manifest.json", "secrets")
        ]
    if manifest_change is not None:
        manifest_change(said)
    parts["manifest.json"] = json.dumps(said).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
