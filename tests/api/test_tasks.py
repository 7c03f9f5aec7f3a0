"""People tasks in the shape of the map, over the whole platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from .people import HOOK, People, echo_flow, make_running, until

TASK = {"title": "Pay it?", "description": "100", "requester": "bob@example.com", "approver": "eve@example.org"}
SHAPE = {
    "taskId", "title", "description", "status", "approver", "requester", "decisionBy", "decisionMade", "created",
    "mtime", "revision", "isApprover",
}  # fmt: skip


def stranger(people: People) -> httpx.AsyncClient:
    """Somebody without an account."""
    return httpx.AsyncClient(base_url=people.ann.base_url)


async def test_tasks_are_made_listed_counted_read_changed_and_decided_by_link(people: People) -> None:
    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    made = (
        await people.ann.post("/plugins/appmixer/utils/tasks/tasks", json={**TASK, "decisionBy": until_then})
    ).json()
    task_id, eve = made["taskId"], {"secret": made["approverSecret"]}
    place = f"/plugins/appmixer/utils/tasks/tasks/{task_id}"

    assert set(made) == SHAPE | {"approverSecret", "requesterSecret"}
    assert (made["status"], made["isApprover"], made["decisionMade"]) == ("pending", False, None)
    listed = (await people.bob.get("/plugins/appmixer/utils/tasks/tasks", params={"role": "requester"})).json()
    assert [(each["taskId"], set(each)) for each in listed] == [(task_id, SHAPE)]
    asked = {"filter": "status:pending", "pattern": "PAY", "sort": "created:-1", "limit": "1", "projection": "title"}
    assert (await people.ann.get("/plugins/appmixer/utils/tasks/tasks", params=asked)).json() == [{"title": "Pay it?"}]
    counted = await people.bob.get("/plugins/appmixer/utils/tasks/tasks-count", params={"role": "approver"})
    assert counted.json() == {"count": 0}
    changed = await people.bob.put(f"/plugins/appmixer/utils/tasks/tasks/{task_id}", json={"title": "Pay half of it?"})
    assert changed.json()["title"] == "Pay half of it?"

    async with stranger(people) as nobody:
        read = await nobody.get(f"/plugins/appmixer/utils/tasks/tasks/{task_id}", params=eve)
        by_secret = (await nobody.get("/plugins/appmixer/utils/tasks/tasks", params=eve)).json()
        stale = await nobody.put(f"{place}/approve", params=eve, headers={"If-Match": '"1"'})
        without = await nobody.put(f"/plugins/appmixer/utils/tasks/tasks/{task_id}/approve")
        wrong = await nobody.put(f"{place}/approve", params={"secret": made["approverSecret"] + "x"})
        requester = await nobody.put(f"{place}/approve", json={"secret": made["requesterSecret"]})
        approved = await nobody.put(
            f"/plugins/appmixer/utils/tasks/tasks/{task_id}/approve",
            json=eve,
            headers={"If-Match": read.headers["etag"]},
        )
        again = await nobody.put(f"/plugins/appmixer/utils/tasks/tasks/{task_id}/reject", params=eve)

    assert (read.json()["isApprover"], [each["taskId"] for each in by_secret]) == (True, [task_id])
    statuses = [each.status_code for each in (stale, without, wrong, requester, approved, again)]
    assert statuses == [409, 401, 404, 403, 200, 409]
    assert approved.json()["status"] == "approved" and approved.json()["decisionMade"]
    assert "already" in again.json()["message"]


@pytest.mark.parametrize("prefix", ["/plugins/headrace/utils/tasks", "/people-task"])
async def test_the_same_tasks_are_at_every_place(prefix: str, people: People) -> None:
    task_id = (await people.ann.post("/plugins/appmixer/utils/tasks/tasks", json=TASK)).json()["taskId"]

    assert [each["taskId"] for each in (await people.ann.get(f"{prefix}/tasks")).json()] == [task_id]
    assert (await people.ann.get("/people-task/tasks")).json()[0]["taskId"] == task_id
    assert (await people.ann.get(f"{prefix}/tasks-count")).json() == {"count": 1}
    assert (await people.ann.delete(f"{prefix}/tasks/{task_id}")).json() == {"taskId": task_id}
    assert (await people.ann.get(f"{prefix}/tasks/{task_id}")).status_code == 404


async def test_a_flow_hears_of_a_decision_at_its_webhook(people: People) -> None:
    flow_id = await make_running(people.ann, echo_flow())
    made = (await people.ann.post("/people-task/tasks", json=TASK)).json()
    hook = {"taskId": made["taskId"], "url": f"{people.ann.base_url}flows/{flow_id}/components/{HOOK}"}
    noted = (await people.ann.post("/people-task/webhooks", json=hook)).json()
    taken_back = (await people.ann.post("/people-task/webhooks", json=hook)).json()
    assert (await people.ann.delete(f"/people-task/webhooks/{taken_back['webhookId']}")).status_code == 200

    await people.bob.put(f"/people-task/tasks/{made['taskId']}/reject", params={"secret": made["approverSecret"]})
    runs = await until(lambda: people.ann.get(f"/runs?flowId={flow_id}"), lambda said: said["totalCount"] == 1)
    run = (await people.ann.get(f"/runs/{runs['items'][0]['runId']}")).json()

    assert (noted["status"], noted["taskId"]) == ("pending", made["taskId"])
    assert run["triggerId"] == HOOK
    told: Any = run["steps"][0]["input"]
    assert "rejected" in str(told) and made["approverSecret"] not in str(told)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/flows/f/components/c",
        "ftp://{}/flows/f/components/c",
        "/flows/f/components/c",
        "http://{}/user",
    ],
)
async def test_only_webhooks_of_this_installation_are_told(url: str, people: People) -> None:
    made = (await people.ann.post("/people-task/tasks", json=TASK)).json()
    given = {"taskId": made["taskId"], "url": url.replace("{}", people.ann.base_url.netloc.decode())}

    answer = await people.ann.post("/people-task/webhooks", json=given)

    assert (answer.status_code, answer.json()["problems"][0]["where"]) == (400, "url")


async def test_rules_about_tasks_hold_at_every_place(people: People) -> None:
    rule = {"role": "user", "resource": "people-task", "action": ["!create"], "attributes": []}
    assert "people-task" in (await people.admin.get("/acl/routes/resources")).json()
    assert (await people.admin.post("/acl/routes", json=[rule])).status_code == 200

    for prefix in ("/plugins/appmixer/utils/tasks", "/plugins/headrace/utils/tasks", "/people-task"):
        assert (await people.ann.post(f"{prefix}/tasks", json=TASK)).status_code == 403
        assert (await people.ann.get(f"{prefix}/tasks")).status_code == 200
