"""Over the whole platform: what administrators do is on record, with what was there before and since, and no secret."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from .people import HOOK, People, echo_flow, make_running

SECRET = "s3cret-of-the-app"
SHAPE = {
    "actId", "at", "actorId", "actor", "address", "requestId", "action", "summary", "target", "tenantId", "before",
    "given", "after", "status", "endedAt",
}  # fmt: skip


async def newest(admin: httpx.AsyncClient, **filters: str) -> dict[str, Any]:
    params = {"filter": [f"{name}:{value}" for name, value in filters.items()], "limit": 1}
    [found] = (await admin.get("/system/audit", params=params)).json()
    return dict(found)


async def test_an_act_is_on_record_with_what_was_there_before_and_since(people: People) -> None:
    admin, service = people.admin, f"vault:{people.mark}"
    await admin.put(f"/service-config/{service}", json={"clientId": "one", "clientSecret": SECRET})
    made = await newest(admin, target=service)
    await admin.put(f"/service-config/{service}", json={"clientId": "one", "clientSecret": SECRET + "2"})
    changed = await newest(admin, target=service)
    await admin.delete(f"/service-config/{service}")
    deleted = await newest(admin, target=service)
    refused = await admin.put("/users/nobody", json={"email": "x@example.com"})
    of_refused = await newest(admin, target="nobody")
    me = (await admin.get("/user")).json()

    assert set(made) == SHAPE
    assert (made["action"], made["status"]) == ("PUT /service-config/{serviceId}", 200)
    assert (made["actorId"], made["actor"]) == (me["id"], me["email"])
    assert made["address"].startswith("127.") and made["requestId"]
    assert made["before"] is None and made["after"] == {"serviceId": service, "clientId": "***", "clientSecret": "***"}
    assert changed["before"]["clientSecret"] == "***"
    assert changed["after"] == {"serviceId": service, "clientId": "***", "clientSecret": "*** (changed)"}
    assert deleted["before"]["serviceId"] == service and deleted["after"] is None
    assert refused.status_code == 404 and of_refused["status"] == 404 and of_refused["after"] is None
    exported = await admin.get("/system/audit/export", params={"filter": f"target:{service}"})
    assert [orjson.loads(line)["actId"] for line in exported.text.splitlines()] == [
        each["actId"] for each in (deleted, changed, made)
    ]
    assert SECRET not in (await admin.get("/system/audit", params={"limit": 1000})).text
    assert (await admin.get("/system/audit/count", params={"filter": f"target:{service}"})).json() == {"count": 3}
    assert (await admin.get(f"/system/audit/{made['actId']}")).json() == made


async def test_the_history_of_a_key_is_what_was_done_to_it_alone(people: People) -> None:
    key = f"key-{people.mark}"
    for value in (SECRET, SECRET + "2"):
        await people.admin.post("/config", json={"key": key, "value": value})
    await people.admin.post("/config", json={"key": f"other-{people.mark}", "value": 1})
    await people.admin.delete(f"/config/{key}")
    found = (await people.admin.get("/system/audit", params={"filter": f"target:{key}"})).json()

    assert [(each["action"], each["target"], each["status"]) for each in found] == [
        ("DELETE /config/{key}", key, 200),
        ("POST /config", key, 200),
        ("POST /config", key, 200),
    ]
    sealed = {"key": key, "value": "***"}
    assert (found[2]["before"], found[2]["after"]) == (None, sealed)
    assert (found[1]["before"], found[1]["after"]) == (sealed, {"key": key, "value": "*** (changed)"})
    assert SECRET not in str(found)


async def test_passwords_and_tokens_stay_out_of_the_trail(people: People) -> None:
    password = f"a-{people.mark}-password"
    made = await people.admin.post("/user", json={"email": f"new@{people.domain}", "password": password})
    again = {"email": f"new@{people.domain}", "password": password}
    reset = await people.admin.post("/user/reset-password", json=again)
    trail = (await people.admin.get("/system/audit", params={"limit": 50})).text

    assert (made.status_code, reset.status_code) == (201, 200)
    assert f"new@{people.domain}" in trail
    assert password not in trail and made.json()["token"] not in trail


async def test_nobody_changes_the_trail_and_only_administrators_read_it(people: People) -> None:
    for path in ("/system/audit", "/system/audit/count", "/system/audit/export", "/system/audit/x"):
        assert (await people.ann.get(path)).status_code == 403
        for method in ("PUT", "DELETE", "POST", "PATCH"):
            assert (await people.admin.request(method, path)).status_code in (404, 405, 400), (method, path)


async def test_an_administrator_acts_for_a_user_on_record_and_nobody_else_does(people: People) -> None:
    ann = (await people.ann.get("/user")).json()["id"]
    flow_id = await make_running(people.ann, echo_flow())
    url = f"/flows/{flow_id}/coordinator"
    without = await people.admin.post(url, json={"command": "stop"})
    stopped = await people.admin.post(url, params={"onBehalfOf": ann}, json={"command": "stop"})
    on_record = await newest(people.admin, target=flow_id)
    by_bob = await people.bob.post(url, params={"onBehalfOf": ann}, json={"command": "start"})
    deleted = await people.admin.delete(f"/flows/{flow_id}", params={"onBehalfOf": ann})

    assert without.status_code == 404
    assert (stopped.status_code, stopped.json()["stage"]) == (200, "stopped")
    assert (on_record["tenantId"], on_record["given"]) == (ann, {"command": "stop"})
    assert by_bob.status_code == 403
    assert deleted.status_code == 200 and (await people.ann.get(f"/flows/{flow_id}")).status_code == 404
    assert (await newest(people.admin, target=flow_id))["before"]["flow"][HOOK]


async def test_who_is_signed_in_as_a_user_sees_what_they_see_and_leaves_a_record(people: People) -> None:
    ann, me = [(await each.get("/user")).json()["id"] for each in (people.ann, people.admin)]
    given = await people.admin.post(f"/users/{ann}/sign-in-as")
    guest = {"Authorization": f"Bearer {given.json()['token']}"}
    seen = (await people.bob.get("/user", headers=guest)).json()
    stored = await people.bob.post("/stores", json={"name": people.mark}, headers=guest)
    on_record = await newest(people.admin, tenantId=ann)
    token = await people.bob.post("/user/tokens", json={"name": "stays"}, headers=guest)
    of_admin = await people.admin.post(f"/users/{me}/sign-in-as")

    assert given.status_code == 200 and given.json()["expires"]
    assert (seen["id"], seen["impersonator"]) == (ann, me)
    assert stored.status_code == 200
    assert [each["name"] for each in (await people.ann.get("/stores")).json()] == [people.mark]
    assert (on_record["actorId"], on_record["action"]) == (me, "POST /stores")
    assert token.status_code == 403 and of_admin.status_code == 403
    assert (await people.ann.post(f"/users/{ann}/sign-in-as")).status_code == 403
