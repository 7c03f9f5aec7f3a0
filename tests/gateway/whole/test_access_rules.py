"""What administrators take away from a role is refused at the gateway, at once."""

import httpx
from headrace_core import Json

HTTP = "headrace.utils.http.WebhookTrigger"
FLOW: dict[str, Json] = {"t": {"type": HTTP, "source": {}, "x": 0, "y": 0}}


def rule(resource: str, *actions: str) -> dict[str, Json]:
    return {"role": "user", "resource": resource, "action": sorted(actions), "attributes": []}


async def test_a_route_that_is_taken_from_a_role_is_refused(admin: httpx.AsyncClient, ann: httpx.AsyncClient) -> None:
    rules = [rule("flows", "!create", "!delete")]
    assert (await admin.post("/acl/routes", json=rules)).json() == rules
    assert (await admin.get("/acl/routes")).json() == rules

    assert (await ann.get("/flows")).status_code == 200
    assert (await ann.post("/flows", json={"name": "x"})).status_code == 403
    assert (await admin.post("/flows", json={"name": "x"})).status_code == 200
    assert (await ann.get("/users")).status_code == 403  # no rule opens what is for administrators
    assert (await ann.post("/acl/routes", json=[])).status_code == 403

    await admin.post("/acl/routes", json=[])
    assert (await ann.post("/flows", json={"name": "x"})).status_code == 200


async def test_a_component_that_is_taken_from_a_role_is_neither_shown_nor_saved_nor_started(
    admin: httpx.AsyncClient, ann: httpx.AsyncClient
) -> None:
    before = (await ann.get("/components")).json()
    old_id = (await ann.post("/flows", json={"name": "old", "flow": FLOW})).json()["flowId"]
    await admin.post("/acl/components", json=[rule(HTTP, "!*")])

    assert HTTP in before and HTTP in (await admin.get("/components")).json()
    assert HTTP not in (await ann.get("/components")).json() != []
    for answer in (
        await ann.post("/flows", json={"name": "x", "flow": FLOW}),
        await ann.put("/flows/new", json={"flow": FLOW}),
        await ann.post(f"/flows/{old_id}/coordinator", json={"command": "start"}),
    ):
        assert answer.status_code == 403 and HTTP in answer.json()["message"]
    assert (await admin.post("/flows", json={"name": "x", "flow": FLOW})).status_code == 200


async def test_rules_are_described_and_wrong_ones_refused(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/acl-types")).json() == ["routes", "components"]
    assert "!read" in (await admin.get("/acl/routes/actions")).json()
    assert {"*", "flows"} <= set((await admin.get("/acl/routes/resources")).json())
    assert HTTP in (await admin.get("/acl/components/resources")).json()
    assert (await admin.get("/acl/components/resource/*/attributes")).json() == ["non-private"]
    assert (await admin.get("/acl/other")).status_code == 404
    for wrong in ([rule("flows", "fly")], [rule("flows")], [{"role": "user"}], {}, [rule("", "read")]):
        assert (await admin.post("/acl/routes", json=wrong)).status_code == 400
