"""People tasks in the shape of the map, over the whole platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from .people import HOOK, People, echo_flow, give_role, make_running, until

PREFIXES = ("/plugins/appmixer/utils/tasks", "/plugins/headrace/utils/tasks", "/people-task")
SHAPE = {
    "taskId", "title", "description", "status", "approver", "requester", "decisionBy", "decisionMade", "created",
    "mtime", "revision", "isApprover",
}  # fmt: skip


def task_of(people: People) -> dict[str, Any]:
    """What Ann asks for on Bob's behalf, of somebody without an account."""
    bob, eve = people.email_of("bob"), f"eve-{people.mark}@example.org"
    return {"title": "Pay it?", "description": "100", "requester": bob, "approver": eve}


def stranger(people: People) -> httpx.AsyncClient:
    """Somebody without an account."""
    return httpx.AsyncClient(base_url=people.ann.base_url)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_tasks_are_made_listed_counted_read_changed_and_decided_by_link(prefix: str, people: People) -> None:
    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    made = (await people.ann.post(f"{prefix}/tasks", json={**task_of(people), "decisionBy": until_then})).json()
    task_id, eve = made["taskId"], {"secret": made["approverSecret"]}

    assert set(made) == SHAPE | {"approverSecret", "requesterSecret"}
    assert (made["status"], made["isApprover"], made["decisionMade"]) == ("pending", False, None)
    listed = (await people.bob.get(f"{prefix}/tasks", params={"role": "requester"})).json()
    assert [(each["taskId"], set(each)) for each in listed] == [(task_id, SHAPE)]
    asked = {"filter": "status:pending", "pattern": "PAY", "sort": "created:-1", "limit": "1", "projection": "title"}
    assert (await people.ann.get(f"{prefix}/tasks", params=asked)).json() == [{"title": "Pay it?"}]
    counted = await people.bob.get(f"{prefix}/tasks-count", params={"role": "approver"})
    assert counted.json() == {"count": 0}
    for whose, decides in ((people.ann, "false"), (people.bob, "false"), (people.ann, "!true"), (people.ann, "!")):
        mine = await whose.get(f"{prefix}/tasks", params={"filter": f"isApprover:{decides}"})
        assert len(mine.json()) == (decides != "!"), "whether somebody decides is known, and never empty"
    changed = await people.bob.put(f"{prefix}/tasks/{task_id}", json={"title": "Pay half of it?"})
    assert changed.json()["title"] == "Pay half of it?"

    async with stranger(people) as nobody:
        read = await nobody.get(f"{prefix}/tasks/{task_id}", params=eve)
        by_secret = (await nobody.get(f"{prefix}/tasks", params=eve)).json()
        place = f"{prefix}/tasks/{task_id}/approve"
        stale = await nobody.put(place, params=eve, headers={"If-Match": '"1"'})
        without = await nobody.put(place)
        wrong = await nobody.put(place, params={"secret": made["approverSecret"] + "x"})
        requester = await nobody.put(place, json={"secret": made["requesterSecret"]})
        approved = await nobody.put(place, json=eve, headers={"If-Match": read.headers["etag"]})
        again = await nobody.put(f"{prefix}/tasks/{task_id}/reject", params=eve)

    assert (read.json()["isApprover"], [each["taskId"] for each in by_secret]) == (True, [task_id])
    statuses = [each.status_code for each in (stale, without, wrong, requester, approved, again)]
    assert statuses == [409, 401, 404, 403, 200, 409]
    assert approved.json()["status"] == "approved" and approved.json()["decisionMade"]
    assert "already" in again.json()["message"]


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_the_same_tasks_are_at_every_place(prefix: str, people: People) -> None:
    task_id = (await people.ann.post("/plugins/appmixer/utils/tasks/tasks", json=task_of(people))).json()["taskId"]

    assert [each["taskId"] for each in (await people.ann.get(f"{prefix}/tasks")).json()] == [task_id]
    assert (await people.ann.get("/people-task/tasks")).json()[0]["taskId"] == task_id
    assert (await people.ann.get(f"{prefix}/tasks-count")).json() == {"count": 1}
    assert (await people.ann.delete(f"{prefix}/tasks/{task_id}")).json() == {"taskId": task_id}
    assert (await people.ann.get(f"{prefix}/tasks/{task_id}")).status_code == 404


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_flow_hears_of_a_decision_at_its_webhook(prefix: str, people: People) -> None:
    flow_id = await make_running(people.ann, echo_flow())
    made = (await people.ann.post(f"{prefix}/tasks", json=task_of(people))).json()
    hook = {"taskId": made["taskId"], "url": f"{people.ann.base_url}/flows/{flow_id}/components/{HOOK}"}
    noted = (await people.ann.post(f"{prefix}/webhooks", json=hook)).json()
    taken_back = (await people.ann.post(f"{prefix}/webhooks", json=hook)).json()
    assert (await people.ann.delete(f"{prefix}/webhooks/{taken_back['webhookId']}")).status_code == 200

    await people.bob.put(f"{prefix}/tasks/{made['taskId']}/reject", params={"secret": made["approverSecret"]})
    runs = await until(lambda: people.ann.get(f"/runs?flowId={flow_id}"), lambda said: bool(said["items"]))
    run_id = runs["items"][0]["runId"]
    run = await until(lambda: people.ann.get(f"/runs/{run_id}"), lambda said: bool(said["steps"]))

    assert (noted["status"], noted["taskId"]) == ("pending", made["taskId"])
    assert (run["triggerId"], runs["totalCount"]) == (HOOK, 1)
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
    made = (await people.ann.post("/people-task/tasks", json=task_of(people))).json()
    given = {"taskId": made["taskId"], "url": url.replace("{}", people.ann.base_url.netloc.decode())}

    answer = await people.ann.post("/people-task/webhooks", json=given)

    assert (answer.status_code, answer.json()["problems"][0]["where"]) == (400, "url")


async def test_rules_about_tasks_hold_at_every_place(people: People) -> None:
    role = await give_role(people, people.ann)
    rule = {"role": role, "resource": "people-task", "action": ["!create"], "attributes": []}
    assert "people-task" in (await people.admin.get("/acl/routes/resources")).json()
    assert (await people.admin.post("/acl/routes", json=[rule])).status_code == 200

    for prefix in PREFIXES:
        assert (await people.ann.post(f"{prefix}/tasks", json=task_of(people))).status_code == 403
        assert (await people.ann.get(f"{prefix}/tasks")).status_code == 200
