"""Over the whole platform: what administrators see of it as a whole, and what they do with much at once."""

from __future__ import annotations

import asyncio

import pytest

from .people import EMBEDDED, FAILING, HOOK, People, echo_flow, failing_flow, make_running, until

PLACES = (
    "/system/overview",
    "/system/processes",
    "/system/settings",
    "/system/diagnostics",
    "/system/connectors",
    "/system/connectors/headrace.utils/flows",
    "/system/access?userId=x",
)


@pytest.mark.parametrize("path", PLACES)
@EMBEDDED
async def test_nobody_but_administrators_sees_the_platform(people: People, path: str) -> None:
    refused = await people.ann.get(path)

    assert refused.status_code == 403
    assert (await people.ann.post("/system/processes/executor/x", json={"command": "drain"})).status_code == 403
    assert (await people.ann.post("/system/unprocessed-messages", json={"command": "retry"})).status_code == 403


async def test_the_overview_counts_what_runs_and_what_failed(people: People) -> None:
    ann = (await people.ann.get("/user")).json()["id"]
    flow_id = await make_running(people.ann, failing_flow())
    for _ in range(3):
        await people.ann.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": 5})
    await until(lambda: people.ann.get("/unprocessed-messages"), lambda found: len(found) == 3)

    seen = (await people.admin.get("/system/overview", params={"minutes": 5})).json()

    assert seen["flows"]["running"] >= 1 and seen["flows"]["total"] >= seen["flows"]["running"]
    assert seen["users"] >= 3 and seen["unprocessed"] >= 3 and seen["inDoubt"] >= 0
    [of_ann] = [each for each in seen["tenants"] if each["userId"] == ann]
    assert of_ann["runs"] == 3 and of_ann["failed"] == 3 and of_ann["user"] == people.email_of("ann")
    assert sum(each["runs"] for each in seen["minutes"]) >= 3
    assert 0 <= seen["p50Seconds"] <= seen["p95Seconds"]


async def test_many_messages_are_retried_and_dropped_at_once(people: People) -> None:
    ann = (await people.ann.get("/user")).json()["id"]
    flow_id = await make_running(people.ann, failing_flow())
    for _ in range(5):
        await people.ann.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": 5})
    listed = "/unprocessed-messages"
    dead = await until(lambda: people.ann.get(listed), lambda found: len(found) == 5)
    cause = str(dead[0]["err"]["message"])[:20].upper()
    narrowed = {"onBehalfOf": ann, "componentId": FAILING, "cause": cause, "flowId": flow_id}
    found = await people.admin.get(listed, params=narrowed)
    others = await people.admin.get(listed, params={**narrowed, "cause": "nothing like it"})
    old = await people.admin.get(listed, params={**narrowed, "before": "2020-01-01"})

    settle = "/system/unprocessed-messages"
    retried = await people.admin.post(settle, json={"command": "retry", "userId": ann, "cause": cause})
    again = await until(lambda: people.ann.get(listed), lambda found: len(found) == 5)
    one = await people.admin.post(settle, json={"command": "delete", "messageIds": [again[0]["messageId"]]})
    rest = await people.admin.post(settle, json={"command": "delete", "userId": ann})
    everything = await people.admin.post(settle, json={"command": "delete"})

    assert (len(found.json()), others.json(), old.json()) == (5, [], [])
    assert retried.json() == {"settled": 5, "left": 0, "inDoubt": 0}
    assert [each.json() for each in (one, rest)] == [{"settled": n, "left": 0, "inDoubt": 0} for n in (1, 4)]
    assert everything.status_code == 400
    assert (await people.ann.get(listed)).json() == []
    act = (await people.admin.get("/system/audit", params={"limit": 3})).json()[1]
    assert (act["action"], act["after"]) == (f"POST {settle}", {"settled": 4, "left": 0, "inDoubt": 0})


async def test_each_process_says_how_it_is_and_what_it_was_set_to(people: People) -> None:
    processes = (await people.admin.get("/system/processes")).json()
    settings = {each["name"]: each for each in (await people.admin.get("/system/settings")).json()}
    bundle = await people.admin.get("/system/diagnostics")

    assert {each["service"] for each in processes} == {"gateway", "flow-manager", "scheduler", "executor", "logging"}
    for each in processes:
        assert each["state"] == "serving" and each["version"] and abs(each["clockSkewSeconds"]) < 1, each
        assert each["numbers"]["process_memory_bytes"] > 0
    assert [each["service"] for each in processes if each["canHold"]] == ["executor"]
    assert all(each["level"] != "error" for process in processes for each in process["findings"])
    assert settings["HEADRACE_PORT"]["default"] == "2200" and settings["HEADRACE_PORT"]["origin"] == "environment"
    assert settings["HEADRACE_PORT"]["maximum"] == "65535" and settings["HEADRACE_PORT"]["services"] == ["gateway"]
    assert bundle.headers["content-disposition"].startswith("attachment")
    assert set(bundle.json()) == {"at", "overview", "processes", "errors", "audit"}
    for shown in (settings.values(), bundle.json()["processes"]):
        assert "correct horse" not in str(shown)


