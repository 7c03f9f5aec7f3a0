"""The catalog, modifiers and the gateway itself in the shapes of the map, over the whole platform."""

from __future__ import annotations

import httpx

from .people import People

OVER = "(value, mark, options) => options.helpers.g_shout(value) + mark"
"""A modifier that stands on another."""


async def test_components_apps_and_bundles_are_listed(user: httpx.AsyncClient) -> None:
    names = (await user.get("/components", params={"manifest": "no", "selector": "headrace.utils.http"})).json()
    manifests = (await user.get("/components", params={"manifest": "yes", "private": "no"})).json()
    apps = (await user.get("/apps")).json()
    first = next(iter(apps))
    of_app = (await user.get("/apps/components", params={"app": first})).json()
    bundles = (await user.get("/bundles")).json()

    assert names
    assert all(isinstance(name, str) for name in names)
    assert all("name" in manifest for manifest in manifests)
    assert set(apps[first]) >= {"label", "category", "description", "icon"}
    assert all("name" in manifest for manifest in of_app)
    assert bundles["appmixer.utils.http"] == bundles["headrace.utils.http"]
    assert bundles["headrace.utils.http"]["version"] == bundles["headrace.utils.http"]["bundleVersion"]


async def test_modifiers_are_read_replaced_and_set_back(people: People) -> None:
    before = (await people.ann.get("/modifiers")).json()
    changed = {"categories": before["categories"], "modifiers": {}}
    replaced = await people.admin.put("/modifiers", json=changed)
    by_user = await people.ann.put("/modifiers", json=changed)
    reset = await people.admin.delete("/modifiers")

    assert set(before) >= {"categories", "modifiers"}
    assert (replaced.status_code, by_user.status_code, reset.status_code) == (200, 403, 200)
    assert (await people.ann.get("/modifiers")).json() == before


async def test_a_flow_uses_a_modifier_that_an_administrator_wrote(people: People) -> None:
    document = (await people.ann.get("/modifiers")).json()
    entry = {
        "type": "json2new",
        "modifiers": {"body": {"v": {"variable": "$.hook.request.data.name", "functions": [{"name": "g_shout"}]}}},
        "lambda": {"body": "{{{v}}}", "statusCode": 200},
    }
    answer = {
        "type": "headrace.utils.http.Response",
        "source": {"in": {"hook": ["request"]}},
        "config": {"transform": {"in": {"hook": {"request": entry}}}},
    }
    hook = {
        "type": "headrace.utils.http.WebhookTrigger",
        "source": {},
        "config": {"properties": {"immediateResponse": False}},
    }
    made = await people.ann.post("/flows", json={"name": "shouts", "flow": {"hook": hook, "answer": answer}})
    place = f"/flows/{made.json()['flowId']}"
    shout = {"label": "Shout", "helperFn": "(value) => `${value.toUpperCase()}!`"}

    refused = await people.ann.post(f"{place}/coordinator", json={"command": "start"})
    own = {**document["modifiers"], "g_shout": shout}
    assert (await people.admin.put("/modifiers", json={**document, "modifiers": own})).status_code == 200
    try:
        started = await people.ann.post(f"{place}/coordinator", json={"command": "start"})
        told = await people.ann.post(f"{place}/components/hook", json={"name": "ada"})
        outputs = {"hook": {"request": {"data": {"name": "eve"}}}}
        tried = [
            await people.ann.post("/modifiers/test", json={"helperFn": "g_shout", "arguments": ["bob"]}),
            await people.ann.post("/modifiers/transform", json={"transform": entry, "outputs": outputs}),
            await people.admin.post("/modifiers/test", json={"helperFn": OVER, "arguments": ["joe", "?"]}),
            await people.admin.post("/modifiers/test", json={"helperFn": OVER, "arguments": [5, "?"]}),
            await people.ann.post("/modifiers/test", json={"helperFn": OVER, "arguments": ["joe", "?"]}),
            await people.ann.post("/modifiers/test", json={"helperFn": "g_none", "arguments": [1]}),
        ]
        await people.ann.post(f"{place}/coordinator", json={"command": "stop"})
    finally:
        await people.admin.delete("/modifiers")

    assert refused.status_code == 400
    assert "no modifier 'g_shout'" in refused.text
    assert (started.status_code, told.status_code, told.text) == (200, 200, "ADA!"), (started.text, told.text)
    assert [each.status_code for each in tried] == [200, 200, 200, 400, 403, 400]
    assert [each.json() for each in tried[:3]] == ["BOB!", {"body": "EVE!", "statusCode": 200}, "JOE!?"]
    assert "toUpperCase is not a function" in tried[3].text and "there is no modifier" in tried[5].text


async def test_the_gateway_says_what_it_is_and_how_it_is(people: People) -> None:
    about = (await people.ann.get("/")).json()

    assert about["version"]
    assert (await people.ann.get("/health/live")).status_code == 200
    assert (await people.ann.get("/health/ready")).status_code == 200
    assert (await people.ann.get("/openapi.json")).json()["openapi"].startswith("3.1")
    assert (await people.ann.get("/docs/api")).status_code == 200
    assert (await people.admin.get("/metrics")).status_code == 200
    assert (await people.ann.get("/metrics")).status_code == 403
