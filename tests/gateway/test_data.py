"""Stores, records, files, logs, runs, unprocessed messages, catalog and modifiers over REST."""

import httpx
import pytest
from headrace_core import Json

from .services import Services

FORM_WITHOUT_FILE = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'


async def test_stores_are_made_renamed_and_removed(user: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    store = (await user.post("/stores", json={"name": "People"})).json()["storeId"]

    assert (await user.get("/stores")).json()[0]["name"] == "People"
    assert (await user.put(f"/stores/{store}", json={"name": "Folk"})).json() == {
        "oldName": "People",
        "storeId": store,
    }
    assert (await other.get(f"/stores/{store}")).status_code == 404
    assert (await user.delete(f"/stores/{store}")).json() == {"storeId": store}
    assert (await user.post("/stores", json={"name": ""})).status_code == 400


async def test_records_are_written_read_moved_and_removed(user: httpx.AsyncClient) -> None:
    store = (await user.post("/stores", json={"name": "s"})).json()["storeId"]

    written = await user.post(f"/store/{store}/k", json={"age": 7})
    text = await user.post(f"/store/{store}/t", content="plain", headers={"Content-Type": "text/plain"})
    patched = await user.patch(f"/store/{store}/k", json={"key": "k2", "value": 8})
    moved = await user.put(f"/store/{store}/k2", json={"key": "k3"})

    assert written.json()["value"] == {"age": 7}
    assert text.json()["value"] == "plain"
    assert (patched.json()["key"], patched.json()["value"]) == ("k2", 8)
    assert moved.json()["key"] == "k3"
    assert (await user.get(f"/store/{store}/k")).status_code == 404
    assert len((await user.get("/store", params={"storeId": store})).json()) == 2
    assert (await user.get("/store/count", params={"storeId": store})).json() == {"count": 2}
    assert [each["key"] for each in (await user.get(f"/store/{store}/find/k3")).json()] == ["k3"]
    assert (await user.request("DELETE", "/store", json=[{"key": "t", "storeId": store}])).json() == {"deletedCount": 1}
    assert (await user.delete(f"/store/{store}/k3")).json() == {"deletedCount": 1}
    assert (await user.delete(f"/store/{store}/k3")).status_code == 404
    assert (await user.get("/store")).json()["problems"][0]["field"] == "storeId"


async def test_the_key_star_removes_every_record(user: httpx.AsyncClient) -> None:
    store = (await user.post("/stores", json={"name": "s"})).json()["storeId"]
    for key in "abc":
        await user.post(f"/store/{store}/{key}", json=1)

    assert (await user.delete(f"/store/{store}/*")).json() == {"deletedCount": 3}


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_store_downloads_as_json_and_csv(count: int, user: httpx.AsyncClient) -> None:
    store = (await user.post("/stores", json={"name": "s"})).json()["storeId"]
    for number in range(count):
        await user.post(f"/store/{store}/k{number}", json={"n": number})

    as_json = await user.get(f"/store/download/{store}", params={"format": "json"})
    as_csv = await user.get(f"/store/download/{store}", params={"format": "csv"})

    assert [each["value"]["n"] for each in as_json.json()] == list(range(count))
    assert as_json.headers["content-disposition"] == f'attachment; filename="{store}.json"'
    assert len(as_csv.text.splitlines()) == count + 1
    assert as_csv.text.splitlines()[0] == "key,value,createdAt,updatedAt"
    assert (await user.get(f"/store/download/{store}", params={"format": "xml"})).status_code == 400


async def test_a_file_is_uploaded_downloaded_and_removed(user: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    sent = {"file": ("grüße.txt", b"0123456789", "text/plain")}
    file = (await user.post("/files", files=sent)).json()

    whole = await user.get(f"/files/{file['fileId']}")
    part = await user.get(f"/files/{file['fileId']}", headers={"Range": "bytes=2-4"})
    outside = await user.get(f"/files/{file['fileId']}", headers={"Range": "bytes=10-"})

    assert (file["filename"], file["length"], file["metadata"]["userId"]) == ("grüße.txt", 10, "a" * 24)
    assert whole.content == b"0123456789"
    assert whole.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in whole.headers["content-security-policy"]
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert (outside.status_code, outside.headers["content-range"]) == (416, "bytes */10")
    assert (await user.head(f"/files/{file['fileId']}")).headers["content-length"] == "10"
    assert (await user.get(f"/files/metadata/{file['fileId']}")).json()["contentType"] == "text/plain"
    assert (await user.get("/files/count")).json() == {"count": 1}
    assert (await other.get(f"/files/{file['fileId']}")).status_code == 404
    assert (await user.delete(f"/files/{file['fileId']}")).json() == {"fileId": file["fileId"]}


async def test_a_file_comes_in_chunks(user: httpx.AsyncClient) -> None:
    chunks = [b"aaaa", b"bbbb", b"cc"]
    for number, chunk in enumerate(chunks, 1):
        answer = await user.post(
            "/files",
            files={"file": ("x", chunk)},
            headers={
                "uploader-file-id": "my-file",
                "uploader-file-name": "na%20me.bin",
                "uploader-chunk-size": "4",
                "uploader-chunk-number": str(number),
                "uploader-chunks-total": "3",
            },
        )
        assert answer.status_code == 200

    assert (answer.json()["filename"], answer.json()["length"]) == ("na me.bin", 10)
    assert (await user.get("/files/my-file")).content == b"aaaabbbbcc"


@pytest.mark.parametrize(
    "headers",
    [
        {"uploader-file-id": "../../etc/passwd"},
        {"uploader-chunk-number": "2"},
        {"uploader-chunks-total": "2"},
        {"uploader-chunk-number": "x"},
        {"uploader-chunks-total": "100000000"},
        {"uploader-file-id": "f", "uploader-chunks-total": "2", "uploader-chunk-size": "9"},
    ],
)
async def test_uploads_that_make_no_sense_are_refused(
    headers: dict[str, str], user: httpx.AsyncClient, services: Services
) -> None:
    answer = await user.post("/files", files={"file": ("x", b"abc")}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert services.files.uploads == {}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400),
        (b"x", "multipart/form-data", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"{}", "application/json", 415),
        (b"x" * 4097, "application/octet-stream", 413),
    ],
)
async def test_forms_without_a_file_are_refused(
    content: bytes, kind: str, status: int, user: httpx.AsyncClient
) -> None:
    assert (await user.post("/files", content=content, headers={"Content-Type": kind})).status_code == status


