"""Tokens of accounts while flows run: renewed once, given up once, waited for in order, and nowhere to be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.provider import Provider, provider

from .connector import VENDOR, flow
from .people import People, make_running, until
from .test_accounts import connect, ready

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def service() -> AsyncIterator[Provider]:
    async with provider() as made:
        yield made


async def working(people: People, service: Provider) -> tuple[str, str]:
    """A running flow whose component acts with an account of OAuth 2, and the account."""
    await ready(people, service, "oauth")
    flow_id = await make_running(people.ann, flow("oauth"))
    status = await connect(people, f"{VENDOR}.oauth.core.Work", componentId="work", flowId=flow_id)
    return flow_id, str(status["accountId"])


async def send(client: httpx.AsyncClient, flow_id: str, n: int) -> None:
    sent = await client.post(f"/flows/{flow_id}/components/hook", json={"n": n})
    assert sent.status_code < 300, sent.text


async def runs_in(client: httpx.AsyncClient, flow_id: str, state: str, count: int) -> list[dict[str, Any]]:
    """The flow's runs, once so many of them are in this state."""

    def holds(page: dict[str, Any]) -> bool:
        return sum(run["state"] == state for run in page["items"]) >= count

    page = await until(lambda: client.get("/runs", params={"flowId": flow_id, "limit": "200"}), holds, within=90)
    found: list[dict[str, Any]] = page["items"]
    return found


async def test_fifty_runs_with_an_expired_token_renew_it_once(people: People, service: Provider) -> None:
    service.lifetime = 1
    flow_id, _ = await working(people, service)
    service.lifetime, service.hold = 3600, asyncio.Event()
    await asyncio.sleep(1.1)  # the service's own clock says when a token ends

    await asyncio.gather(*(send(people.ann, flow_id, n) for n in range(50)))
    await until(lambda: people.ann.get("/runs", params={"flowId": flow_id}), lambda page: page["totalCount"] == 50)
    async with asyncio.timeout(20):
        await service.renewing.wait()
    await asyncio.sleep(0.3)  # long enough for another one who would ask
    service.hold.set()
    await runs_in(people.ann, flow_id, "done", 50)

    assert service.asked["token refresh_token"] == 1
    assert service.asked["work refused"] == 0
    assert sorted(map(int, service.worked)) == list(range(50))


async def test_a_token_that_is_refused_early_is_renewed_and_no_run_fails(people: People, service: Provider) -> None:
    flow_id, account_id = await working(people, service)
    before = (await people.ann.get(f"/accounts/{account_id}")).json()
    service.expire()

    await asyncio.gather(*(send(people.ann, flow_id, n) for n in range(10)))
    await runs_in(people.ann, flow_id, "done", 10)

    after = (await people.ann.get(f"/accounts/{account_id}")).json()
    assert service.asked["token refresh_token"] == 1
    assert sorted(map(int, service.worked)) == list(range(10))
    assert (after["state"], after["tokenId"] == before["tokenId"]) == ("valid", False)


async def test_a_revoked_account_parks_a_hundred_messages_and_reconnecting_drains_them_in_order(
    people: People, service: Provider
) -> None:
    ann = people.ann
    flow_id, account_id = await working(people, service)
    service.revoke()

    for n in range(100):
        await send(ann, flow_id, n)
    waiting = await runs_in(ann, flow_id, "waiting", 100)
    account = (await ann.get(f"/accounts/{account_id}")).json()
    detail = (await ann.get(f"/runs/{waiting[0]['runId']}")).json()
    told = await until(lambda: ann.get("/logs", params={"query": f'"{account_id}"'}), lambda page: bool(page["hits"]))
    asked = service.asked["work"]

    assert service.worked == []
    assert (account["state"], account["accessTokenValid"]) == ("invalid", False)
    assert detail["waits"][0]["kind"] == "account" and "connected anew" in detail["waits"][0]["reason"]
    assert any("connected anew" in hit["msg"] for hit in told["hits"])
    assert asked < 50  # who waits does not knock

    status = await connect(people, f"{VENDOR}.oauth.core.Work", accountId=account_id)
    await runs_in(ann, flow_id, "done", 100)

    assert status["accountId"] == account_id
    assert service.worked == [str(n) for n in range(100)]
    assert (await ann.get("/unprocessed-messages")).json() == []