async def test_a_self_test_goes_through_everything_and_leaves_nothing(people: People) -> None:
    said = (await people.admin.post("/system/self-test", timeout=120)).json()
    left = (await people.admin.get("/flows", params={"filter": "name:Self-test"})).json()

    assert said["isWell"], said
    assert [each["name"] for each in said["steps"]] == [
        "A flow is saved",
        "It is started",
        "It takes an event and answers",
        "Its run goes on after a wait",
        "Its log is found",
        "It is taken away",
    ]
    assert 500 <= said["steps"][3]["tookMs"] < 20_000 and left == []
    assert (await people.ann.post("/system/self-test")).status_code == 403


@EMBEDDED
async def test_a_drained_executor_begins_nothing_and_loses_nothing(people: People) -> None:
    flow_id = await make_running(people.ann, echo_flow())
    [executor] = [each for each in (await people.admin.get("/system/processes")).json() if each["canHold"]]
    place = f"/system/processes/executor/{executor['instanceId']}"
    held = await people.admin.post(place, json={"command": "drain"})
    hook = f"/flows/{flow_id}/components/{HOOK}?enqueueOnly=true"
    accepted = await people.ann.post(hook, json={"name": "one"})
    await asyncio.sleep(0)
    waiting = (await people.ann.get("/runs", params={"flowId": flow_id})).json()["items"]
    resumed = await people.admin.post(place, json={"command": "resume"})
    done = await until(
        lambda: people.ann.get("/runs", params={"flowId": flow_id}), lambda found: found["items"][0]["state"] == "done"
    )

    assert held.json()["state"] == "held" and accepted.status_code == 202
    assert [each["state"] for each in waiting] == ["ready"]
    assert resumed.json()["state"] == "serving" and len(done["items"]) == 1
    assert (await people.admin.post("/system/processes/executor/x", json={"command": "drain"})).status_code == 404


async def test_connectors_are_listed_with_who_uses_them(people: People) -> None:
    ann = (await people.ann.get("/user")).json()["id"]
    flow_id = await make_running(people.ann, echo_flow(), name=people.mark)
    found = {each["name"]: each for each in (await people.admin.get("/system/connectors")).json()}
    used = (await people.admin.get("/system/connectors/headrace.utils.http/flows?limit=1000")).json()

    assert found["headrace.utils"]["isBuiltIn"] and found["headrace.utils"]["components"] > 50
    assert not found["headrace.utils"]["isPrivate"] and found["headrace.utils"]["version"]
    assert {"flowId": flow_id, "userId": ann, "name": people.mark} in used


async def test_what_a_user_may_do_follows_from_roles_and_rules(people: People) -> None:
    ann = (await people.ann.get("/user")).json()["id"]
    role = f"role-{people.mark}"
    await people.admin.put(f"/users/{ann}", json={"scope": ["user", role]})
    await people.admin.post("/acl/routes", json=[{"role": role, "resource": "stores", "action": ["!create"]}])
    component = "headrace.utils.http.WebhookTrigger"
    await people.admin.post("/acl/components", json=[{"role": role, "resource": component, "action": ["!*"]}])
    said = (await people.admin.get("/system/access", params={"userId": ann})).json()
    by_resource = {each["resource"]: each for each in said["routes"]}

    assert said["roles"] == [role, "user"] and not said["isAdministrator"]
    assert by_resource["stores"]["mayNot"] == ["create"] and "read" in by_resource["stores"]["may"]
    assert said["components"]["withheld"] == [component]
    assert "service-config" not in by_resource
    assert (await people.admin.get("/system/access?userId=nobody")).status_code == 404


async def test_a_secret_of_a_configuration_stays_where_it_is_and_is_not_shown(people: People) -> None:
    place, secret = f"/service-config/vault:{people.mark}", f"s-{people.mark}"
    await people.admin.put(place, json={"clientId": "one", "clientSecret": secret})
    masked = (await people.admin.get(place, params={"masked": "true"})).json()
    kept = await people.admin.put(f"{place}?masked=true", json={"clientId": "two", "clientSecret": "***"})
    unknown = await people.admin.put(place, json={"apiKey": "***"})

    assert masked == {"serviceId": f"vault:{people.mark}", "clientId": "one", "clientSecret": "***"}
    assert kept.json()["clientSecret"] == "***"
    assert (await people.admin.get(place)).json()["clientSecret"] == secret
    assert (await people.admin.get(place)).json()["clientId"] == "two"
    assert unknown.status_code == 400