async def test_the_log_is_searched_as_clients_do(user: httpx.AsyncClient, services: Services) -> None:
    answer = await user.post(
        "/logs",
        params=[
            ("trace", "true"),
            ("excludes", "inputMessages,annotatedMsg"),
            ("from", "10"),
            ("size", "50"),
            ("sort", "gridTimestamp:desc"),
            ("flowId", "f1"),
            ("flowId", "f2"),
            ("query", "gridTimestamp:[a TO b]"),
            ("searchAfter", "1767323045000"),
            ("searchAfter", "r1"),
        ],
    )

    asked = services.logs.queries[0]
    assert list(asked.flow_ids) == ["f1", "f2"]
    assert list(asked.excludes) == ["inputMessages", "annotatedMsg"]
    assert (asked.offset, asked.size, asked.trace) == (10, 50, True)
    assert asked.search_after == b'["1767323045000","r1"]'  # as the URL has them: a correlationId 1.10 is no number
    found = answer.json()
    assert found["hits"][0]["_id"] == "r1"
    assert found["hits"][0]["_index"] == "headrace-202601"
    assert found["hits"][0]["msg"] == "hello"
    assert found["buckets"] == [{"key": 1767322800000, "key_as_string": "2026-01-02T03:00:00.000Z", "doc_count": 1}]


