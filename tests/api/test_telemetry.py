"""What is counted, and what is scheduled, over the whole platform: exactly what happened, to whom it may be told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from .people import EMBEDDED, HOOK, People, echo_flow, make_running, until

TICKING = {
    "t": {
        "type": "appmixer.utils.timers.Timer",
        "source": {},
        "x": 0,
        "y": 0,
        "config": {"properties": {"interval": 5}},
    }
}


def today(days: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def say(client: httpx.AsyncClient, flow_id: str, name: str) -> list[dict[str, Any]]:
    """Send a name through an echo flow, without a secret that is hidden later; the steps that came of it."""
    async with httpx.AsyncClient(base_url=client.base_url) as sender:
        answered = await sender.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": name})
    run_id = answered.headers["x-headrace-run-id"]
    run = await until(lambda: client.get(f"/runs/{run_id}"), lambda said: said["state"] == "done")
    return list(run["steps"])


def size_of(steps: list[dict[str, Any]]) -> int:
    return sum(len(orjson.dumps(each["input"])) for each in steps)


async def test_telemetry_counts_the_messages_of_ones_own_flows_exactly(people: People) -> None:
    flow_id = await make_running(people.ann, echo_flow())
    await people.ann.put(f"/flows/{flow_id}/logger", json={"level": "none"})
    steps = [step for name in ("ada", "grace", "edith") for step in await say(people.ann, flow_id, name)]
    await people.ann.post("/flows", json={"name": "Stopped", "flow": TICKING})

    mine = (await people.ann.get("/telemetry")).json()
    theirs = (await people.bob.get("/telemetry")).json()

    user_id = (await people.ann.get("/user")).json()["id"]
    counted = mine["messageCounts"]
    assert (counted["count"], counted["userId"]) == (len(steps), user_id) == (6, user_id)
    assert counted["from"] == f"{today(-30)}T00:00:00.000Z" and counted["to"] == f"{today()}T23:59:59.999Z"
    assert (mine["runningFlows"], mine["activeConnectors"]) == ({"count": 1}, {"count": 1})
    assert mine["usedApps"] == ["headrace.utils.http", "headrace.utils.timers"]
    assert theirs["messageCounts"]["count"] == 0
    assert (theirs["runningFlows"], theirs["usedApps"]) == ({"count": 0}, [])


async def test_telemetry_is_asked_for_by_days(people: People) -> None:
    flow_id = await make_running(people.ann, echo_flow())
    await say(people.ann, flow_id, "ada")

    async def count(**asked: str | int) -> int:
        return int((await people.ann.get("/telemetry", params=asked)).json()["messageCounts"]["count"])

    in_milliseconds = round(datetime.now(UTC).timestamp() * 1000)
    assert await count(to=today(-1)) == 0
    assert await count(**{"from": today(-1), "to": today(1)}) == 2
    assert await count(**{"from": in_milliseconds - 86_400_000, "to": f"{today(1)}T00:00:00+02:00"}) == 2
    assert await count(**{"from": f"{today(2)}T10:00:00Z", "to": today(3)}) == 0


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("/telemetry", {"from": "yesterday"}, "from"),
        ("/telemetry", {"to": "2026-02-30"}, "to"),
        ("/telemetry", {"to": "99999999999999"}, "to"),
        ("/telemetry", {"from": "2026-02-02", "to": "2026-02-01"}, "from"),
        ("/telemetry/messages", {"from": "1969-12-31"}, "from"),
        ("/telemetry/flows/{flow}", {"from": "2026-02-02", "to": "2026-02-01"}, "from"),
    ],
)
async def test_what_is_no_stretch_of_days_is_refused_by_name(
    people: People, path: str, asked: dict[str, str], field: str
) -> None:
    flow_id = (await people.admin.post("/flows", json={"name": "f", "flow": {}})).json()["flowId"]
    refused = await people.admin.get(path.replace("{flow}", flow_id), params=asked)

    assert (refused.status_code, refused.json()["problems"][0]["field"]) == (400, field), refused.text


@EMBEDDED
async def test_administrators_see_messages_by_day_and_users_do_not(people: People) -> None:
    anns, bobs = await make_running(people.ann, echo_flow()), await make_running(people.bob, echo_flow())
    of_ann = await say(people.ann, anns, "ada")
    of_both = of_ann + await say(people.bob, bobs, "a longer name")
    ann_id = (await people.ann.get("/user")).json()["id"]

    everybody = (await people.admin.get("/telemetry/messages")).json()
    ann = (await people.admin.get("/telemetry/messages", params={"userId": ann_id})).json()
    nobody = await people.admin.get("/telemetry/messages", params={"userId": "0" * 24})
    by_user = await people.ann.get("/telemetry/messages")

    for said, steps in ((everybody, of_both), (ann, of_ann)):
        total = {"count": len(steps), "size": size_of(steps)}
        assert said == {
            "totalCount": total["count"],
            "totalSize": total["size"],
            "stats": [{"date": today(), **total}],
        }
    assert (nobody.status_code, by_user.status_code) == (404, 403)


async def test_a_flow_is_counted_for_its_owner_and_administrators(people: People) -> None:
    flow_id = await make_running(people.ann, echo_flow())
    other_id = await make_running(people.ann, echo_flow())
    steps = await say(people.ann, flow_id, "ada")
    await say(people.ann, other_id, "grace")
    expected = {"totalCount": len(steps), "totalSize": size_of(steps)}
    await people.ann.put(
        f"/flows/{other_id}", json={"sharedWith": [{"email": people.email_of("bob"), "permissions": ["read"]}]}
    )

    assert (await people.ann.get(f"/telemetry/flows/{flow_id}")).json() == expected
    assert (await people.admin.get(f"/telemetry/flows/{flow_id}", params={"from": today()})).json() == expected
    assert (await people.ann.get(f"/telemetry/flows/{flow_id}", params={"to": today(-1)})).json()["totalCount"] == 0
    assert (await people.bob.get(f"/telemetry/flows/{flow_id}")).status_code == 404
    assert (await people.bob.get(f"/flows/{other_id}")).status_code == 200
    assert (await people.bob.get(f"/telemetry/flows/{other_id}")).status_code == 403


@EMBEDDED
async def test_what_was_counted_outlives_its_flow_and_goes_with_its_user(people: People) -> None:
    flow_id = await make_running(people.bob, echo_flow())
    await say(people.bob, flow_id, "ada")
    bob_id = (await people.bob.get("/user")).json()["id"]

    await people.bob.delete(f"/flows/{flow_id}")
    after_the_flow = (await people.bob.get("/telemetry")).json()
    gone = await people.bob.get(f"/telemetry/flows/{flow_id}")
    ticket = (await people.admin.delete(f"/users/{bob_id}")).json()["ticket"]
    async with asyncio.timeout(20):
        while True:
            status = (await people.admin.get(f"/users/{bob_id}/delete-status/{ticket}")).json()
            if status["status"] != "in-progress":
                break

    assert (after_the_flow["messageCounts"]["count"], after_the_flow["runningFlows"]) == (2, {"count": 0})
    assert gone.status_code == 404
    assert status["status"] == "completed"
    everybody = (await people.admin.get("/telemetry/messages")).json()
    assert everybody == {"totalCount": 0, "totalSize": 0, "stats": []}


async def test_administrators_see_what_is_scheduled(people: People) -> None:
    flow_id = await make_running(people.ann, TICKING)
    ann_id = (await people.ann.get("/user")).json()["id"]

    jobs = (await people.admin.get("/system/component-jobs")).json()
    after = (await people.admin.get("/system/component-jobs", params={"after": jobs[-1]["jobId"], "limit": 1})).json()

    [job] = [each for each in jobs if each["flowId"] == flow_id]
    assert (job["userId"], job["componentId"], job["runId"]) == (ann_id, "t", None)
    assert job["nextAt"] and job["schedule"]
    assert after == []
    assert (await people.ann.get("/system/component-jobs")).status_code == 403
