"""Flows, their runs and their webhooks in the shapes of the map, over the whole platform."""

from __future__ import annotations

import httpx

from .people import FAILING, HOOK, People, echo_flow, failing_flow, make_running, until

RECORD = {"flowId", "userId", "name", "stage", "flow", "customFields", "btime", "mtime"}


async def test_flows_are_made_read_listed_counted_changed_and_deleted(user: httpx.AsyncClient) -> None:
    made = (await user.post("/flows", json={"name": "One", "flow": echo_flow(), "customFields": {"kind": "a"}})).json()
    flow_id = made["flowId"]
    read = (await user.get(f"/flows/{flow_id}")).json()
    query = {"filter[]": "customFields.kind:a", "sort": "mtime:-1", "limit": "10", "projection": "-flow,-thumbnail"}
    listed = (await user.get("/flows", params=query)).json()
    counted = (await user.get("/flows/count", params={"filter": "customFields.kind:!a"})).json()
    changed = (await user.put(f"/flows/{flow_id}", json={"name": "Two"})).json()
    by_put = (await user.put("/flows/another", json={"name": "By put", "flow": {}})).json()
    gone = (await user.delete(f"/flows/{flow_id}")).json()

    assert set(read) >= RECORD
    assert [each["flowId"] for each in listed] == [flow_id]
    assert "flow" not in listed[0]
    assert counted == {"count": 0}
    assert changed == {"flowId": flow_id, "result": "updated"}
    assert by_put["flowId"] == "another"
    assert gone == {"flowId": flow_id}
    assert (await user.get(f"/flows/{flow_id}")).status_code == 404


async def test_flows_that_others_share_are_listed_filtered_and_counted(people: People) -> None:
    read = {"sharedWith": [{"email": people.email_of("bob"), "permissions": ["read"]}]}
    start = {"sharedWith": [{"domain": people.domain, "permissions": ["start"]}]}
    shared = (await people.ann.post("/flows", json={"name": "To read", "flow": echo_flow(), **read})).json()["flowId"]
    await people.ann.post("/flows", json={"name": "To start", "flow": echo_flow(), **start})
    await people.bob.post("/flows", json={"name": "Own", "flow": echo_flow()})

    async def names(permissions: str, **more: str) -> list[str]:
        answer = await people.bob.get("/flows", params={"sharedWithPermissions": permissions, "sort": "name", **more})
        assert answer.status_code == 200, answer.text
        return [each["name"] for each in answer.json()]

    listed = (await people.bob.get("/flows?sharedWithPermissions=start")).json()
    assert await names("read") == ["To read"]
    assert await names("read,start") == ["To read", "To start"]
    assert await names("read,start", filter=f"flowId:{shared}") == ["To read"]
    assert await names("read,start", pattern="START", limit="1") == ["To start"]
    assert (await people.bob.get("/flows/count?sharedWithPermissions=start,stop,read")).json() == {"count": 2}
    assert (listed[0]["name"], listed[0]["flow"], "sharedWith" in listed[0]) == ("To start", {}, False)
    assert [each["name"] for each in (await people.bob.get("/flows")).json()] == ["Own"]
    assert (await people.bob.get("/flows?sharedWithPermissions=write")).status_code == 400
    assert (await people.admin.get("/flows?sharedWithPermissions=read&allTenants=true")).status_code == 400


async def test_a_copy_has_the_fields_that_were_chosen_and_two_versions_are_compared(user: httpx.AsyncClient) -> None:
    record = {"name": "One", "flow": echo_flow(), "description": "d", "customFields": {"kind": "a"}}
    flow_id = (await user.post("/flows", json=record)).json()["flowId"]

    async def copied(projection: str) -> tuple[set[str], int]:
        answer = await user.post(f"/flows/{flow_id}/clone", json={"projection": projection, "setComponentIdMap": False})
        copy = (await user.get(f"/flows/{answer.json()['cloneId']}")).json()
        return {"description", "customFields", "componentIdMap"} & set(copy), len(copy["flow"])

    assert await copied("name,flow") == (set(), 2)
    assert await copied("description") == ({"description"}, 0)
    assert await copied("-customFields") == ({"description"}, 2)
    assert await copied("-flow,-description") == ({"customFields"}, 0)
    await user.put(f"/flows/{flow_id}", json={"flow": {}})
    difference = (await user.get(f"/flows/{flow_id}/versions/diff?from=1&to=2")).json()
    assert (difference["from"], difference["to"], len(difference["components"]["removed"])) == (1, 2, 2)


