"""Flows over REST, with the names and shapes that clients of the public API expect."""

import httpx
import orjson
import pytest
from headrace.flow.v1 import flow_pb2
from headrace_core import Json, errors

from .services import Services

DESCRIPTOR = {"n1": {"type": "headrace.utils.http.Webhook", "source": {}}}


async def make(client: httpx.AsyncClient, **record: Json) -> str:
    answer = await client.post("/flows", json={"name": "Greet", "flow": DESCRIPTOR, **record})
    assert answer.status_code == 200
    return str(answer.json()["flowId"])


async def test_a_flow_is_made_read_changed_and_removed(user: httpx.AsyncClient) -> None:
    flow_id = await make(user, customFields={"kind": "demo"})

    read = await user.get(f"/flows/{flow_id}")
    changed = await user.put(f"/flows/{flow_id}", json={"name": "Hello"})
    removed = await user.delete(f"/flows/{flow_id}")

    flow = read.json()
    assert flow["userId"] == "a" * 24
    assert (flow["stage"], flow["version"], flow["revision"]) == ("stopped", 1, 1)
    assert (flow["name"], flow["flow"], flow["customFields"]) == ("Greet", DESCRIPTOR, {"kind": "demo"})
    assert flow["btime"].endswith("Z")
    assert flow["started"] is None
    assert read.headers["etag"] == '"1"'
    assert changed.json() == {"flowId": flow_id, "result": "updated"}
    assert changed.headers["etag"] == '"2"'
    assert removed.json() == {"flowId": flow_id}
    assert (await user.get(f"/flows/{flow_id}")).status_code == 404


async def test_a_put_to_an_unknown_id_makes_the_flow(user: httpx.AsyncClient) -> None:
    answer = await user.put("/flows/my-own-id", json={"name": "x"})

    assert answer.json() == {"flowId": "my-own-id", "result": "created"}


async def test_who_saves_over_an_older_revision_is_told(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    await user.put(f"/flows/{flow_id}", json={"name": "b"}, headers={"If-Match": '"1"'})

    late = await user.put(f"/flows/{flow_id}", json={"name": "c"}, headers={"If-Match": '"1"'})
    nonsense = await user.put(f"/flows/{flow_id}", json={"name": "c"}, headers={"If-Match": "x"})
    gone = await user.put("/flows/none", json={"name": "c"}, headers={"If-Match": '"1"'})

    assert (late.status_code, late.json()["code"]) == (409, "revision_conflict")
    assert nonsense.json()["problems"][0]["field"] == "If-Match"
    assert gone.status_code == 404


async def test_who_removes_an_older_revision_is_told_and_the_flow_stays(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    await user.put(f"/flows/{flow_id}", json={"name": "b"})

    late = await user.delete(f"/flows/{flow_id}", headers={"If-Match": '"1"'})
    kept = await user.get(f"/flows/{flow_id}")
    removed = await user.delete(f"/flows/{flow_id}", headers={"If-Match": kept.headers["etag"]})

    assert (late.status_code, late.json()["code"]) == (409, "revision_conflict")
    assert (kept.status_code, removed.status_code) == (200, 200)


async def test_the_id_in_the_body_cannot_differ_from_the_one_in_the_path(user: httpx.AsyncClient) -> None:
    answer = await user.put("/flows/mine", json={"flowId": "theirs", "name": "x"})

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (400, "flowId")


async def test_a_running_flow_changes_only_by_force(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    await user.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})

    assert (await user.put(f"/flows/{flow_id}", json={"name": "b"})).status_code == 409
    assert (await user.put(f"/flows/{flow_id}", params={"forceUpdate": "true"}, json={"name": "b"})).status_code == 200


async def test_flows_start_and_stop(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)

    started = await user.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    status = await user.get(f"/flows/{flow_id}/coordinator/status")
    stopped = await user.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    wrong = await user.post(f"/flows/{flow_id}/coordinator", json={"command": "jump"})

    assert started.json() == {"flowId": flow_id, "stage": "running"}
    assert status.json()["status"] == "running"
    assert stopped.json()["stage"] == "stopped"
    assert wrong.json()["problems"][0]["field"] == "command"


async def test_a_start_in_the_background_has_a_ticket_that_the_status_knows(
    user: httpx.AsyncClient, services: Services
) -> None:
    flow_id = await make(user)
    place = f"/flows/{flow_id}/coordinator"
    before = await user.get(f"{place}/status")

    started = (await user.post(place, params={"background": "true"}, json={"command": "start"})).json()
    ticket = {"ticket": started["ticket"]}
    on_its_way = (await user.get(f"{place}/status", params=ticket)).json()
    services.flows.kept["a" * 24, flow_id].stage = flow_pb2.FLOW_STAGE_STOPPED
    services.flows.kept["a" * 24, flow_id].stage_error = "the hook failed"
    failed = (await user.get(f"{place}/status")).json()

    assert before.json() == {"status": "stopped", "stepsTotal": 1, "stepsDone": 1, "ticket": None}
    assert started == {"flowId": flow_id, "stage": "starting", **ticket}
    assert on_its_way == {"status": "starting", "stepsTotal": 1, "stepsDone": 0, **ticket}
    assert failed == {"status": "stopped", "stepsTotal": 1, "stepsDone": 1, **ticket, "error": "the hook failed"}
    assert (await user.get(f"{place}/status", params={"ticket": "older"})).status_code == 404


async def test_what_keeps_a_flow_from_starting_is_named_by_node_and_field(user: httpx.AsyncClient) -> None:
    flow_id = await make(user, flow={"broken": {"type": "a.b.c.D"}})

    answer = await user.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})

    assert answer.status_code == 400
    problem = answer.json()["problems"][0]
    assert (problem["node"], problem["field"]) == ("broken", "type")


