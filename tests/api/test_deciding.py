"""A step in doubt over the whole platform: its owner or an administrator decides, once, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import httpx

from .people import HOOK, People, make_running, until
from .test_audit import newest
from .test_publishing import SEND, archive, become_developer, publish

DIES = "module.exports = { receive() { process.exit(7); } };"
UNSAFE = json.dumps({"name": SEND, "inPorts": ["in"], "outPorts": ["out"], "version": "1.0.0", "effect": "unsafe"})


def flow() -> dict[str, Any]:
    hook = {"type": "appmixer.utils.http.WebhookTrigger", "x": 0, "y": 0, "source": {}, "config": {}}
    return {HOOK: hook, "send": {"type": SEND, "x": 0, "y": 0, "source": {"in": {HOOK: ["request"]}}, "config": {}}}


async def in_doubt(client: httpx.AsyncClient, flow_id: str) -> dict[str, Any]:
    sent = await client.post(f"/flows/{flow_id}/components/{HOOK}", json={"n": 1})
    assert sent.status_code in (200, 202), sent.text
    where = f"/unprocessed-messages?flowId={flow_id}"
    [message] = await until(lambda: client.get(where), bool, within=60)
    assert message["err"]["code"] == "in_doubt"
    return dict(message)


async def test_its_owner_and_an_administrator_decide_once_and_nobody_else(people: People) -> None:
    await become_developer(people, people.ann)
    code = {"zoo/mail/core/Send/Send.js": DIES, "zoo/mail/core/Send/component.json": UNSAFE}
    await publish(people.ann, archive(**code))
    flow_id = await make_running(people.ann, flow())
    ann = str((await people.ann.get("/user")).json()["id"])

    first = await in_doubt(people.ann, flow_id)
    place = f"/runs/{first['runId']}/steps/{first['messageId']}/decision"
    happened = {"verdict": "happened", "outputs": {"out": [{"id": 1}]}}
    of_bob = await people.bob.post(place, json=happened)
    pretended = await people.bob.post(f"{place}?onBehalfOf={ann}", json=happened)
    nowhere = await people.ann.post(place, json={"verdict": "happened", "outputs": {"no": [1]}})
    done = await people.ann.post(place, json=happened)
    late = await people.admin.post(f"{place}?onBehalfOf={ann}", json={"verdict": "retry"})
    run = await until(lambda: people.ann.get(f"/runs/{first['runId']}"), lambda told: bool(told["state"] == "done"))

    assert (of_bob.status_code, pretended.status_code, nowhere.status_code) == (404, 403, 400)
    assert "has no out-port 'no'" in nowhere.json()["message"]
    assert done.json() == {"runId": first["runId"], "stepId": first["messageId"], "verdict": "happened"}
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    decision = run["steps"][-1]["decision"]
    assert (decision["verdict"], decision["userId"]) == ("happened", ann)
    assert [each["content"] for each in run["steps"][-1]["outputs"]] == [{"id": 1}]

    second = await in_doubt(people.ann, flow_id)
    place = f"/runs/{second['runId']}/steps/{second['messageId']}/decision"
    by_admin = await people.admin.post(f"{place}?onBehalfOf={ann}", json={"verdict": "skip"})
    act = await newest(people.admin, action="POST /runs/{id}/steps/{stepId}/decision", tenantId=ann)

    assert by_admin.status_code == 200, by_admin.text
    assert (act["given"], act["tenantId"], act["status"]) == ({"verdict": "skip"}, ann, 200)
    assert act["after"]["verdict"] == "skip"
    await people.ann.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    await people.ann.delete("/components/zoo.mail", params={"force": "true"})