async def test_log_records_are_read_by_their_id_whatever_index_is_named(user: httpx.AsyncClient) -> None:
    assert (await user.get("/logs", params={"portType": "up"})).status_code == 400
    assert (await user.get("/log/any/r1")).json()["msg"] == "hello"
    assert (await user.get("/logs/any/r2")).status_code == 404


async def test_a_body_of_the_log_holds_aggregations_and_nothing_else(user: httpx.AsyncClient) -> None:
    for body in ({"size": 0}, {"aggs": []}, {"aggs": {}, "query": {}}, {"aggs": {}, "aggregations": {}}):
        answer = await user.post("/logs", json=body)

        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), body


async def test_a_run_shows_its_steps_and_why_it_waits(user: httpx.AsyncClient) -> None:
    run = (await user.get("/runs/run-1")).json()

    assert run["state"] == "waiting"
    assert run["steps"][0]["input"] == {"b": 2}
    assert run["steps"][0]["outputs"][0]["content"] == {"a": 1}
    assert run["waits"][0]["reason"] == "The site answered 503."
    assert (await user.get("/runs", params={"state": "failed"})).json()["items"][0]["state"] == "failed"
    assert (await user.get("/runs", params={"state": "odd"})).json()["problems"][0]["field"] == "state"
    assert (await user.post("/runs/run-1/cancel")).status_code == 200
    assert (await user.post("/runs/run-2/cancel", json={"reason": "x"})).status_code == 404


async def test_unprocessed_messages_are_read_retried_and_dropped(user: httpx.AsyncClient) -> None:
    assert [each["messageId"] for each in (await user.get("/unprocessed-messages")).json()] == ["m1"]
    assert (await user.get("/unprocessed-messages/m1")).json()["err"] == {"message": "no"}
    assert (await user.post("/unprocessed-messages/m1/retry")).json() == {"messageId": "m1"}
    assert (await user.post("/unprocessed-messages/m1")).status_code == 200
    assert (await user.delete("/unprocessed-messages/m1")).json() == {"messageId": "m1"}
    assert (await user.delete("/unprocessed-messages/m1")).status_code == 404


async def test_the_catalog_is_listed(user: httpx.AsyncClient) -> None:
    assert (await user.get("/components")).json() == ["headrace.utils.http.Webhook"]
    assert (await user.get("/components", params={"manifest": "yes", "private": "no"})).json() == [{"name": "Webhook"}]
    assert (await user.get("/apps")).json() == {"headrace.utils": {"label": "Utils"}}
    assert (await user.get("/apps/components", params={"app": "headrace.utils"})).json() == [{"name": "Webhook"}]
    assert (await user.get("/apps/components")).status_code == 400
    assert (await user.get("/bundles")).json() == {"headrace.utils": {"version": "1.2.3", "bundleVersion": "1.2.3"}}


async def test_administrators_replace_the_modifiers(user: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    document: dict[str, Json] = {"categories": {"text": {}}, "modifiers": {"g_upper": {}}}

    assert (await admin.put("/modifiers", json=document)).json() == document
    assert (await user.get("/modifiers")).json() == document
    assert (await admin.delete("/modifiers")).json() == {}
    assert (await admin.put("/modifiers", json={"categories": {}})).status_code == 400


async def test_files_are_removed_by_a_filter_and_never_by_saying_nothing(user: httpx.AsyncClient) -> None:
    for number in range(3):
        await user.post("/files", files={"file": (f"{number}.txt", b"x")})

    for nothing in ("/files", "/files?filter=", "/files?pattern=txt", "/files?filter[]="):
        assert (await user.delete(nothing)).status_code == 400
    assert (await user.get("/files/count")).json() == {"count": 3}
    assert (await user.delete("/files?filter=filename:~txt")).json() == {"deletedCount": 3, "remaining": 0}