async def test_a_flow_is_started_cloned_checked_and_stopped(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, echo_flow())
    refused = await user.put(f"/flows/{flow_id}", json={"flow": {}})
    forced = await user.put(f"/flows/{flow_id}?forceUpdate=true", json={"name": "Forced"})
    status = (await user.get(f"/flows/{flow_id}/coordinator/status")).json()
    copy = (await user.post(f"/flows/{flow_id}/clone", json={"prefix": "Copy of ", "projection": "-thumbnail"})).json()
    checked = (await user.get(f"/flows/{flow_id}/validate")).json()
    url = (await user.get(f"/triggers/{HOOK}/url")).json()
    versions = (await user.get(f"/flows/{flow_id}/versions")).json()
    stopped = (await user.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})).json()

    assert 400 <= refused.status_code < 500
    assert forced.status_code == 200
    assert status["status"] == "running"
    assert status["stepsTotal"] >= 1
    assert (await user.get(f"/flows/{copy['cloneId']}")).json()["stage"] == "stopped"
    assert checked["errors"] == []
    assert url["url"].endswith(f"/components/{HOOK}")
    assert set(versions) >= {"items", "totalCount"}
    assert stopped["flowId"] == flow_id


async def test_a_webhook_takes_every_method_and_waits_or_not(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, echo_flow())
    url = f"/flows/{flow_id}/components/{HOOK}"

    answered = await user.post(url, json={"name": "ada"}, params={"correlationId": "c1"})
    at_once = await user.put(url, json={"name": "bob"}, params={"enqueueOnly": "true"})
    read = await user.get(f"/flows/{flow_id}/components/{HOOK}")
    deleted = await user.delete(f"/flows/{flow_id}/components/{HOOK}")
    patched = await user.patch(f"/flows/{flow_id}/components/{HOOK}", json={"name": "eve"})

    assert (answered.status_code, answered.text) == (200, "ada")
    assert at_once.status_code == 202
    assert {read.status_code, deleted.status_code, patched.status_code} <= {200, 202}
    run_id = answered.headers["x-headrace-run-id"]
    assert (await user.get(f"/runs/{run_id}")).json()["correlationId"] == "c1"
    assert (await user.get("/runs", params={"flowId": flow_id})).json()["totalCount"] == 5


async def test_a_message_is_put_into_a_running_flow(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, echo_flow())
    body = {"componentId": HOOK, "port": "webhook", "content": {"data": {"name": "x"}}}

    taken = await user.post(f"/flows/{flow_id}", json=body)

    assert (taken.status_code, taken.json()["flowId"]) == (202, flow_id)


async def test_a_flow_runs_again_with_the_event_of_a_run(people: People) -> None:
    flow_id = await make_running(people.ann, echo_flow())
    sent = await people.ann.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "ada"})
    run_id = sent.headers["x-headrace-run-id"]
    ann = (await people.ann.get("/user")).json()["id"]

    begun = await people.ann.post(f"/runs/{run_id}/replay")
    once, twice = [await people.ann.post(f"/runs/{run_id}/replay", json={"eventId": "press"}) for _ in range(2)]
    by_admin = await people.admin.post(f"/runs/{run_id}/replay", params={"onBehalfOf": ann})
    by_others = await people.bob.post(f"/runs/{run_id}/replay")
    new_id = begun.json()["runId"]
    done = await until(lambda: people.ann.get(f"/runs/{new_id}"), lambda run: run["state"] == "done")
    old = (await people.ann.get(f"/runs/{run_id}")).json()
    await people.ann.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    stopped = await people.ann.post(f"/runs/{run_id}/replay")

    assert begun.status_code == 202 and begun.json() == {"runId": new_id, "flowId": flow_id, "duplicate": False}
    assert done["eventId"].startswith(f"replay:{run_id}:")
    assert done["steps"][0]["input"] == old["steps"][0]["input"]
    assert (once.json()["duplicate"], twice.json()) == (False, {**once.json(), "duplicate": True})
    assert by_admin.status_code == 202
    assert (by_others.status_code, stopped.status_code) == (404, 404)
    assert "running flow" in stopped.json()["message"]


