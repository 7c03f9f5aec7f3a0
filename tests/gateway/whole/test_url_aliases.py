"""An alias is a webhook by another path, and nobody else's flow hears of it."""

import httpx

from tests.gateway.test_platform import ECHO, HOOK, make_running


async def test_a_call_of_an_alias_is_a_call_of_its_flow(
    admin: httpx.AsyncClient,
    ann: httpx.AsyncClient,
) -> None:
    flow_id = await make_running(ann)
    given = {"alias": "hooks/echo.v1", "flowId": flow_id, "componentId": HOOK}
    made = (await ann.post("/url-aliases", json=given)).json()

    async with httpx.AsyncClient(base_url=ann.base_url) as nobody:
        called = await nobody.post("/hooks/echo.v1", json={"name": "ada"})
        straight = await nobody.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "ada"})
        assert (called.status_code, called.text) == (straight.status_code, straight.text) == (201, "ADA")
        assert (await nobody.post("/hooks/echo.v2", json={})).status_code == 404

        moved = await ann.put(f"/url-aliases/{made['id']}", json={**given, "alias": "hooks/new"})
        assert (moved.status_code, moved.json()["alias"]) == (200, "hooks/new")
        assert (await nobody.post("/hooks/echo.v1", json={})).status_code == 404
        assert (await nobody.post("/hooks/new", json={"name": "bob"})).text == "BOB"

        assert (await ann.delete(f"/url-aliases/{made['id']}")).status_code == 200
        assert (await nobody.post("/hooks/new", json={})).status_code == 404


async def test_an_alias_belongs_to_one_user_and_its_path_to_one_alias(
    admin: httpx.AsyncClient,
    ann: httpx.AsyncClient,
) -> None:
    flow_id = (await ann.post("/flows", json={"name": "Echo", "flow": ECHO})).json()["flowId"]
    own_id = (await admin.post("/flows", json={"name": "Echo", "flow": ECHO})).json()["flowId"]
    given = {"alias": "hooks/echo", "flowId": flow_id, "componentId": HOOK}
    made = (await ann.post("/url-aliases", json=given)).json()
    where = f"/url-aliases/{made['id']}"

    assert (await ann.get(where)).json() == made and (await ann.get("/url-aliases")).json() == [made]
    assert (await admin.post("/url-aliases", json={**given, "alias": "other"})).status_code == 404
    assert (await admin.post("/url-aliases", json={**given, "flowId": own_id})).status_code == 409
    for answer in (await admin.get(where), await admin.delete(where), await admin.put(where, json=given)):
        assert answer.status_code == 404
    assert (await admin.get("/url-aliases")).json() == []
    assert (await admin.get("/url-aliases", params={"allTenants": "true"})).json() == [made]
    for wrong in ("", "a//b", "a/../b", "a b", "a/b/c/d/e/f", "a?b", "x" * 300):
        assert (await ann.post("/url-aliases", json={**given, "alias": wrong})).status_code == 400
