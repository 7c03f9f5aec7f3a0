"""Who asks about a task: a signed-in caller, the holder of a secret, or both; and which URLs are webhooks of ours."""

from dataclasses import replace

import httpx
import pytest
from headrace_core.clock import TestClock
from headrace_gateway.app import create_app
from headrace_gateway.clients import Channels
from headrace_gateway.settings import GatewaySettings

from .services import Services

TASK = {"title": "Pay?", "requester": "ron@example.com", "approver": "eve@example.com"}
TASKS = "/plugins/appmixer/utils/tasks/tasks"


async def test_a_secret_comes_in_the_query_or_the_body_and_a_bad_token_is_not_overlooked(
    user: httpx.AsyncClient, nobody: httpx.AsyncClient, services: Services
) -> None:
    task_id = (await user.post(TASKS, json=TASK)).json()["taskId"]
    place = f"{TASKS}/{task_id}"

    assert (await nobody.get(place)).status_code == 401
    assert (await nobody.get(f"{place}?secret=")).status_code == 401
    assert (await nobody.get(f"{place}?secret=s")).status_code == 200
    bad = {"Authorization": "Bearer nobody's"}
    assert (await nobody.get(f"{place}?secret=s", headers=bad)).status_code == 401
    assert (await nobody.put(f"{place}/approve", json={"secret": "s"}, headers=bad)).status_code == 401
    assert (await nobody.put(f"{place}/reject", json={"secret": "s"})).json()["status"] == "rejected"
    assert (await user.put(f"{place}/approve?secret=s")).status_code == 409
    viewers = [(each.viewer.scope.tenant_id, each.viewer.secret) for each in services.tasks.asked[-3:]]
    assert viewers == [("", "s"), ("", "s"), ("a" * 24, "s")]


async def test_what_was_read_is_sent_back_without_harm_and_roles_are_known(
    user: httpx.AsyncClient, services: Services
) -> None:
    task_id = (await user.post(TASKS, json=TASK)).json()["taskId"]
    read = (await user.get(f"{TASKS}/{task_id}")).json()

    assert (await user.put(f"{TASKS}/{task_id}", json={**read, "title": "Pay!"})).json()["title"] == "Pay!"
    changes = services.tasks.asked[-1].changes
    assert b"taskId" not in changes and b"revision" not in changes and b"decisionBy" in changes
    assert (await user.get(f"{TASKS}?role=approver")).status_code == 200
    assert (await user.get(f"{TASKS}?role=boss")).status_code == 400


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("https://flows.example.com/base/flows/f/components/c", True),
        ("https://flows.example.com/base/flows/f%201/components/c?x=1", True),
        ("http://gateway.test/flows/f/components/c", True),
        ("https://flows.example.com.evil.example/base/flows/f/components/c", False),
        ("https://evil.example@flows.example.org/flows/f/components/c", False),
        ("https://flows.example.com/base/flows/f/components/c/d", False),
        ("https://flows.example.com/base/files/f", False),
        ("http://[/flows/f/components/c", False),
    ],
)
async def test_a_webhook_of_ours_is_told_from_others(
    url: str, is_ours: bool, services: Services, chosen: GatewaySettings, clock: TestClock
) -> None:
    channel = services.server.channel()
    app = create_app(
        channels=Channels(flow=channel, schedule=channel, execution=channel, log=channel),
        settings=replace(chosen, public_url="https://flows.example.com/base/"),
        clock=clock,
    )
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": "Bearer user-token"}
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test", headers=headers) as user:
        answer = await user.post("/people-task/webhooks", json={"taskId": "t", "url": url})

    assert answer.status_code == (200 if is_ours else 400), answer.text
    if is_ours:
        asked = services.tasks.asked[-1]
        assert (asked.flow_id.replace("f 1", "f"), asked.node_id, asked.url) == ("f", "c", url)