async def test_findings_are_errors_and_warnings(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)

    answer = (await user.get(f"/flows/{flow_id}/validate")).json()

    assert answer == {
        "errors": [{"where": "flow.x", "message": "No.", "node": "x"}],
        "warnings": [{"where": "flow.y", "message": "Hm."}],
    }


async def test_a_copy_leaves_fields_out_and_has_a_prefix(user: httpx.AsyncClient) -> None:
    flow_id = await make(user, sharedWith=[])

    answer = await user.post(
        f"/flows/{flow_id}/clone", json={"prefix": "Copy of ", "projection": "-sharedWith,-thumbnail"}
    )
    copy = (await user.get(f"/flows/{answer.json()['cloneId']}")).json()

    assert copy["name"] == "Copy of Greet"
    assert "sharedWith" not in copy
    assert (await user.post(f"/flows/{flow_id}/clone")).status_code == 200


async def test_a_copy_takes_chosen_fields_whole(user: httpx.AsyncClient, services: Services) -> None:
    flow_id = await make(user, description="d", customFields={"kind": "x"})
    place = f"/flows/{flow_id}/clone"

    answer = await user.post(place, json={"projection": "name, flow"})
    copy = (await user.get(f"/flows/{answer.json()['cloneId']}")).json()

    assert (copy["name"], "flow" in copy, "description" in copy) == ("Greet", True, False)
    assert (list(services.flows.clones[0].only), list(services.flows.clones[0].without)) == (["name", "flow"], [])
    for wrong in ("name,-flow", "customFields.kind", "-customFields.kind"):
        assert (await user.post(place, json={"projection": wrong})).status_code == 400


async def test_what_a_copy_is_to_have_is_passed_on_and_the_id_map_is_the_rule(
    user: httpx.AsyncClient, services: Services
) -> None:
    flow_id = await make(user)
    wishes = {
        "connectAccounts": True,
        "isTemplateInstance": True,
        "setOriginFlowId": True,
        "setComponentIdMap": False,
        "additional": {"type": "integration-template", "wizard": {"fields": []}},
    }

    await user.post(f"/flows/{flow_id}/clone", json=wishes)
    await user.post(f"/flows/{flow_id}/clone", json={})

    asked, plain = services.flows.clones
    assert (asked.connect_accounts, asked.is_template_instance, asked.set_origin_flow_id) == (True, True, True)
    assert (asked.set_component_id_map, orjson.loads(asked.additional)) == (False, wishes["additional"])
    assert (plain.connect_accounts, plain.is_template_instance, plain.set_origin_flow_id) == (False, False, False)
    assert plain.set_component_id_map


async def test_lists_are_asked_for_as_clients_do(user: httpx.AsyncClient, services: Services) -> None:
    await make(user)
    answer = await user.get(
        "/flows",
        params=[
            ("filter[]", "originFlowId:1"),
            ("filter", "type:!draft"),
            ("projection", "-flow,-svg"),
            ("sort", "mtime:-1"),
            ("limit", "1"),
        ],
    )

    query = services.flows.queries[0]
    assert [(each.field, each.operator, each.value) for each in query.filter] == [
        ("type", 2, b'"draft"'),
        ("originFlowId", 1, b"1"),
    ]
    assert (query.sort[0].field, query.sort[0].descending, query.limit) == ("mtime", True, 1)
    assert "flow" not in answer.json()[0]
    assert (await user.get("/flows/count")).json() == {"count": 1}


