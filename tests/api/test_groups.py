"""Groups over the whole platform: administrators make them, rules and shares name them."""

from __future__ import annotations

from typing import Any

from .people import People, echo_flow

SHAPE = {"groupId", "name", "description", "members", "created", "mtime", "revision"}


async def id_of(client: Any) -> str:
    return str((await client.get("/user")).json()["id"])


async def test_groups_are_made_read_listed_changed_and_deleted(people: People) -> None:
    admin, ann, bob = people.admin, await id_of(people.ann), await id_of(people.bob)
    made = (await admin.post("/groups", json={"groupId": "sales", "name": "Sales", "members": [ann]})).json()
    other = (await admin.post("/groups", json={"name": "Law"})).json()
    read = await admin.get("/groups/sales")
    joined = (await admin.put(f"/groups/sales/members/{bob}")).json()
    of_bob = (await admin.get("/groups", params={"filter": f"members:{bob}", "projection": "groupId"})).json()
    stale = await admin.put("/groups/sales", json={"name": "Else"}, headers={"If-Match": read.headers["etag"]})
    left = (await admin.delete(f"/groups/sales/members/{ann}")).json()
    changed = (await admin.put("/groups/sales", json={"description": "They sell", "members": []})).json()

    assert set(made) == SHAPE and read.json() == made
    assert sorted(joined["members"]) == sorted([ann, bob])
    assert of_bob == [{"groupId": "sales"}]
    assert stale.status_code == 409
    assert left["members"] == [bob]
    assert (changed["name"], changed["description"], changed["members"]) == ("Sales", "They sell", [])
    assert [each["name"] for each in (await admin.get("/groups")).json()] == ["Law", "Sales"]
    assert (await admin.put("/groups/sales/members/nobody")).status_code == 400
    assert (await admin.post("/groups", json={"name": "law"})).status_code == 409
    assert (await admin.delete(f"/groups/{other['groupId']}")).json() == {"groupId": other["groupId"]}
    assert (await admin.get(f"/groups/{other['groupId']}")).status_code == 404


async def test_only_administrators_know_of_groups(people: People) -> None:
    for method, path in (("GET", "/groups"), ("POST", "/groups"), ("GET", "/groups/x"), ("DELETE", "/groups/x")):
        assert (await people.ann.request(method, path)).status_code == 403


async def test_a_rule_and_a_share_hold_for_a_group_from_the_moment_one_is_in_it(people: People) -> None:
    admin, bob = people.admin, await id_of(people.bob)
    await admin.post("/groups", json={"groupId": "guests", "name": "Guests"})
    shared = [{"group": "guests", "permissions": ["read"]}]
    made = await people.ann.post("/flows", json={"name": "For guests", "flow": echo_flow(), "sharedWith": shared})
    flow_id = made.json()["flowId"]
    rule = {"role": "group:guests", "resource": "stores", "action": ["!create"], "attributes": []}
    assert (await admin.post("/acl/routes", json=[rule])).status_code == 200
    assert (await people.bob.get(f"/flows/{flow_id}")).status_code == 404
    assert (await people.bob.post("/stores", json={"name": "before"})).status_code == 200

    assert (await admin.put(f"/groups/guests/members/{bob}")).status_code == 200

    assert (await people.bob.get(f"/flows/{flow_id}")).json()["name"] == "For guests"
    listed = (await people.bob.get("/flows?sharedWithPermissions=read")).json()
    assert [each["flowId"] for each in listed] == [flow_id]
    assert (await people.bob.post("/stores", json={"name": "after"})).status_code == 403
    assert (await people.ann.post("/stores", json={"name": "ann's"})).status_code == 200
    await admin.delete("/groups/guests")
    assert (await people.bob.get(f"/flows/{flow_id}")).status_code == 404
    assert (await people.bob.post("/stores", json={"name": "again"})).status_code == 200