async def test_what_could_not_be_processed_is_listed_retried_and_dropped(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, failing_flow())
    await user.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": 5})
    listing = f"/unprocessed-messages?flowId={flow_id}&limit=10&offset=0"
    found = await until(lambda: user.get(listing), bool)
    message_id = found[0]["messageId"]
    read = (await user.get(f"/unprocessed-messages/{message_id}")).json()

    assert set(read) >= {"messageId", "flowId", "componentId", "messages", "created", "err"}
    assert read["componentId"] == FAILING
    assert (await user.post(f"/unprocessed-messages/{message_id}/retry")).status_code == 200
    again = await until(lambda: user.get(listing), bool)
    assert (await user.post(f"/unprocessed-messages/{again[0]['messageId']}")).status_code == 200
    last = await until(lambda: user.get(listing), bool)
    assert (await user.delete(f"/unprocessed-messages/{last[0]['messageId']}")).status_code == 200
    assert (await user.get(f"/unprocessed-messages/{last[0]['messageId']}")).status_code == 404


async def test_a_draft_is_published_and_its_instances_follow(people: People) -> None:
    shared = [{"domain": people.domain, "permissions": ["read"]}]
    draft = {"name": "Offer", "type": "integration-draft", "flow": echo_flow()}
    draft_id = (await people.ann.post("/flows", json=draft)).json()["flowId"]

    first = (await people.ann.post(f"/drafts/{draft_id}/publish", json={"sharedWith": shared})).json()
    again = (await people.ann.post(f"/drafts/{draft_id}/publish")).json()
    template_id = first["templateId"]
    clone = {"isTemplateInstance": True, "projection": "-sharedWith"}
    instance_id = (await people.bob.post(f"/flows/{template_id}/clone", json=clone)).json()["cloneId"]
    await people.ann.put(f"/flows/{draft_id}", json={"flow": {**echo_flow(), "more": echo_flow()[HOOK]}})
    second = (await people.ann.post(f"/drafts/{draft_id}/publish", json={})).json()
    before = (await people.ann.get(f"/integrations/{template_id}/update-preview")).json()
    ordered = await people.ann.post(f"/integrations/{template_id}/update-integration-instances")
    ticket = ordered.json()["ticket"]
    await until(lambda: people.ann.get(f"/integrations/status/{ticket}"), lambda said: said["status"] == "completed")

    after = (await people.ann.get(f"/integrations/{template_id}/update-preview")).json()

    assert [(each["flowId"], each["result"]) for each in before["instances"]] == [(instance_id, "updated")]
    assert [each["change"] for each in before["instances"][0]["components"]] == ["added"]
    assert (after["instances"][0]["result"], after["instances"][0]["templateVersion"]) == ("unchanged", 2)
    assert (await people.bob.get(f"/integrations/{template_id}/update-preview")).status_code == 404
    assert first == {"templateId": template_id, "flowId": draft_id, "version": 1, "result": "created"}
    assert again == {**first, "result": "unchanged"}
    assert second == {**first, "version": 2, "result": "updated"}
    template = (await people.bob.get(f"/flows/{template_id}")).json()
    assert (template["type"], template["originFlowId"], template["sharedWith"]) == (
        "integration-template",
        draft_id,
        shared,
    )
    assert len((await people.bob.get(f"/flows/{instance_id}")).json()["flow"]) == 3
    query = {"filter": "type:integration-template", "sharedWithPermissions": "read", "projection": "flowId"}
    assert (await people.bob.get("/flows", params=query)).json() == [{"flowId": template_id}]
    assert (await people.bob.post(f"/drafts/{draft_id}/publish")).status_code == 404
    assert (await people.ann.post(f"/drafts/{template_id}/publish")).status_code == 409
