"""Data stores, files and the log in the shapes of the map, over the whole platform."""

from __future__ import annotations

import httpx

from .people import HOOK, People, echo_flow, make_running, until

FILE_HEADERS = {"uploader-file-id": "f1", "uploader-file-name": "x.bin", "uploader-chunk-size": "4"}


async def test_stores_are_made_read_listed_renamed_and_deleted(user: httpx.AsyncClient) -> None:
    store_id = (await user.post("/stores", json={"name": "People"})).json()["storeId"]
    listed = (await user.get("/stores")).json()
    read = (await user.get(f"/stores/{store_id}")).json()
    renamed = (await user.put(f"/stores/{store_id}", json={"name": "Folk"})).json()

    assert [each["storeId"] for each in listed] == [store_id]
    assert read["name"] == "People"
    assert renamed == {"oldName": "People", "storeId": store_id}
    assert (await user.delete(f"/stores/{store_id}")).status_code == 200
    assert (await user.get(f"/stores/{store_id}")).status_code == 404


async def test_records_are_set_found_changed_moved_and_deleted(user: httpx.AsyncClient) -> None:
    store_id = (await user.post("/stores", json={"name": "One"})).json()["storeId"]
    other = (await user.post("/stores", json={"name": "Two"})).json()["storeId"]
    for key in ("ann", "bob", "cleo"):
        made = await user.post(f"/store/{store_id}/{key}", json={"name": key})
        assert made.status_code == 200
    await user.post(f"/store/{store_id}/text", content=b"plain", headers={"content-type": "text/plain"})
    read = (await user.get(f"/store/{store_id}/ann")).json()
    listed = (await user.get(f"/store?storeId={store_id}&offset=0&limit=10&sort=key:-1&pattern=b")).json()
    counted = (await user.get("/store/count", params={"storeId": store_id})).json()
    found = (await user.get(f"/store/{store_id}/find/cl")).json()
    patched = (await user.patch(f"/store/{store_id}/ann", json={"key": "anna", "value": 1})).json()
    moved = await user.put(f"/store/{store_id}/bob", json={"storeId": other, "key": "bobby"})
    sheet = await user.get(f"/store/download/{store_id}", params={"format": "csv"})
    deleted = (await user.request("DELETE", "/store", json=[{"key": "anna", "storeId": store_id}])).json()
    one = await user.delete(f"/store/{store_id}/cleo")
    rest = (await user.delete(f"/store/{store_id}/*")).json()

    assert set(read) >= {"key", "storeId", "userId", "value", "createdAt", "updatedAt"}
    assert [each["key"] for each in listed] == ["bob"]
    assert counted == {"count": 4}
    assert [each["key"] for each in found] == ["cleo"]
    assert (patched["key"], patched["value"]) == ("anna", 1)
    assert moved.status_code == 200
    assert "attachment" in sheet.headers["content-disposition"]
    assert deleted == {"deletedCount": 1}
    assert one.status_code == 200
    assert rest == {"deletedCount": 1}


async def test_files_come_in_chunks_and_go_out_whole(user: httpx.AsyncClient) -> None:
    for number, chunk in enumerate((b"aaaa", b"bb"), 1):
        headers = {**FILE_HEADERS, "uploader-chunk-number": str(number), "uploader-chunks-total": "2"}
        uploaded = await user.post("/files", files={"file": ("x", chunk)}, headers=headers)
        assert uploaded.status_code == 200, uploaded.text
    file_id = uploaded.json()["fileId"]
    listed = (await user.get("/files", params={"limit": 10, "offset": 0})).json()
    counted = (await user.get("/files/count")).json()
    described = (await user.get(f"/files/metadata/{file_id}")).json()
    content = await user.get(f"/files/{file_id}")
    gone = await user.delete(f"/files/{file_id}")

    assert set(described) >= {"fileId", "filename", "length", "uploadDate", "contentType", "metadata"}
    assert [each["fileId"] for each in listed] == [file_id]
    assert counted == {"count": 1}
    assert content.content == b"aaaabb"
    assert gone.status_code == 200
    assert (await user.get(f"/files/{file_id}")).status_code == 404


async def test_the_log_is_searched_and_its_records_read(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, echo_flow())
    await user.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "ada"})
    search = f"/logs?flowId={flow_id}&from=0&size=5&sort=gridTimestamp:desc&portType=in"
    found = await until(lambda: user.get(search), lambda said: bool(said["hits"]))
    record = found["hits"][0]
    by_post = (await user.post("/logs", params={"flowId": flow_id})).json()
    old = (await user.get(f"/log/{record['_index']}/{record['_id']}")).json()
    new = (await user.get(f"/logs/{record['_index']}/{record['_id']}")).json()

    assert set(record) >= {"_id", "_index", "severity", "gridTimestamp", "flowId", "componentId"}
    assert set(found["buckets"][0]) >= {"key", "key_as_string", "doc_count"}
    assert set(by_post) >= {"hits", "aggregations"}
    assert old["_id"] == new["_id"] == record["_id"]


async def test_the_log_is_aggregated_in_the_syntax_of_elasticsearch(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, echo_flow())
    await user.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "ada"})
    search = f"/logs?flowId={flow_id}&portType=in"
    await until(lambda: user.get(search), lambda said: bool(said["hits"]))
    asked = {
        "days": {
            "date_histogram": {"field": "gridTimestamp", "calendar_interval": "day"},
            "aggs": {"components": {"terms": {"field": "componentId"}}},
        },
        "runs": {"cardinality": {"field": "correlationId"}},
    }
    said = (await user.post(search, json={"aggs": asked})).json()
    refused = await user.post(search, json={"aggs": {"a": {"terms": {"field": "x", "script": "1"}}}})

    buckets = said["aggregations"]["days"]["buckets"]
    assert sum(bucket["doc_count"] for bucket in buckets) == said["total"]
    assert {bucket["key"] for day in buckets for bucket in day["components"]["buckets"]} <= {HOOK, "reply"}
    assert set(said["aggregations"]["runs"]) == {"value"}
    assert (refused.status_code, refused.json()["problems"][0]["where"]) == (400, "aggs.a.terms.script")


async def test_files_that_a_filter_finds_are_removed_and_only_ones_own(people: People) -> None:
    for client in (people.ann, people.bob):
        for name in ("a.txt", "b.txt", "c.csv"):
            await client.post("/files", files={"file": (name, b"x")})

    gone = (await people.ann.delete("/files", params={"filter": "filename:~txt$"})).json()
    again = (await people.ann.delete("/files", params={"filter": "filename:~txt$"})).json()

    assert (gone["deletedCount"], again["deletedCount"]) == (2, 0)
    assert [each["filename"] for each in (await people.ann.get("/files")).json()] == ["c.csv"]
    assert (await people.bob.get("/files/count")).json() == {"count": 3}
    assert (await people.ann.delete("/files")).status_code == 400