async def test_a_message_cannot_pass_for_a_test(user: httpx.AsyncClient, services: Services) -> None:
    flow_id = await make(user)
    node_id = next(iter((await user.get(f"/flows/{flow_id}")).json()["flow"]))

    refused = await user.post(f"/flows/{flow_id}", json={"componentId": node_id, "eventId": "test:1"})

    assert (refused.status_code, refused.json()["problems"][0]["where"]) == (400, "eventId")
    assert services.executor.events == []


async def test_a_message_goes_into_ones_own_flow_only(
    user: httpx.AsyncClient, other: httpx.AsyncClient, services: Services
) -> None:
    flow_id = await make(user)
    body = {"componentId": "n1", "content": {"a": 1}, "eventId": "e", "correlationId": "c"}

    mine = await user.post(f"/flows/{flow_id}", json=body)
    again = await user.post(f"/flows/{flow_id}", json=body)
    theirs = await other.post(f"/flows/{flow_id}", json=body)
    nowhere = await user.post(f"/flows/{flow_id}", json={"componentId": "n2"})

    assert mine.status_code == 202
    assert (again.json()["runId"], again.json()["duplicate"]) == (mine.json()["runId"], True)
    assert (theirs.status_code, nowhere.status_code) == (404, 404)
    event = services.executor.events[0]
    assert (event.port, orjson.loads(event.content), event.correlation_id) == ("in", {"a": 1}, "c")
    assert len(services.executor.events) == 2


async def test_a_message_may_be_sent_to_either_address(user: httpx.AsyncClient, services: Services) -> None:
    flow_id = await make(user)
    body = {"componentId": "n1", "content": {"a": 1}, "eventId": "e"}

    one = await user.post(f"/flows/{flow_id}", json=body)
    other = await user.post(f"/flows/{flow_id}/send", json=body)

    assert (other.status_code, other.json()["runId"]) == (202, one.json()["runId"])
    assert other.json()["duplicate"] and len(services.executor.events) == 2


async def test_what_is_logged_of_a_flow_is_chosen_while_it_runs(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)
    await user.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})

    chosen = await user.put(f"/flows/{flow_id}/logger", json={"level": "errors"})
    wrong = await user.put(f"/flows/{flow_id}/logger", json={"level": "loud"})
    nobodys = await user.put("/flows/none/logger", json={"level": "all"})

    assert chosen.json() == {"flowId": flow_id, "level": "errors"}
    assert (await user.get(f"/flows/{flow_id}")).json()["logger"] == {"level": "errors"}
    assert wrong.json()["problems"][0]["field"] == "level"
    assert nobodys.status_code == 404


async def test_a_trigger_has_a_webhook_url(user: httpx.AsyncClient) -> None:
    flow_id = await make(user)

    answer = await user.get("/triggers/n1/url")

    assert answer.json()["url"] == f"http://gateway.test/flows/{flow_id}/components/n1"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"name": ', "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"flow": []}', "application/json", 400),
        (b"{" + b'"a":{' * 70 + b"}" * 71, "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b'{"name": "' + b"x" * 8192 + b'"}', "application/json", 413),
    ],
)
async def test_bodies_that_are_no_flow_are_refused(
    content: bytes, kind: str, status: int, user: httpx.AsyncClient
) -> None:
    answer = await user.post("/flows", content=content, headers={"Content-Type": kind})

    assert answer.status_code == status
    body = answer.json()
    assert {"statusCode", "error", "message", "code", "requestId"} <= set(body)
    assert body["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (errors.Unauthenticated(), 401, "unauthenticated"),
        (errors.Forbidden(), 403, "forbidden"),
        (errors.Conflict("x"), 409, "conflict"),
        (errors.AlreadyExists("x"), 409, "already_exists"),
        (errors.TooLarge("x"), 413, "too_large"),
        (errors.RateLimited("x"), 429, "rate_limited"),
        (errors.Unavailable("x"), 503, "unavailable"),
        (errors.DeadlineExceeded("x"), 503, "deadline_exceeded"),
        (errors.Unsupported("x"), 400, "unsupported"),
        (errors.Internal("secret"), 500, "internal"),
        (KeyError("secret"), 500, "internal"),
    ],
)
async def test_every_refusal_of_a_service_has_its_status(
    failure: Exception, status: int, code: str, user: httpx.AsyncClient, services: Services
) -> None:
    services.flows.failure = failure

    answer = await user.get("/flows/f1")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    assert ("www-authenticate" in answer.headers) == (status == 401)
