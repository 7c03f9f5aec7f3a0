"""Versions of flows over REST: listed, labelled, restored and compared."""

from typing import Any

import httpx
import pytest
from headrace_core import Json

from .services import Services
from .test_flows import DESCRIPTOR, make

NODE = {"type": "headrace.utils.controls.SetVariable", "source": {"in": {"n1": ["out"]}}, "x": 1}


async def save(client: httpx.AsyncClient, flow_id: str, descriptor: Json, **more: Any) -> httpx.Response:
    return await client.put(f"/flows/{flow_id}", json={"flow": descriptor}, **more)


async def test_versions_are_listed_newest_first_in_pages(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    for x in range(3):
        await save(user, flow_id, {"n1": {**DESCRIPTOR["n1"], "label": str(x)}})

    page = (await user.get(f"/flows/{flow_id}/versions", params={"offset": 1, "limit": 2})).json()
    one = await user.get(f"/flows/{flow_id}/versions/1")

    assert ([each["version"] for each in page["items"]], page["totalCount"]) == ([3, 2], 4)
    assert (one.json()["version"], one.json()["flow"]) == (1, DESCRIPTOR)


@pytest.mark.parametrize("version", ["0", "-1", "x", "1.0", "9" * 16, "%D9%A1"])
async def test_what_is_no_number_of_a_version_is_named(user: httpx.AsyncClient, version: str) -> None:
    flow_id = await make(user)

    answer = await user.get(f"/flows/{flow_id}/versions/{version}")

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (400, "version")
    assert (await user.get(f"/flows/{flow_id}/versions/7")).status_code == 404


async def test_the_newest_version_is_labelled_once_and_any_is_renamed(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    place = f"/flows/{flow_id}/versions"

    labelled = await user.post(place, json={"label": "June"})
    again = await user.post(place, json={"label": "June"})
    other = await user.post(place, json={"label": "July"})
    renamed = await user.put(f"{place}/1", json={"label": "July"})
    nothing = await user.post(place, json={"label": ""})
    cleared = await user.put(f"{place}/1", json={"label": ""})

    assert (labelled.json()["version"], labelled.json()["label"]) == (1, "June")
    assert (again.status_code, other.status_code, other.json()["code"]) == (200, 409, "conflict")
    assert (renamed.json()["label"], cleared.json()["label"]) == ("July", "")
    assert nothing.json()["problems"][0]["field"] == "label"
    assert (await user.get(f"/flows/{flow_id}")).headers["etag"] == '"1"'


async def test_an_older_version_is_restored_as_the_newest(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    changed = await save(user, flow_id, {})

    stale = await user.post(f"/flows/{flow_id}/versions/1/restore", headers={"If-Match": '"1"'})
    restored = await user.post(f"/flows/{flow_id}/versions/1/restore", headers={"If-Match": changed.headers["etag"]})

    assert (stale.status_code, stale.json()["code"]) == (409, "revision_conflict")
    assert restored.json() == {"flowId": flow_id, "version": 3}
    assert (await user.get(f"/flows/{flow_id}")).json()["flow"] == DESCRIPTOR


async def test_a_running_flow_is_restored_only_by_force(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    await user.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})

    assert (await user.post(f"/flows/{flow_id}/versions/1/restore")).status_code == 409
    assert (await user.post(f"/flows/{flow_id}/versions/1/restore?forceUpdate=true")).status_code == 200


async def test_two_versions_are_compared_by_component_field_and_link(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    await save(user, flow_id, {"n1": {**DESCRIPTOR["n1"], "x": 5, "label": "Hook"}, "n2": NODE})

    found = (await user.get(f"/flows/{flow_id}/versions/1/diff/2")).json()
    same = (await user.get(f"/flows/{flow_id}/versions/2/diff/2")).json()

    added = {"componentId": "n2", "type": NODE["type"], "label": ""}
    changed = {"componentId": "n1", "type": DESCRIPTOR["n1"]["type"], "label": "Hook"}
    assert found == {
        "flowId": flow_id,
        "from": 1,
        "to": 2,
        "isSame": False,
        "onlyMoves": False,
        "components": {
            "added": [added],
            "removed": [],
            "changed": [{**changed, "fields": [{"path": ["label"], "to": "Hook"}]}],
        },
        "links": {
            "added": [{"sourceComponentId": "n1", "outPort": "out", "componentId": "n2", "inPort": "in"}],
            "removed": [],
        },
        "moved": [{"componentId": "n1", "from": {"x": 0, "y": 0}, "to": {"x": 5, "y": 0}}],
    }
    assert (same["isSame"], same["onlyMoves"]) == (True, True)


async def test_versions_are_compared_by_query_too_and_up_to_the_newest(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    await user.put(f"/flows/{flow_id}", json={"flow": {}})
    place = f"/flows/{flow_id}/versions"
    by_path = (await user.get(f"{place}/1/diff/2")).json()

    assert (await user.get(f"{place}/diff?from=1&to=2")).json() == {**by_path, "to": 2}
    assert (await user.get(f"{place}/diff?from=1")).json()["links"] == by_path["links"]
    assert (await user.get(f"{place}/diff?from=9&to=1")).status_code == 404
    for wrong in ("", "?to=1", "?from=0", "?from=x", "?from=1&to=x"):
        assert (await user.get(f"{place}/diff{wrong}")).status_code == 400


async def test_versions_of_others_are_not_there(user: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    place = f"/flows/{flow_id}/versions"

    answers = [
        await other.get(place),
        await other.get(f"{place}/1"),
        await other.get(f"{place}/1/diff/1"),
        await other.post(place, json={"label": "x"}),
        await other.put(f"{place}/1", json={"label": "x"}),
        await other.post(f"{place}/1/restore"),
    ]

    assert {each.status_code for each in answers} == {404}


async def test_waiting_runs_are_moved_to_the_newest_version_or_say_why_not(
    user: httpx.AsyncClient, other: httpx.AsyncClient, services: Services
) -> None:
    flow_id = await make(user)
    await save(user, flow_id, {})

    preview = await user.post(f"/flows/{flow_id}/migrate", params={"limit": "7"}, json={"dryRun": True})
    moved = await user.post(f"/flows/{flow_id}/migrate", json={"runIds": ["run-1"], "version": 1})
    theirs = await other.post(f"/flows/{flow_id}/migrate")
    too_many = await user.post(f"/flows/{flow_id}/migrate", json={"runIds": ["r"] * 201})

    assert preview.json() == {
        "version": 2,
        "dryRun": True,
        "runs": [
            {"runId": "run-1", "fromVersion": 1, "moved": True, "reasons": []},
            {"runId": "run-2", "fromVersion": 1, "moved": False, "reasons": ["Its trigger is gone."]},
        ],
        "totalCount": 2,
    }
    assert moved.json()["totalCount"] == 1
    assert (theirs.status_code, too_many.json()["problems"][0]["field"]) == (404, "runIds")
    asked = [(each.version, list(each.run_ids), each.dry_run, each.limit) for each in services.executor.migrations]
    assert asked == [(2, [], True, 7), (1, ["run-1"], False, 100)]
