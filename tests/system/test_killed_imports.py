"""A process that is killed in the middle of an import loses nothing of it: importing again finishes it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import signal
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .process import Client, Process, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

STORES, RECORDS, FLOWS, VERSIONS = 4, 150, 30, 4
ZIP = {"Content-Type": "application/zip"}


def node(place: int) -> dict[str, Any]:
    return {"go": {"type": "appmixer.utils.controls.OnStart", "x": place, "y": 0, "source": {}, "config": {}}}


def stores() -> Iterator[dict[str, Any]]:
    for number in range(STORES):
        yield {"store": {"storeId": f"{number:024x}", "name": f"Store {number}"}}
        for key in range(RECORDS):
            yield {"record": {"key": f"k{key}", "value": {"of": number, "key": key}}}


def flows() -> Iterator[dict[str, Any]]:
    for number in range(FLOWS):
        record = {"name": f"Flow {number}", "flow": node(VERSIONS), "customFields": {"number": number}}
        yield {"flow": {"flowId": f"flow-{number}", "version": VERSIONS, "isActive": False, "record": record}}
        for version in range(1, VERSIONS + 1):
            yield {"version": {"version": version, "label": f"v{version}", "descriptor": node(version)}}


def archive() -> bytes:
    parts = {
        f"{kind}.ndjson": b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        for kind, lines in (("flows", flows()), ("stores", stores()))
    }
    members = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in parts.items()
    ]
    said = {"format": "headrace-archive", "version": 1, "members": members, "secrets": None}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in {**parts, "manifest.json": json.dumps(said).encode()}.items():
            made.writestr(name, data)
    return out.getvalue()


def brought(client: Client) -> int:
    """How much of it is there."""
    found = len(client.get("/flows", {"limit": "1000", "projection": "flowId"}).json())
    for store in client.get("/stores").json():
        found += int(client.get("/store/count", {"storeId": store["storeId"]}).json()["count"])
    return found


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    process.start()
    yield process
    process.end(signal.SIGKILL)


def test_an_import_through_kills_is_whole_in_the_end(platform: Process) -> None:
    sent, killed_amid = archive(), 0

    for part in (0.05, 0.4, 0.8, 0.99):
        client = platform.client()
        importing = threading.Thread(target=_import, args=(client, sent))
        importing.start()
        goal = int(part * (STORES * RECORDS + FLOWS))
        wait_for(lambda client=client, goal=goal: brought(client) >= goal, 60)
        platform.end(signal.SIGKILL)
        importing.join(30)
        platform.start()
        killed_amid += brought(platform.client()) < STORES * RECORDS + FLOWS

    client = platform.client()
    said = client.post("/import", content=sent, headers=ZIP).json()
    again = client.post("/import", content=sent, headers=ZIP).json()

    assert killed_amid >= 2
    assert set(said["counts"]) <= {"created", "completed", "unchanged"}, said["counts"]
    assert again["counts"] == {"unchanged": STORES + FLOWS}
    for number in range(FLOWS):
        flow = client.get(f"/flows/flow-{number}").json()
        versions = client.get(f"/flows/flow-{number}/versions").json()["items"]
        assert (flow["name"], flow["flow"], flow.get("notes")) == (f"Flow {number}", node(VERSIONS), None)
        assert [(each["version"], each["label"], each["flow"]) for each in reversed(versions)] == [
            (version, f"v{version}", node(version)) for version in range(1, VERSIONS + 1)
        ]
    for number in range(STORES):
        records = client.get("/store", {"storeId": f"{number:024x}", "limit": "1000"}).json()
        assert {each["key"]: each["value"] for each in records} == {
            f"k{key}": {"of": number, "key": key} for key in range(RECORDS)
        }


def _import(client: Client, sent: bytes) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):  # killed
        client.post("/import", content=sent, headers=ZIP)
