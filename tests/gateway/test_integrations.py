"""Templates and their instances over REST: an order gives a ticket, and the ticket a status."""

import httpx
import orjson
import pytest

from .services import Services


@pytest.mark.parametrize(
    ("body", "cancels"), [(None, False), ({"inProgressData": "keep"}, False), ({"inProgressData": "delete"}, True)]
)
async def test_updating_instances_is_ordered_and_says_what_becomes_of_runs(
    body: dict[str, str] | None, cancels: bool, user: httpx.AsyncClient, services: Services
) -> None:
    answer = await user.post("/integrations/t/update-integration-instances", json=body)

    (order,) = services.integrations.ordered
    assert answer.json() == {"ticket": "ticket"}
    assert (order.scope.tenant_id, order.template_id, order.cancel_runs) == ("a" * 24, "t", cancels)


async def test_anything_else_to_become_of_runs_is_refused(user: httpx.AsyncClient, services: Services) -> None:
    answer = await user.post("/integrations/t/update-integration-instances", json={"inProgressData": "burn"})

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (400, "inProgressData")
    assert services.integrations.ordered == []


async def test_a_preview_says_what_would_become_of_each_instance(user: httpx.AsyncClient, services: Services) -> None:
    found = (await user.get("/integrations/t/update-preview", params={"after": "f", "limit": "3"})).json()

    (asked,) = services.integrations.ordered
    assert (asked.template_id, asked.after_flow_id, asked.limit) == ("t", "f", 3)
    assert (found["version"], found["totalCount"]) == (2, 3)
    told = [(each["flowId"], each["stage"], each["result"], each.get("error")) for each in found["instances"]]
    assert told == [
        ("g", "running", "failed", "it does not fit"),
        ("h", "stopped", "unchanged", None),
        ("i", "stopped", "updated", None),
    ]
    assert found["instances"][1]["components"][0]["kept"] == ["config/to"]
    assert (await user.get("/integrations/t/update-preview?limit=101")).status_code == 400


async def test_a_ticket_tells_how_far_the_work_is(user: httpx.AsyncClient) -> None:
    answer = await user.get("/integrations/status/ticket")

    assert answer.json() == {
        "ticket": "ticket",
        "flowId": "f",
        "status": "failed",
        "state": "failed",
        "stepsTotal": 3,
        "stepsCompleted": 3,
        "stepsFailed": 1,
        "stepsWaiting": 1,
        "error": "g: it does not fit",
    }
    assert (await user.get("/integrations/status/none")).status_code == 404


async def test_an_integration_is_removed_under_a_ticket(user: httpx.AsyncClient, services: Services) -> None:
    answer = await user.delete("/integrations/f")

    assert answer.json() == {"ticket": "ticket"}
    assert services.integrations.ordered[0].flow_id == "f"


async def test_a_draft_is_published_with_what_the_body_says(user: httpx.AsyncClient, services: Services) -> None:
    shared = [{"scope": "user", "permissions": ["read"]}]
    first = await user.post("/drafts/draft/publish", json={"sharedWith": shared})
    second = await user.post("/drafts/draft/publish?forceUpdate=true")

    assert first.json() == {"templateId": "template", "flowId": "draft", "version": 1, "result": "created"}
    assert (second.json()["result"], second.headers["etag"]) == ("unchanged", '"1"')
    asked, plain = services.integrations.ordered
    assert (orjson.loads(asked.shared_with), asked.force) == (shared, False)
    assert (plain.HasField("shared_with"), plain.force) == (False, True)
    assert (await user.post("/drafts/none/publish")).status_code == 404
    assert (await user.post("/drafts/draft/publish", json={"sharedWith": 5})).status_code == 400
