"""Quotas in the shapes of the map, over the whole platform."""

from __future__ import annotations

from .people import People

STRICT = "module.exports = {\n    rules: [{ limit: 5, window: 1000 * 60, resource: 'requests', scope: 'userId' }]\n};"


async def test_rules_of_a_quota_are_put_listed_and_set_back(people: People) -> None:
    name = f"acme:{people.mark}"
    made = await people.admin.put(f"/quota/{name}", json={"source": STRICT})
    again = await people.admin.put(
        f"/quota/{name}", json={"source": STRICT}, headers={"If-Match": made.headers["etag"]}
    )
    [listed] = [each for each in (await people.admin.get("/quota")).json() if each["id"] == name]
    late = await people.admin.put(
        f"/quota/{name}", json={"source": "module.exports = { rules: [] }"}, headers={"If-Match": '"1"'}
    )
    reset = await people.admin.delete(f"/quota/{name}")

    admin_id = (await people.admin.get("/user")).json()["id"]
    assert (made.status_code, made.headers["etag"]) == (200, '"2"')
    assert made.json() == again.json() == listed
    assert {name: listed[name] for name in ("name", "source", "defaultSource", "isCustom", "changedBy")} == {
        "name": name,
        "source": STRICT,
        "defaultSource": "",
        "isCustom": True,
        "changedBy": admin_id,
    }
    assert (late.status_code, late.json()["code"]) == (409, "revision_conflict")
    assert (reset.status_code, reset.json()["isCustom"], reset.headers["etag"]) == (200, False, '"3"')
    assert name not in [each["id"] for each in (await people.admin.get("/quota")).json()]
    assert (await people.admin.delete(f"/quota/{name}")).status_code == 404


async def test_a_source_that_would_have_to_be_run_is_refused_with_its_place(people: People) -> None:
    refused = await people.admin.put("/quota/acme:crm", json={"source": "module.exports = {\n  rules: make()\n};"})

    [problem] = refused.json()["problems"]
    assert (refused.status_code, problem["field"]) == (400, "source")
    assert problem["message"].startswith("Line 2, column 10: 'make' is a name")
    assert "module.exports = { … }" in problem["fix"]
    assert (await people.admin.put("/quota/crm", json={"source": STRICT})).json()["problems"][0]["field"] == "name"


async def test_quotas_are_for_administrators(people: People) -> None:
    assert (await people.ann.get("/quota")).status_code == 403
    assert (await people.ann.put("/quota/acme:crm", json={"source": STRICT})).status_code == 403
    assert (await people.ann.delete("/quota/acme:crm")).status_code == 403
