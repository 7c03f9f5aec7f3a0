"""Administrators take components from roles: what runs with them stops, what is stopped does not start."""

from __future__ import annotations

from typing import Any

import httpx

from .people import HOOK, People, echo_flow, give_role, make_running, until

WEBHOOK = "appmixer.utils.http.WebhookTrigger"


async def rule_for_ann(people: People) -> dict[str, Any]:
    """What takes the webhook from Ann and from nobody else."""
    return {"role": await give_role(people, people.ann), "resource": WEBHOOK, "action": ["!*"], "attributes": []}


async def stage(client: httpx.AsyncClient, flow_id: str) -> str:
    return str((await client.get(f"/flows/{flow_id}")).json()["stage"])


async def test_flows_stop_where_their_owner_loses_a_component(people: People) -> None:
    rule = await rule_for_ann(people)
    anns = await make_running(people.ann, echo_flow(), "Ann's")
    admins = await make_running(people.admin, echo_flow(), "The administrator's")
    ann = (await people.ann.get("/user")).json()["id"]

    rehearsed = await people.admin.post("/acl/components?dryRun=true", json=[rule])
    assert rehearsed.json() == {
        "rules": [rule],
        "stops": [{"flowId": anns, "userId": ann, "name": "Ann's", "components": [WEBHOOK]}],
        "more": False,
    }
    assert (await people.admin.get("/acl/components")).json() == []
    assert (await people.admin.post("/acl/routes?dryRun=true", json=[])).json() == {
        "rules": [],
        "stops": [],
        "more": False,
    }
    assert await stage(people.ann, anns) == "running"

    assert (await people.admin.post("/acl/components", json=[rule])).json() == [rule]
    stopped = await until(lambda: people.ann.get(f"/flows/{anns}"), lambda flow: bool(flow["stage"] == "stopped"))
    called = await people.ann.post(f"/flows/{anns}/components/{HOOK}", json={"name": "x"})
    started = await people.ann.post(f"/flows/{anns}/coordinator", json={"command": "start"})
    tried = await people.ann.post(f"/flows/{anns}/test", json={"componentId": HOOK})
    by_admin = await people.admin.post(f"/flows/{admins}/components/{HOOK}", json={"name": "x"})
    validated = (await people.ann.get(f"/flows/{anns}/validate")).json()

    assert WEBHOOK in stopped["stageError"]
    assert called.status_code == 404
    assert (started.status_code, WEBHOOK in started.json()["message"]) == (403, True)
    assert [(each["node"], WEBHOOK in each["message"]) for each in validated["errors"]] == [(HOOK, True)]
    assert (tried.status_code, WEBHOOK in tried.json()["message"]) == (403, True)
    assert by_admin.status_code == 200

    await people.admin.post("/acl/components", json=[])
    again = await people.ann.post(f"/flows/{anns}/coordinator", json={"command": "start"})
    assert (again.status_code, again.json()["stage"]) == (200, "running")
    assert "stageError" not in (await people.ann.get(f"/flows/{anns}")).json()


async def test_the_other_spelling_of_a_component_is_withheld_too(people: People) -> None:
    flow = echo_flow()
    flow[HOOK]["type"] = WEBHOOK.replace("appmixer.", "headrace.")
    await people.admin.post("/acl/components", json=[await rule_for_ann(people)])

    refused = await people.ann.post("/flows", json={"name": "F", "flow": flow})
    await people.admin.post("/acl/components", json=[])

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
