"""Templates and their instances over REST: an order gives a ticket, and the ticket a status."""

import httpx
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
        "error": "g: it does not fit",
    }
    assert (await user.get("/integrations/status/none")).status_code == 404


async def test_an_integration_is_removed_under_a_ticket(user: httpx.AsyncClient, services: Services) -> None:
    answer = await user.delete("/integrations/f")

    assert answer.json() == {"ticket": "ticket"}
    assert services.integrations.ordered[0].flow_id == "f"
