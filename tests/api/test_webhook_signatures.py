"""S9 over the whole platform: of signed webhooks only what was signed makes a run, and one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.connectors.flows.playing import HOOK, address, node
from tests.signing import SCHEMES, SECRETS, Signed, mutants, signed

from .people import People, make_running


async def secret_of(client: httpx.AsyncClient, secret: str) -> str:
    """The id of an account that holds the secret."""
    made = await client.post(
        "/accounts", json={"service": "headrace:webhooks", "name": "Ours", "token": {"secret": secret}}
    )
    assert made.status_code == 200, made.text
    return str(made.json()["accountId"])


def listening(scheme: Any, account_id: str) -> dict[str, Any]:
    settings = {"auth": {"scheme": scheme, "accountId": account_id}}
    return {HOOK: node("appmixer.utils.http.WebhookTrigger", properties={"immediateResponse": True}, **settings)}


async def call(client: httpx.AsyncClient, flow_id: str, request: Signed, *more: tuple[str, str]) -> httpx.Response:
    # As plain text every body can be read, so that what refuses it is the signature.
    headers = [("Content-Type", "text/plain"), *request.headers, *more]
    return await client.post(address(client, flow_id), content=request.body, headers=headers)


async def runs_of(client: httpx.AsyncClient, flow_id: str) -> list[str]:
    return [each["runId"] for each in (await client.get(f"/runs?flowId={flow_id}")).json()["items"]]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_only_what_was_signed_makes_a_run_and_one(scheme: str, people: People) -> None:
    flow_id = await make_running(people.ann, listening(scheme, await secret_of(people.ann, SECRETS[scheme])))
    now = datetime.now(UTC)
    request = signed(scheme, now)

    async with httpx.AsyncClient(base_url=people.ann.base_url) as sender:
        refused = [await call(sender, flow_id, mutant) for _, mutant in mutants(request)[::9]]
        refused.append(await call(sender, flow_id, Signed(request.body, [])))
        refused.append(await call(sender, flow_id, signed(scheme, now, secret="d3Jvbmc=")))
        if scheme != "github":  # it signs no time
            refused.append(await call(sender, flow_id, signed(scheme, now - timedelta(minutes=6))))
        assert {each.status_code for each in refused} == {401}
        assert await runs_of(people.ann, flow_id) == []

        accepted = [await call(sender, flow_id, request, ("Idempotency-Key", str(each))) for each in range(3)]

    assert [each.status_code for each in accepted] == [200] * 3
    runs = await runs_of(people.ann, flow_id)
    assert {each.headers["x-headrace-run-id"] for each in accepted} == set(runs)
    assert len(runs) == 1, "an id that was not signed makes no other event"
    shown = (await people.ann.get(f"/runs/{runs[0]}")).text
    assert SECRETS[scheme] not in shown and request.headers[-1][1] not in shown


async def test_what_is_asked_for_and_cannot_be_had_is_no_open_door(people: People) -> None:
    request, own = signed("github", datetime.now(UTC)), await secret_of(people.ann, SECRETS["github"])
    theirs = await secret_of(people.bob, SECRETS["github"])
    flows = [
        await make_running(people.ann, listening(scheme, account_id))
        for scheme, account_id in (("github", ""), ("github", "nothing"), ("github", theirs), ("x", own), (None, own))
    ]
    gone = await make_running(people.ann, listening("github", own))
    await people.ann.delete(f"/accounts/{own}?force=true")

    async with httpx.AsyncClient(base_url=people.ann.base_url) as sender:
        answers = [await call(sender, flow_id, request) for flow_id in (*flows, gone)]

    assert {each.status_code for each in answers} == {401}
    for flow_id in (*flows, gone):
        assert await runs_of(people.ann, flow_id) == []
