"""The gateway in front of all the real services, over real SQLite and a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from headrace_embedded.platform import open_platform

HOOK = "hook"
VARIABLE = {"variable": "$.hook.request.data.name", "functions": [{"name": "g_uppercase"}]}
ECHO: dict[str, Any] = {
    HOOK: {
        "type": "appmixer.utils.http.WebhookTrigger",
        "x": 0,
        "y": 0,
        "source": {},
        "config": {"properties": {"immediateResponse": False}},
    },
    "reply": {
        "type": "appmixer.utils.http.Response",
        "x": 0,
        "y": 0,
        "source": {"in": {HOOK: ["request"]}},
        "config": {
            "transform": {
                "in": {
                    HOOK: {
                        "request": {
                            "type": "json2new",
                            "modifiers": {"body": {"b": VARIABLE}},
                            "lambda": {"body": "{{{b}}}", "statusCode": 201},
                        }
                    }
                }
            }
        },
    },
}


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator's client of a fresh platform."""
    environ = {
        "HEADRACE_DATA_DIR": str(tmp_path),
        "HEADRACE_PORT": "0",
        "HEADRACE_DRAIN_DELAY": "0s",
        "HEADRACE_ADMIN_EMAIL": "admin@example.com",
        "HEADRACE_ADMIN_PASSWORD": "correct horse",
    }
    async with open_platform(environ) as serving, httpx.AsyncClient(base_url=serving.url) as client:
        signed_in = await client.post("/user/auth", json={"email": "admin@example.com", "password": "correct horse"})
        assert signed_in.status_code == 200, signed_in.text
        client.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
        yield client


async def make_running(client: httpx.AsyncClient) -> str:
    made = await client.post("/flows", json={"name": "Echo", "flow": ECHO, "customFields": {"kind": "demo"}})
    assert made.status_code == 200, made.text
    flow_id = str(made.json()["flowId"])
    started = await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    return flow_id


async def test_a_webhook_runs_a_flow_and_is_answered_by_it(platform: httpx.AsyncClient) -> None:
    flow_id = await make_running(platform)
    url = f"/flows/{flow_id}/components/{HOOK}"

    first = await platform.post(url, json={"name": "ada"}, headers={"Idempotency-Key": "e1"})
    again = await platform.post(url, json={"name": "bob"}, headers={"Idempotency-Key": "e1"})
    nowhere = await platform.post(f"/flows/{flow_id}/components/none", json={})
    unknown = await platform.post("/flows/none/components/none", json={})

    assert (first.status_code, first.text) == (201, "ADA")
    assert (again.status_code, again.text) == (201, "ADA")
    assert first.headers["x-headrace-run-id"] == again.headers["x-headrace-run-id"]
    assert 400 <= nowhere.status_code < 500
    assert unknown.status_code == 404

    run = (await platform.get(f"/runs/{first.headers['x-headrace-run-id']}")).json()
    assert run["flowId"] == flow_id
    assert [step["componentId"] for step in run["steps"]] == [HOOK, "reply"]
    assert (await platform.get("/runs", params={"flowId": flow_id})).json()["totalCount"] == 1


async def test_a_stopped_flow_takes_no_webhooks(platform: httpx.AsyncClient) -> None:
    flow_id = await make_running(platform)
    await platform.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})

    answer = await platform.post(f"/flows/{flow_id}/components/{HOOK}", json={})

    assert 400 <= answer.status_code < 500


async def test_flows_are_listed_filtered_copied_and_checked(platform: httpx.AsyncClient) -> None:
    flow_id = await make_running(platform)

    found = await platform.get("/flows", params={"filter": "customFields.kind:demo", "projection": "flowId"})
    missed = await platform.get("/flows", params={"filter": "customFields.kind:!demo"})
    copy = (await platform.post(f"/flows/{flow_id}/clone", json={"prefix": "Copy of "})).json()["cloneId"]

    assert found.json() == [{"flowId": flow_id}]
    assert missed.json() == []
    assert (await platform.get(f"/flows/{copy}")).json()["name"] == "Copy of Echo"
    assert (await platform.get(f"/flows/{flow_id}/validate")).json()["errors"] == []
    assert (await platform.get(f"/flows/{flow_id}/versions")).json()["totalCount"] == 1
    assert (await platform.get(f"/triggers/{HOOK}/url")).status_code == 200
    saved = await platform.get(f"/flows/{flow_id}")
    late = await platform.put(
        f"/flows/{flow_id}?forceUpdate=true", json={"name": "b"}, headers={"If-Match": saved.headers["etag"]}
    )
    assert late.status_code == 200
    stale = await platform.put(
        f"/flows/{flow_id}?forceUpdate=true", json={"name": "c"}, headers={"If-Match": saved.headers["etag"]}
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "revision_conflict")


async def test_stores_and_files_are_kept(platform: httpx.AsyncClient) -> None:
    store = (await platform.post("/stores", json={"name": "People"})).json()["storeId"]
    await platform.post(f"/store/{store}/ann", json={"age": 7})
    for number, chunk in enumerate((b"aaaa", b"bb"), 1):
        headers = {
            "uploader-file-id": "my-file",
            "uploader-file-name": "x.bin",
            "uploader-chunk-size": "4",
            "uploader-chunk-number": str(number),
            "uploader-chunks-total": "2",
        }
        uploaded = await platform.post("/files", files={"file": ("x", chunk)}, headers=headers)
        assert uploaded.status_code == 200, uploaded.text

    assert (await platform.get(f"/store/{store}/ann")).json()["value"] == {"age": 7}
    assert [each["key"] for each in (await platform.get(f"/store/download/{store}")).json()] == ["ann"]
    assert (await platform.get(f"/store/{store}/find/an")).json()[0]["key"] == "ann"
    assert (await platform.get("/files/my-file")).content == b"aaaabb"
    assert (await platform.get("/files/my-file", headers={"Range": "bytes=-2"})).content == b"bb"


async def test_another_user_sees_none_of_it(platform: httpx.AsyncClient) -> None:
    flow_id = await make_running(platform)
    store = (await platform.post("/stores", json={"name": "s"})).json()["storeId"]
    made = await platform.post("/user", json={"email": "bob@example.com", "password": "long enough"})
    assert made.status_code == 201, made.text
    bob = {"Authorization": f"Bearer {made.json()['token']}"}

    for method, path in (
        ("GET", f"/flows/{flow_id}"),
        ("DELETE", f"/flows/{flow_id}"),
        ("GET", f"/flows/{flow_id}/live"),
        ("GET", f"/stores/{store}"),
        ("GET", f"/store/{store}/k"),
        ("GET", f"/store?storeId={store}"),
        ("GET", f"/store/download/{store}"),
    ):
        answer = await platform.request(method, path, headers=bob)
        assert answer.status_code == 404, (method, path, answer.text)
    assert (await platform.get("/flows", headers=bob)).json() == []
    assert (await platform.get("/users", headers=bob)).status_code == 403
    # The flow is still there: nothing of the above reached it.
    assert (await platform.get(f"/flows/{flow_id}")).json()["stage"] == "running"


async def test_the_catalog_and_the_log_answer(platform: httpx.AsyncClient) -> None:
    names = (await platform.get("/components", params={"selector": "headrace.utils.http"})).json()

    assert names
    assert (await platform.get("/apps")).status_code == 200
    assert (await platform.get("/bundles")).status_code == 200
    assert (await platform.get("/modifiers")).json()["modifiers"]
    assert "hits" in (await platform.get("/logs", params={"query": "severity:error"})).json()
    assert (await platform.get("/health/ready")).status_code == 200
